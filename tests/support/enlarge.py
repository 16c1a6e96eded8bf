"""Small photographs made larger. Knows numpy alone: a toolchain runs it, too."""

from __future__ import annotations

import numpy as np


def enlarged(images: np.ndarray, size: int) -> np.ndarray:
    """Return [N, size, size] by bilinear interpolation of [N, h, w], in the dtype of the images."""
    at = np.linspace(0, images.shape[1] - 1, size)
    low = np.minimum(at.astype(int), images.shape[1] - 2)
    part = (at - low).astype(images.dtype)
    rows = images[:, low] * (1 - part)[None, :, None] + images[:, low + 1] * part[None, :, None]
    return np.asarray(rows[:, :, low] * (1 - part) + rows[:, :, low + 1] * part)
