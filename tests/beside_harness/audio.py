"""What a build copies into a bundle's emulate folder from kit/shared/audio.py."""

from kit.shared.audio import *  # noqa: F403
