"""A first recipe for a model file: what its inputs and outputs may be, and why, as TOML that builds as it stands."""
