"""Times functions by turns in one process: blocks of calls, round by round, each round's order followed by its reverse.

So a machine that is busy for a while, or warms up, is so for all of them. Runs in the runtime's venv, in the scripts
that import it. Knows functions and clocks, no interpreter.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

BLOCK = 0.01  # seconds of a block at least: the clock's resolution and its own cost are far below
WARM = 0.05  # seconds of calls that are not measured, before all others
FEWEST, MOST = 6, 30  # rounds: of fewer, a median has no 95 % interval; of more, it becomes little narrower
_SEED = 20

Call = Callable[[], object]


@dataclass
class Timing:
    """What one function took. blocks: seconds a call, of each round; single: seconds of calls timed one by one."""

    calls: int  # in a block
    blocks: list[float] = field(default_factory=list)
    single: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Turn:
    """A function. before: what is done before each block of it, not timed."""

    call: Call
    before: Call = lambda: None


def time_by_turns(turns: Sequence[Turn], seconds: float, *, singly: bool = False) -> list[Timing]:
    """Time functions for about so many seconds each, and for FEWEST rounds at least. singly: and each call alone, too.

    What a function raises ends this.
    """
    once = [_warmed(turn) for turn in turns]
    timings = [Timing(max(1, round(BLOCK / took + 0.5))) for took in once]
    share = sum((timing.calls * (1 + singly) + 1) * took for timing, took in zip(timings, once, strict=True))
    rounds = max(FEWEST, min(MOST, int(seconds * len(turns) / share)))
    enabled = gc.isenabled()
    gc.disable()  # else the garbage of one is collected in the time of another
    try:
        for order in orders(len(turns), rounds):
            for place in order:
                _block(turns[place], timings[place], singly=singly)
    finally:
        if enabled:
            gc.enable()
    return timings


def orders(count: int, rounds: int) -> Iterator[list[int]]:
    """Yield an order of so many for each round: one that is drawn, the same each time, then its reverse."""
    rng = random.Random(_SEED)  # noqa: S311 - an order, no secret
    order = list(range(count))
    for number in range(rounds):
        if number % 2:
            order.reverse()
        else:
            rng.shuffle(order)
        yield list(order)


def _warmed(turn: Turn) -> float:
    """Call until it is warm; return the seconds of the fastest call."""
    fastest, begin = float("inf"), time.perf_counter()
    turn.before()
    while True:
        start = time.perf_counter()
        turn.call()
        end = time.perf_counter()
        fastest = min(fastest, max(end - start, 1e-7))
        if end - begin > WARM:
            return fastest


def _block(turn: Turn, timing: Timing, *, singly: bool) -> None:
    """Make a block of calls: the first is not timed, for another function had the caches."""
    call, clock = turn.call, time.perf_counter
    turn.before()
    call()
    begin = clock()
    for _ in range(timing.calls):
        call()
    timing.blocks.append((clock() - begin) / timing.calls)
    for _ in range(timing.calls if singly else 0):
        begin = clock()
        call()
        timing.single.append(clock() - begin)
