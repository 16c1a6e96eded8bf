"""Units of work on several processes, once they are worth it: what comes of them, in order, is the same as on one.

Each process takes the next unit that none has taken, until none is left. Linux alone has such processes.
"""

import contextlib
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

START = 0.1  # seconds that a process costs, beside what its `load` takes
SOON = 0.02  # seconds of work that say how long the rest takes
WORTH = 4  # as many times its cost has to be left to do, for processes to be started

Made = dict[int, list[Any]]  # by a unit's number what came of it


class Unit(NamedTuple):
    """Something to do. run: gets what `load` gave; left: how many calls come behind it, as far as is known."""

    run: Callable[[Any], list[Any]]
    left: int
    calls: int = 1  # that it makes


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


class Claims:
    """The number of the first unit that no process has taken: in a file that all of them have open."""

    def __init__(self, file: BinaryIO, first: int) -> None:
        self._file = file
        os.pwrite(file.fileno(), first.to_bytes(8, "little"), 0)

    def take(self) -> int:
        """Return the number of a unit that this process is to make."""
        import fcntl  # no other system than those with processes like these has it

        fcntl.lockf(self._file, fcntl.LOCK_EX)  # of a process: its death unlocks it
        try:
            number = int.from_bytes(os.pread(self._file.fileno(), 8, 0), "little")
            os.pwrite(self._file.fileno(), (number + 1).to_bytes(8, "little"), 0)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
        return number


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(work: Work) -> list[Any]:
    """Return what comes of all units, in their order. Raises what a unit raises."""
    numbered, made = enumerate(work.units()), dict[int, list[Any]]()
    begin, most = time.perf_counter(), work.processes if sys.platform == "linux" else 1
    done = 0
    for number, unit in numbered:
        made[number] = unit.run(work.own)
        done += unit.calls
        seconds = time.perf_counter() - begin
        work.tell(done, unit.left)
        helpers = int(unit.left * seconds / done / (WORTH * (work.cost + START)))
        if seconds > SOON and min(most - 1, helpers) > 0 and work.may_split():
            made |= _together(replace(work, processes=min(most, helpers + 1)), numbered, number + 1, done)
    return [each for number in sorted(made) for each in made[number]]


def _together(work: Work, numbered: Iterator[tuple[int, Unit]], since: int, done: int) -> Made:
    """Return what comes of all units from number `since` on, made by so many processes. done: calls before."""
    import tempfile  # takes 5 ms

    children: list[int] = []
    with tempfile.TemporaryDirectory() as folder, Path(folder, "next").open("w+b") as file:
        claims = Claims(file, since)
        places = [Path(folder, str(mine)) for mine in range(1, work.processes)]
        try:
            children += [_start(work, numbered, claims, place) for place in places]
            made = _part(work.own, numbered, claims, lambda begun, left: work.tell(done + begun, left))
            codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
            children.clear()
        finally:
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
        for place, code in zip(places, codes, strict=True):
            made |= {} if code else pickle.loads(place.read_bytes())  # noqa: S301 - of this program's own process
        if any(codes):  # made here what is missing: this process fails in the same way, and says so in its own words
            again = enumerate(work.units())
            made |= {number: unit.run(work.own) for number, unit in again if number >= since and number not in made}
    return made


def _start(work: Work, numbered: Iterator[tuple[int, Unit]], claims: Claims, place: Path) -> int:
    """Start a process that makes units and writes what came of them; return its id."""
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

        place.write_bytes(pickle.dumps(_part(work.load(), numbered, claims, alive)))
        code = 0
    finally:
        os._exit(code)


def _part(own: Any, numbered: Iterator[tuple[int, Unit]], claims: Claims, tell: Callable[[int, int], None]) -> Made:
    """Return what comes of each unit that no other process takes."""
    made: Made = {}
    mine, begun = claims.take(), 0
    for number, unit in numbered:
        begun += unit.calls
        if number == mine:
            made[number] = unit.run(own)
            tell(begun, unit.left)
            mine = claims.take()
    return made
