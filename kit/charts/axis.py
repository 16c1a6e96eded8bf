"""Axes: round numbers between two ends, and where a value is on the page."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Tick:
    """A line of an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Axis:
    """What the ends of an axis stand for, and where they are, in the chart's own units."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return where a value is; the end for one beyond it."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + (self.end - self.start) * share

    def ticks(self, unit: float = 1.0) -> tuple[Tick, ...]:
        """Return lines at round numbers, with what they stand for in multiples of unit."""
        return tuple(Tick(self.at(value), f"{value / unit:g}") for value in round_numbers(self.low, self.high))


def step_of(rough: float) -> float:
    """Return the least of 1, 2 and 5 times a power of 10 that is not below rough, a positive number."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)


def round_numbers(low: float, high: float) -> list[float]:
    """Return 3 to 8 round numbers between two ends."""
    step = step_of((high - low) / 5)
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 12) for n in range(first, math.floor(high / step + 1e-9) + 1)]
