"""What a build copies into a bundle's emulate folder from kit/shared/wav.py."""

from kit.shared.wav import *  # noqa: F403
