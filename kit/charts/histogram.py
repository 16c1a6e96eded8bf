"""A histogram of errors on both sides of zero: how many values lie in each of some bins."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kit.charts.axis import Axis, Tick

WIDTH, HEIGHT, FOOT = 480, 130, 34  # in its own units; FOOT: below the bars
BINS = 31  # an odd number: the middle one is around zero


@dataclass(frozen=True)
class Bar:
    """One bin: its bar on the page, and what is said of it."""

    x: float
    y: float
    width: float
    height: float
    text: str


@dataclass(frozen=True)
class Histogram:
    """A whole chart, in its own units. unit: of the errors."""

    name: str
    unit: str
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT + FOOT
    foot: int = HEIGHT


def histogram(name: str, unit: str, counts: list[int], most: float) -> Histogram:
    """Return the chart of BINS counts between -most and most. The height is the logarithm of the count, plus one."""
    axis = Axis(-most, most, 12.0, WIDTH - 12.0)
    top = math.log1p(max(counts))
    wide = (axis.end - axis.start) / len(counts)
    bars = []
    for place, count in enumerate(counts):
        if not count:
            continue
        low = -most + 2 * most * place / len(counts)
        tall = (HEIGHT - 18) * math.log1p(count) / top
        ends = f"{low:.3g} to {low + 2 * most / len(counts):.3g}"
        text = f"{ends}: {count:,} {'value' if count == 1 else 'values'}"
        bars.append(Bar(axis.start + wide * place + 0.5, HEIGHT - tall, wide - 1, tall, text))
    return Histogram(name, unit, tuple(bars), axis.ticks())
