"""How strong each frequency of a sound is over time, as an image: the same bytes on every CPU.

A discrete Fourier transform of windows of Hann's shape, by a table of whole numbers. All sums stay below 2**53, so they
are exact in float64 in whatever order a CPU adds; levels are powers of two, so no logarithm is rounded.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kit.report.png import PageImage, mask_image

COLUMNS, ROWS = 100, 64  # of the image: time from left to right, frequency from below
LEVELS = 16  # of power, each half of the one above it: 3 dB
WINDOW = 4 * ROWS  # samples; two of its frequencies make a row
DECIBELS = 3 * (LEVELS - 1)  # between the strongest and what is not drawn
_MOST_WINDOWS = 4000
_LOUD, _TABLE, _SHIFT = (
    1 << 15,
    1 << 14,
    1 << 11,
)  # a sample, an entry of the table, what both parts lose: 2**26 are left
# Dark to light: silent to loud.
_COLORS = ((18, 18, 44), (91, 32, 116), (190, 58, 90), (246, 142, 62), (252, 246, 186))


def spectrogram(values: NDArray[Any]) -> PageImage | None:
    """Return the image of a sound, [n] of any dtype; None where it is shorter than two windows."""
    if len(values) < 2 * WINDOW:
        return None
    colors = np.column_stack([_palette(), np.full(LEVELS, 255)]).astype(np.uint8)
    return mask_image(levels(values)[::-1].astype(np.int64), colors, max(COLUMNS, ROWS))


def levels(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the level of each frequency from below over time, uint8 [ROWS, at most COLUMNS], of a sound [n]."""
    power = _power(_whole(values))
    count = min(COLUMNS, len(power))
    starts = np.arange(count) * len(power) // count
    rows = np.maximum.reduceat(power[:, 0::2] + power[:, 1::2], starts, axis=0).T
    loudest = rows.max(initial=0.0)
    found = np.zeros(rows.shape, np.uint8)
    if loudest:
        for halved in range(LEVELS):
            found += rows * 2.0**halved >= loudest
    return found - (found > 0)


def _whole(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return a sound, [n] of any dtype, as whole numbers, float64 [n], the largest of which is _LOUD - 1."""
    real = np.where(np.isfinite(values.astype(np.float64)), values.astype(np.float64), 0.0)
    peak = float(np.abs(real).max(initial=0.0))
    return np.rint(real / peak * (_LOUD - 1)) if peak else real


def _power(whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the power of each window and frequency, whole numbers in float64 [windows, 2 * ROWS]."""
    step = max(WINDOW // 2, len(whole) // _MOST_WINDOWS)
    windows = np.lib.stride_tricks.sliding_window_view(whole, WINDOW)[::step]
    parts = np.floor(windows @ _table() / _SHIFT)
    cosine, sine = np.split(parts * parts, 2, axis=1)
    return np.asarray(cosine + sine)


@cache
def _table() -> NDArray[np.float64]:
    """Return what a window is multiplied by: cosines and sines under Hann's window, float64 [WINDOW, 4 * ROWS]."""
    return np.rint(exact_table())


def exact_table() -> NDArray[np.float64]:
    """Return the table before it is rounded, float64 [WINDOW, 4 * ROWS]."""
    at = np.arange(WINDOW)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * at / WINDOW)
    turns = 2 * np.pi * (np.outer(at, np.arange(2 * ROWS)) % WINDOW) / WINDOW
    return np.asarray(np.hstack([np.cos(turns), np.sin(turns)]) * hann[:, None] * _TABLE)


def _palette() -> NDArray[np.int64]:
    """Return the color of each level, int64 [LEVELS, 3]: between _COLORS in equal steps, rounded down."""
    anchors = np.array(_COLORS, np.int64)
    at = np.arange(LEVELS) * (len(anchors) - 1)
    low = np.minimum(at // (LEVELS - 1), len(anchors) - 2)
    part = (at - low * (LEVELS - 1))[:, None]
    return np.asarray(anchors[low] + (anchors[low + 1] - anchors[low]) * part // (LEVELS - 1))
