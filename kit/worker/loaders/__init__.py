"""From a model file to a source model: one loader for each way that Keras and TensorFlow wrote it."""
