"""How long a call of one file takes beside another's, as one machine measured it: a hint, which decides nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Latency:
    """A measured ratio. of: the file that it is a ratio to; ratio: the median of all rounds' own; low, high: its 95 %
    interval; median_ms: of a call, in milliseconds."""

    of: str
    ratio: float
    low: float
    high: float
    median_ms: float
    rounds: int
