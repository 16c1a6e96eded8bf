"""What a model file asks for beyond computing, by allowlists. Standard library only: host and worker both run it."""
