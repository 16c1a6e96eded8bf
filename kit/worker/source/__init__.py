"""The source model in memory: what it takes and gives, its variables, and the user's own code."""
