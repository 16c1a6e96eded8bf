"""dropkit: a trained Keras model in, a tested Android bundle out."""

__version__ = "0.2.0"
