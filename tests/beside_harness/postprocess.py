"""What a build copies into a bundle's emulate folder from kit/shared/postprocess.py."""

from kit.shared.postprocess import *  # noqa: F403
