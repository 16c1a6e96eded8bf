"""From a frozen graph to a .tflite file: signatures, variables, calibration, the converter and its limits."""
