"""What a build copies into a bundle's emulate folder from kit/shared/text.py."""

from kit.shared.text import *  # noqa: F403
