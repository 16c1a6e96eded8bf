"""What a build copies into a bundle's emulate folder from kit/preprocess.py, under the name that it has there."""

from kit.preprocess import *  # noqa: F403
