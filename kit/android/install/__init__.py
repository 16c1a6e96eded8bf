"""Bundles into an app's project, and out of it again."""
