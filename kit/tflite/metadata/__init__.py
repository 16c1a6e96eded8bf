"""TFLite Metadata inside a .tflite: what the model is, how images become its input, what its outputs mean.

Source: metadata_schema.fbs 1.5.0 of MediaPipe Tasks (file identifier M001).
"""
