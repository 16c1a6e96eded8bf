"""The .tflite file, read without TensorFlow: its parts as values, as lines, and what differs between two."""
