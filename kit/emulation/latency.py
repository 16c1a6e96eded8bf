"""How long calls of several model files take on one runtime: interleaved in one process, each beside the first.

What a desk measures is no phone's time: the ratio is a hint, and nothing may depend on it.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import comb
from pathlib import Path

from kit.bundle.latency import Latency
from kit.emulation.scripts import Scripts, last_line
from kit.files import json_text, temporary_folder
from kit.shared.values import from_json

_SCRIPT = Path(__file__).with_name("latency_script.py")


@dataclass(frozen=True)
class TimedFile:
    """A model file. vectors: an .npz with input/<name> of its signature; assign: the one that sets its variables."""

    model: str
    vectors: str
    signature: str
    assign: str = ""


@dataclass(frozen=True)
class Order:
    """Files to time. seconds: about so many for each; singly: each call alone, too."""

    files: tuple[TimedFile, ...]
    seconds: float
    threads: int = 1
    singly: bool = False


@dataclass(frozen=True)
class TimedCalls:
    """What came of one file. error: why it does not run, "" where it does; blocks: seconds a call, of each round.

    single: seconds of calls timed one by one: their median, 95th percentile and mean; empty where not asked for.
    """

    error: str = ""
    calls: int = 0  # in a block
    blocks: tuple[float, ...] = ()
    single: tuple[float, ...] = ()


def time_files(python: Path, order: Order) -> tuple[TimedCalls, ...]:
    """Time files on a runtime's Python; return what came of each.

    Where the process dies, every file has that as its error: which of them it was is not known.
    """
    with temporary_folder("dropkit-latency-") as folder:
        path = folder / "order.json"
        path.write_text(json_text(asdict(order)), "utf-8")
        done = Scripts().run(python, [_SCRIPT, path])
    if done.returncode:
        last = last_line(done.stderr)
        return tuple(TimedCalls(last or f"exit code {done.returncode}") for _ in order.files)
    return tuple(from_json(TimedCalls, file) for file in json.loads(done.stdout)["files"])


def latencies(names: Sequence[str], timed: Sequence[TimedCalls]) -> list[Latency | None]:
    """Return how long a call of each file takes beside one of the first; None where one of the two does not run."""
    first = timed[0]
    return [
        None if first.error or each.error else _beside(names[0], first.blocks, each.blocks) for each in timed
    ]  # fmt: skip


def _beside(of: str, first: Sequence[float], other: Sequence[float]) -> Latency:
    """Return a ratio, by the ratios of all rounds: what slows a round slows both."""
    ratios = sorted(b / a for a, b in zip(first, other, strict=True))
    at = interval_rank(len(ratios))
    low, high = ratios[at], ratios[-1 - at]
    return Latency(of, statistics.median(ratios), low, high, 1000 * statistics.median(other), len(ratios))


def interval_rank(count: int) -> int:
    """Return which of so many sorted values, from 0, is the lower end of the median's 95 % interval.

    The upper one is as far from the other end. No distribution is assumed: how many values lie below the median is
    binomial. Of fewer than 6 values there is no such interval: these are the lowest and the highest.
    Source: Conover, Practical Nonparametric Statistics, 3.2.
    """
    rank, below = 0, 1.0
    while 2 * (below + comb(count, rank + 1)) / 2**count <= 0.05:
        rank += 1
        below += comb(count, rank)
    return rank
