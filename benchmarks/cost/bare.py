"""What one would write without the kit: load, calibrate, convert, compare with the float model. As fast as it can be.

Runs in the toolchain's venv: python bare.py MODEL.keras SCHEME MEAN STD OUT.tflite [CALIBRATION.npz [CHECKS.npz]].
Without samples it compares on eight random ones, as the kit does.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

BATCH = 8  # of the float model: larger ones do not fit the caches at 224x224


def main(path: str, scheme: str, mean: str, std: str, out: str, *data: str) -> None:
    """Convert and compare."""
    model = tf.keras.models.load_model(path, compile=False)
    name, shape = model.layers[0].name, model.inputs[0].shape[1:]

    def values(pixels: np.ndarray) -> np.ndarray:
        return (pixels.astype(np.float32) - np.float32(mean)) / np.float32(std)

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if scheme != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if scheme == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if scheme == "int8":
        samples = np.load(data[0])[name]
        converter.representative_dataset = lambda: ([values(row[None])] for row in samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
    Path(out).write_bytes(converter.convert())

    if len(data) > 1:
        checks = np.load(data[1])
        fed, exact = (
            checks[name],
            np.concatenate([model.predict_on_batch(values(checks_part)) for checks_part in parts(checks[name])]),
        )
        y = checks.get("y")
    else:
        fed = np.random.default_rng(7).random((8, *shape), np.float32)
        exact, y = np.concatenate([model.predict_on_batch(part) for part in parts(fed)]), None
    interpreter = tf.lite.Interpreter(out)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    got = []
    for row in fed:
        interpreter.set_tensor(source, row[None])
        interpreter.invoke()
        got.append(interpreter.get_tensor(target)[0])
    same = np.mean(np.argmax(got, axis=-1) == np.argmax(exact, axis=-1))
    right = "" if y is None else f", accuracy {np.mean(np.argmax(got, axis=-1) == y):.4f}"
    print(f"{Path(out).stat().st_size} bytes, agreement {same:.4f}{right}")


def parts(array: np.ndarray) -> list[np.ndarray]:
    """Return an array [N, ...] in parts of BATCH rows."""
    return [array[at : at + BATCH] for at in range(0, len(array), BATCH)]


if __name__ == "__main__":
    main(*sys.argv[1:])
