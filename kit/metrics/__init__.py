"""Metrics as the field defines them, of arrays: what a prediction is worth against the truth. Reads no file."""
