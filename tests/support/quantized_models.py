"""Models that a scheme hurts in one place, with data: what schemes by layer and `auto` are for.

Runs inside a toolchain's Python: `python quantized_models.py FOLDER` writes <kind>.keras and <kind>.npz, whose arrays
are those of a recipe's data: inputs by name, and y.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any


def plant(model: Any) -> None:
    """Set weights of the layer `narrow` to 60 times the others, behind a unit of `middle` that is always 0.

    They set the scale of each channel, and change no output.
    """
    import numpy as np

    kernel, bias = model.get_layer("middle").get_weights()
    kernel[:, 0], bias[0] = 0.0, -1.0
    model.get_layer("middle").set_weights([kernel, bias])
    kernel, bias = model.get_layer("narrow").get_weights()
    kernel[0, :] = 60 * np.abs(kernel).max()
    model.get_layer("narrow").set_weights([kernel, bias])


def narrow() -> tuple[Any, dict[str, Any]]:
    """Return a classifier of blobs whose layer `narrow` holds fine differences beside a large weight.

    In four bits, and in eight by one scale a channel, the small weights of each channel become zero.
    """
    model, arrays = _classifier()
    plant(model)
    return model, arrays


def uneven() -> tuple[Any, dict[str, Any]]:
    """Return the same classifier with one unit of `wide` 4000 times the others, and `middle` that takes it back.

    The outputs are the same. With one scale for all units of `wide`, the others become zero.
    """
    model, arrays = _classifier()
    kernel, bias = model.get_layer("wide").get_weights()
    kernel[:, 0], bias[0] = 4000 * kernel[:, 0], 4000 * bias[0]
    model.get_layer("wide").set_weights([kernel, bias])
    kernel, bias = model.get_layer("middle").get_weights()
    kernel[0, :] = kernel[0, :] / 4000
    model.get_layer("middle").set_weights([kernel, bias])
    return model, arrays


def joined() -> tuple[Any, dict[str, Any]]:
    """Return a classifier that concatenates a branch of small numbers, which hold the class, and one of large ones.

    `features` [N, 24] -> `kind` [N, 6]. In int8 all inputs of a concatenation have one scale.
    """
    import keras
    import numpy as np

    model, arrays = _classifier()
    kernel, bias = model.get_layer("wide").get_weights()
    rng = np.random.default_rng(4)
    inputs = keras.Input((24,), name="features")
    small = keras.layers.Dense(96, activation="relu", name="small")(inputs)
    large = keras.layers.Dense(8, name="large")(inputs)
    both = keras.layers.Concatenate(name="both")([small, large])
    hidden = keras.layers.Dense(96, activation="relu", name="middle")(both)
    hidden = keras.layers.Dense(8, name="narrow")(hidden)
    made = keras.Model(inputs, keras.layers.Dense(6, activation="softmax", name="kind")(hidden))
    made.get_layer("small").set_weights([kernel / 500, bias / 500])
    made.get_layer("large").set_weights([20 * rng.normal(size=(24, 8)), np.zeros(8)])
    kernel, bias = model.get_layer("middle").get_weights()
    made.get_layer("middle").set_weights([np.concatenate([500 * kernel, np.zeros((8, 96))]), bias])
    for name in ("narrow", "kind"):
        made.get_layer(name).set_weights(model.get_layer(name).get_weights())
    return made, arrays


def _classifier() -> tuple[Any, dict[str, Any]]:
    """Return a classifier of six blobs: `features` [N, 24] -> `kind` [N, 6]."""
    model, (x, y) = _untrained(), _blobs()
    model.set_weights(_weights())
    return model, {"features": x[1200:], "y": y[1200:]}


@cache
def _weights() -> list[Any]:
    """Return the weights of the classifier, trained once."""
    import keras

    keras.utils.set_random_seed(3)
    model, (x, y) = _untrained(), _blobs()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x[:1200], y[:1200], epochs=12, batch_size=64, verbose=0)
    return list(model.get_weights())


def _blobs() -> tuple[Any, Any]:
    """Return six blobs and which one each sample is of: float32 [N, 24], int64 [N]."""
    import numpy as np

    rng = np.random.default_rng(3)
    centres = rng.normal(size=(6, 24)).astype(np.float32)
    y = rng.integers(0, 6, 2400)
    return (centres[y] + rng.normal(size=(2400, 24)) * 0.35).astype(np.float32), y


def _untrained() -> Any:
    """Return the classifier before its training."""
    import keras

    inputs = keras.Input((24,), name="features")
    wide = keras.layers.Dense(96, activation="relu", name="wide")(inputs)
    wide = keras.layers.Dense(96, activation="relu", name="middle")(wide)
    narrow = keras.layers.Dense(8, name="narrow")(wide)
    return keras.Model(inputs, keras.layers.Dense(6, activation="softmax", name="kind")(narrow))


def regressor() -> tuple[Any, dict[str, Any]]:
    """Return a regressor of a smooth surface: `point` [N, 2] -> `height` [N, 1]."""
    import keras
    import numpy as np

    keras.utils.set_random_seed(5)
    rng = np.random.default_rng(5)
    x = rng.uniform(-1, 1, (3000, 2)).astype(np.float32)
    y = (np.sin(3 * x[:, :1]) * np.cos(2 * x[:, 1:])).astype(np.float32)
    inputs = keras.Input((2,), name="point")
    hidden = keras.layers.Dense(64, activation="relu", name="one")(inputs)
    hidden = keras.layers.Dense(64, activation="relu", name="two")(hidden)
    model = keras.Model(inputs, keras.layers.Dense(1, name="height")(hidden))
    model.compile("adam", "mse")
    model.fit(x[:2000], y[:2000], epochs=15, batch_size=64, verbose=0)
    return model, {"point": x[2000:]}


def recurrent() -> tuple[Any, dict[str, Any]]:
    """Return an LSTM over 12 steps, as a loop: `steps` [N, 12, 4] -> `label` [N, 3]."""
    import keras
    import numpy as np

    keras.utils.set_random_seed(9)
    rng = np.random.default_rng(9)
    y = rng.integers(0, 3, 900)
    x = (rng.normal(size=(900, 12, 4)) + (y[:, None, None] - 1) * np.linspace(0, 1.5, 12)[None, :, None]).astype(
        np.float32
    )
    inputs = keras.Input((12, 4), name="steps")
    hidden = keras.layers.LSTM(16, name="lstm")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="label")(hidden))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x[:600], y[:600], epochs=6, batch_size=32, verbose=0)
    return model, {"steps": x[600:], "y": y[600:]}


KINDS = {"narrow": narrow, "uneven": uneven, "joined": joined, "regressor": regressor, "recurrent": recurrent}


def main(folder: Path) -> None:
    """Write every kind."""
    import numpy as np

    for name, make in KINDS.items():
        model, arrays = make()
        model.save(folder / f"{name}.keras")
        np.savez(folder / f"{name}.npz", **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
