"""What the difference between two bundles or two .tflite files means for an app that links one of them."""
