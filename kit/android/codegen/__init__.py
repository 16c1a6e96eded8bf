"""Kotlin for a bundle: names, types and numbers chosen from its signature, and the sources written."""
