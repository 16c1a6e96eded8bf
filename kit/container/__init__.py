"""Containers: the engine's client, the hardening, and images whose bytes follow from the pins alone."""
