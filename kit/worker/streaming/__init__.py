"""Models that take one step of a sequence in each call."""
