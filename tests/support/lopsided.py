"""A model with one operator that takes nearly all of the time, and another one that makes nearly all of the error.

Runs inside a toolchain's Python: `python lopsided.py FOLDER` writes exact.tflite, in float32, lopsided.tflite, in int8,
inputs.npz, `features` float32 [N, 24] on which the int8 file was calibrated, and odd.npz, whose sample ODD lies far
outside of that.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ODD = 7
SAMPLES = 24


def model() -> Any:
    """Return `features` [N, 24] -> `kind` [N, 6] and `extra` [N, 4]: `slow` has most weights, `bad` one that is large.

    The large weight is behind a unit of `middle` that is always 0: in whole numbers it takes all steps of its scale.
    """
    import keras
    import numpy as np

    keras.utils.set_random_seed(11)
    inputs = keras.Input((24,), name="features")
    spread = keras.layers.Dense(1536, activation="relu", name="spread")(inputs)
    slow = keras.layers.Dense(1536, activation="relu", name="slow")(spread)
    middle = keras.layers.Dense(64, activation="relu", name="middle")(inputs)
    bad = keras.layers.Dense(8, name="bad")(middle)
    made = keras.Model(
        inputs,
        {
            "kind": keras.layers.Dense(6, activation="softmax", name="kind")(bad),
            "extra": keras.layers.Dense(4, name="extra")(slow),
        },
    )
    kernel, bias = made.get_layer("middle").get_weights()
    kernel[:, 0], bias[0] = 0.0, -1.0
    made.get_layer("middle").set_weights([kernel, bias])
    kernel, bias = made.get_layer("bad").get_weights()
    kernel[0, :] = 60 * np.abs(kernel).max()
    made.get_layer("bad").set_weights([kernel, bias])
    return made


def renamed(content: bytes) -> bytes:
    """Return a file whose layer `bad` has a name that ends as the converter ends some that it joins of several."""
    assert b"/bad_1/MatMul" in content
    return content.replace(b"/bad_1/MatMul", b"/bad_1/MatMu;")


def main(folder: Path) -> None:
    """Write the files."""
    import numpy as np
    import tensorflow as tf

    rng = np.random.default_rng(11)
    features = rng.normal(size=(SAMPLES, 24)).astype(np.float32)
    made = model()
    saved = folder / "saved"
    made.export(str(saved))

    def calibration() -> Iterator[dict[str, Any]]:
        """Yield one sample at a time: float32 [1, 24]."""
        yield from ({"features": row[None]} for row in features)

    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
    (folder / "exact.tflite").write_bytes(renamed(converter.convert()))
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = calibration
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    (folder / "lopsided.tflite").write_bytes(renamed(converter.convert()))
    np.savez(folder / "inputs.npz", features=features)
    features[ODD] *= 25
    np.savez(folder / "odd.npz", features=features)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
