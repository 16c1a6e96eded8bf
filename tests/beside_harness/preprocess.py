"""What a build copies into a bundle's emulate folder from kit/shared/preprocess.py."""

from kit.shared.preprocess import *  # noqa: F403
