"""The product beside the source model: run on data, measured, and each name proved."""
