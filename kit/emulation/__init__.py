"""A bundle on a desktop: the harness that it carries, and runtimes that run it."""
