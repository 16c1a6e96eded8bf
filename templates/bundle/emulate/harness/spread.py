"""Units of work on several processes, once they are worth it: what comes of them, in order, is the same as on one.

Each process takes every n-th unit of what is left. Linux alone has such processes.
"""

import contextlib
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START = 0.1  # seconds that a process costs, beside what its `load` takes
SOON = 0.2  # seconds of work that say how long the rest takes
WORTH = 4  # as many times its cost has to be left to do, for processes to be started

Made = dict[int, list[Any]]  # by a unit's number what came of it


@dataclass(frozen=True)
class Unit:
    """Something to do. run: gets what `load` gave; left: how many units come behind it, as far as is known."""

    run: Callable[[Any], list[Any]]
    left: int


@dataclass(frozen=True)
class Work:
    """What is to be done. units: begins anew at each call, and gives the same; own: what `load` gave this process.

    cost: seconds that `load` takes; may_split: whether units depend on none before; tell: takes how many are done and
    left.
    """

    units: Callable[[], Iterator[Unit]]
    own: Any
    load: Callable[[], Any]
    cost: float
    processes: int
    may_split: Callable[[], bool]
    tell: Callable[[int, int], None]


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(work: Work) -> list[Any]:
    """Return what comes of all units, in their order. Raises what a unit raises."""
    numbered, made = enumerate(work.units()), dict[int, list[Any]]()
    begin, most = time.perf_counter(), work.processes if sys.platform == "linux" else 1
    for number, unit in numbered:
        made[number] = unit.run(work.own)
        seconds = time.perf_counter() - begin
        work.tell(number + 1, unit.left)
        helpers = int(unit.left * seconds / (number + 1) / (WORTH * (work.cost + START)))
        if seconds > SOON and min(most - 1, helpers) > 0 and work.may_split():
            made |= _together(work, numbered, number + 1, min(most, helpers + 1))
    return [each for number in sorted(made) for each in made[number]]


def _together(work: Work, numbered: Iterator[tuple[int, Unit]], since: int, count: int) -> Made:
    """Return what comes of all units from number `since` on, made by so many processes."""
    import tempfile  # takes 5 ms

    children: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder, str(mine)) for mine in range(count)]
        try:
            children += [_start(work, numbered, (mine, count), places[mine]) for mine in range(1, count)]
            made = _part(work.own, numbered, (0, count), lambda done, left: work.tell(since + done * count, left))
            codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
            children.clear()
        finally:
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
        for mine, code in enumerate(codes, 1):
            if code:  # it is made here: this process fails in the same way, and says so in its own words
                again = ((number, unit) for number, unit in enumerate(work.units()) if number >= since)
                made |= _part(work.own, again, (mine, count), lambda *_: None)
            else:
                made |= pickle.loads(places[mine].read_bytes())  # noqa: S301 - of this program's own process
    return made


def _start(work: Work, numbered: Iterator[tuple[int, Unit]], share: tuple[int, int], place: Path) -> int:
    """Start a process that makes its share and writes what came of it; return its id."""
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    code = 1
    try:

        def alive(*_: int) -> None:
            """End with the process that reads this."""
            if os.getppid() != parent:
                raise ProcessLookupError

        place.write_bytes(pickle.dumps(_part(work.load(), numbered, share, alive)))
        code = 0
    finally:
        os._exit(code)


def _part(
    own: Any, numbered: Iterator[tuple[int, Unit]], share: tuple[int, int], tell: Callable[[int, int], None]
) -> Made:
    """Return what comes of each unit whose number is of this share: (which, of how many)."""
    made: Made = {}
    for number, unit in numbered:
        if number % share[1] == share[0]:
            made[number] = unit.run(own)
            tell(len(made), unit.left)
    return made
