"""Debian packages: fetched by their hash, and read without dpkg."""
