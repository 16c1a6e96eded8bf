"""Models that a scheme hurts in one place, with data: what schemes by layer and `auto` are for.

Runs inside a toolchain's Python: `python quantized_models.py FOLDER` writes <kind>.keras and <kind>.npz, whose arrays
are those of a recipe's data: inputs by name, and y.
"""

from __future__ import annotations

import sys
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
    import keras
    import numpy as np

    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(6, 24)).astype(np.float32)
    y = rng.integers(0, 6, 2400)
    x = (centres[y] + rng.normal(size=(2400, 24)) * 0.35).astype(np.float32)
    inputs = keras.Input((24,), name="features")
    wide = keras.layers.Dense(96, activation="relu", name="wide")(inputs)
    wide = keras.layers.Dense(96, activation="relu", name="middle")(wide)
    narrow = keras.layers.Dense(8, name="narrow")(wide)
    scores = keras.layers.Dense(6, activation="softmax", name="kind")(narrow)
    model = keras.Model(inputs, scores)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x[:1200], y[:1200], epochs=12, batch_size=64, verbose=0)
    plant(model)
    return model, {"features": x[1200:], "y": y[1200:]}


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


KINDS = {"narrow": narrow, "regressor": regressor, "recurrent": recurrent}


def main(folder: Path) -> None:
    """Write every kind."""
    import numpy as np

    for name, make in KINDS.items():
        model, arrays = make()
        model.save(folder / f"{name}.keras")
        np.savez(folder / f"{name}.npz", **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
