"""What a file is and holds, for `kit inspect`: models, .tflite files, recipes, bundles. Runs nothing of them."""
