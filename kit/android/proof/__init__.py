"""The proof that a bundle works in an app, without a phone: each check in its own file."""
