"""What one would write without the kit: load, calibrate, convert to int8, compare. Runs in the toolchain's venv."""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

folder = Path(sys.argv[1])
model = tf.keras.models.load_model(folder / "digits.keras", compile=False)
samples = np.load(folder / "samples.npz")["image"].astype(np.float32) / 255
test = np.load(folder / "test.npz")

converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = lambda: ([row[None]] for row in samples)
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = converter.inference_output_type = tf.uint8
content = converter.convert()

exact = model.predict(test["image"].astype(np.float32) / 255, verbose=0)
interpreter = tf.lite.Interpreter(model_content=content)
interpreter.allocate_tensors()
source, scores = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
got = []
for row in test["image"]:
    interpreter.set_tensor(source, row[None])
    interpreter.invoke()
    got.append(interpreter.get_tensor(scores)[0])
same = np.mean(np.argmax(got, axis=1) == np.argmax(exact, axis=1))
right = np.mean(np.argmax(got, axis=1) == test["y"])
print(f"{len(content)} bytes, agreement {same:.4f}, accuracy {right:.4f}")
