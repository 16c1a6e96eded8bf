"""What is added up of one tensor over the calls, of the float file's values and of the product's. Explains nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from kit.shared.quantization import PERFECT


def _nothing() -> np.ndarray:
    """Return the sums of one channel before the first call: float64 [1]."""
    return np.zeros(1)


@dataclass
class Sums:
    """Sums of each channel, the last axis of a tensor; of all values where a tensor has one axis or changes its shape.

    signal, noise: squares of the float values and of the differences, float64 [channels]; largest: of the magnitudes,
    float64 [channels]; low, high: of all float values; steps: that the product's type has, 0 for a float; at_ends: its
    values at the upper end of that type.
    """

    signal: np.ndarray = field(default_factory=_nothing)
    noise: np.ndarray = field(default_factory=_nothing)
    largest: np.ndarray = field(default_factory=_nothing)
    low: float = math.inf
    high: float = -math.inf
    count: int = 0
    steps: int = 0
    at_ends: int = 0

    def add(self, exact: np.ndarray, got: np.ndarray, raw: np.ndarray) -> None:
        """Add one call's values. exact, got: real ones, float64 of one shape; raw: the product's own, in its dtype."""
        counted = np.isfinite(exact) & np.isfinite(got)
        one, off = np.where(counted, exact, 0.0), np.where(counted, exact - got, 0.0)
        channels = one.shape[-1] if one.ndim > 1 and one.size else 1
        if self.count and self.signal.size != channels:
            channels = 1
            self.signal, self.noise = (np.array([each.sum()]) for each in (self.signal, self.noise))
            self.largest = np.array([self.largest.max()])
        one, off = one.reshape(-1, channels), off.reshape(-1, channels)
        self.signal = self.signal + np.sum(one * one, axis=0)
        self.noise = self.noise + np.sum(off * off, axis=0)
        self.largest = np.maximum(self.largest, np.abs(one).max(axis=0, initial=0.0))
        self.low = min(self.low, float(exact[counted].min(initial=math.inf)))
        self.high = max(self.high, float(exact[counted].max(initial=-math.inf)))
        self.count += exact.size
        if raw.dtype.kind in "iu":
            ends = np.iinfo(raw.dtype)
            self.steps = int(ends.max) - int(ends.min)
            self.at_ends += int(np.count_nonzero(raw == ends.max))

    @property
    def share(self) -> float:
        """Return the noise as a share of the signal."""
        signal = float(self.signal.sum())
        return float(self.noise.sum()) / signal if signal else 0.0

    @property
    def channel_share(self) -> float:
        """Return the same of each channel, at most 1, in the mean: a large channel hides what the others lose."""
        heard = self.signal > 0
        return float(np.minimum(1.0, self.noise[heard] / self.signal[heard]).mean()) if heard.any() else 0.0

    @property
    def snr(self) -> float:
        """Return the signal to noise ratio in decibels."""
        if not self.noise.any():
            return PERFECT
        share = self.share
        return min(PERFECT, -10 * math.log10(share)) if share else 0.0
