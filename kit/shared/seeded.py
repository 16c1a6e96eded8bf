"""Inputs that are nobody's data: numbers drawn from a seed. An app tries an accelerator on them before it uses it.

Host, the runtime's script and the app draw the same bits: templates/android/runtime/Seeded.kt is the app's.
"""

from __future__ import annotations

import math

import numpy as np

VECTORS = 3  # calls of each signature
LARGEST = 2.0**53  # whole numbers up to here are exact in the float64 that a range is kept in
_STEP, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_FLOAT_BITS = 24


def seed_of(vector: int, position: int) -> int:
    """Return the seed of one input in one call: its number among the calls and its place among the inputs."""
    return (vector << 32) + position


def seeded(dtype: str, count: int, low: float, high: float, seed: int) -> np.ndarray:
    """Return [count] values of a dtype from low to high, all equally likely; of float32 high itself does not come.

    low, high: of whole numbers (int8 to int64, uint8, bool) both may come. Source of the generator: splitmix64
    (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014), here as a function of the index.
    """
    drawn = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_STEP) + np.uint64(seed)
    drawn = (drawn ^ (drawn >> np.uint64(30))) * np.uint64(_FIRST)
    drawn = (drawn ^ (drawn >> np.uint64(27))) * np.uint64(_SECOND)
    drawn ^= drawn >> np.uint64(31)
    if dtype == "float32":
        part = (drawn >> np.uint64(64 - _FLOAT_BITS)).astype(np.float64) / 2.0**_FLOAT_BITS
        return (low + (high - low) * part).astype(np.float32)
    span = np.uint64(int(high) - int(low) + 1)
    # 63 bits: the JVM's Long has a sign.
    whole = ((drawn >> np.uint64(1)) % span).astype(np.int64) + int(low)
    return whole.astype(dtype)


def range_of(values: np.ndarray, *, whole: bool) -> tuple[float, float]:
    """Return from where to where inputs like these are drawn.

    values: [N, ...] of one input in its dtype. whole: a quantized input or pixels, which take all that the dtype holds.
    Floats: 0 or a negative power of two, to the power of two that none of them exceeds; other whole numbers, ids for
    instance: their own smallest and largest, because a model may know no others.
    """
    if values.dtype.kind == "f":
        finite = values[np.isfinite(values)].astype(np.float64)
        largest = float(np.abs(finite).max(initial=0.0))
        bound = 2.0 ** math.ceil(math.log2(largest)) if largest > 0 else 1.0
        return (-bound if finite.min(initial=0.0) < 0 else 0.0), bound
    if values.dtype.kind == "b":
        return 0.0, 1.0
    if whole and values.dtype.itemsize <= 2:
        limits = np.iinfo(values.dtype)
        return float(limits.min), float(limits.max)
    if not values.size:
        return 0.0, 0.0
    return max(float(values.min()), -LARGEST), min(float(values.max()), LARGEST)
