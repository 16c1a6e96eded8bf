"""The converter's .tflite file, mended in its bytes."""
