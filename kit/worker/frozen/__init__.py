"""The formats beside .tflite, for `freeze`."""
