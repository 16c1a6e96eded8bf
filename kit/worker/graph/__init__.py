"""Frozen graphs: traced, cut to what is needed, and rewritten into operators that TFLite has."""
