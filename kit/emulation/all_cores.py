"""Many calls of one function on all cores, the outputs of each put at their place in files, in any order.

Runs in the runtime's venv, in the script that imports it. Knows processes and arrays, no interpreter. The time that
calls take chooses how many processes there are, and nothing else: the outputs are the same.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from kit.lifetime.tied import tie

START = 0.1  # seconds that a process costs, beside what its `load` takes
WORTH = 4  # as many times that cost has to be left to do, for processes to be started
SOON = 0.02  # seconds of calls that say how long the rest takes
SHORT, LONG = 0.05, 0.2  # seconds: a process takes as many calls at a time as lie between these, and fewer at the end

Places = Mapping[str, np.ndarray]  # by name [calls, *shape of one call's output], of which all processes see each word


class Call(Protocol):
    """Makes one call."""

    def __call__(self, number: int, /) -> Mapping[str, np.ndarray]:
        """Return its outputs by name, of the same shape and dtype in every call."""


def _nobody(*_: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Work:
    """Calls 0 to count - 1, none of which changes another.

    load: makes a process ready to call; cost: seconds that it takes; processes: the most there may be, this one too;
    tell: takes how many calls are begun, how many there are, and by how many processes.
    """

    count: int
    load: Callable[[], Call]
    cost: float = 0.0
    processes: int = 1
    tell: Callable[[int, int, int], None] = _nobody


class Claims:
    """Which calls are taken, and by which process: in a file that all of them map, with a lock on it."""

    def __init__(self, file: BinaryIO, count: int, processes: int) -> None:
        self._file, self._count, self._processes = file, count, processes
        self._next = np.memmap(file, np.int64, "w+", shape=(1 + 2 * processes,))  # then begin and end of each one's

    def take(self, most: int, process: int) -> range:
        """Return the calls that this process is to make now, none where none is left.

        At most half of what each process has left to do: so that all of them end at about the same time.
        """
        fcntl.lockf(self._file, fcntl.LOCK_EX)  # of a process: its death unlocks it
        try:
            at = int(self._next[0])
            end = min(at + max(1, min(most, (self._count - at) // (2 * self._processes))), self._count)
            # This first: who is killed between the two leaves calls that are made twice, and none that is not made.
            self._next[1 + 2 * process : 3 + 2 * process] = at, end
            self._next[0] = end
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
        return range(at, end)

    def left(self, process: int) -> range:
        """Return the calls that a process took last."""
        return range(*map(int, self._next[1 + 2 * process : 3 + 2 * process]))


def run_calls(work: Work, call: Call, folder: Path) -> dict[str, np.ndarray]:
    """Make all calls; return what they give, mapped from files in folder.

    By name [calls, *shape of one call's output] in its dtype. call: of this process, ready. What it raises ends this,
    whichever process met it first.
    """
    first = call(0)
    places = {
        name: _place(folder / f"{number}.npy", (work.count, *array.shape), array.dtype)
        for number, (name, array) in enumerate(first.items())
    }
    _put(places, 0, first)
    with (folder / "claims").open("w+b") as file:
        claims = Claims(file, work.count, work.processes)
        claims.take(1, process=0)
        helpers: list[int] = []
        try:
            _lead(work, call, places, claims, helpers)
            ended = [os.waitstatus_to_exitcode(os.waitpid(helper, 0)[1]) for helper in helpers]
            helpers.clear()
        finally:
            for helper in helpers:
                with suppress(ProcessLookupError):
                    os.kill(helper, signal.SIGKILL)
    # What a process died or failed on is made here: this one fails in the same way, and says so in its own words.
    for process, code in enumerate(ended, 1):
        for number in claims.left(process) if code else ():
            _put(places, number, call(number))
    return dict(places)


def _lead(work: Work, call: Call, places: Places, claims: Claims, helpers: list[int]) -> None:
    """Make calls until none is left, and start processes once they are worth their cost.

    places: as Places says, in the shape and dtype of the outputs.
    """
    begin, cost = time.perf_counter(), work.cost + START

    def tell(done: int, total: int, _processes: int) -> None:
        """Start processes where what is left takes long enough, and say how far it is."""
        seconds = time.perf_counter() - begin
        if not helpers and seconds > SOON:
            left = (total - done) * seconds / max(done - 1, 1)
            wanted = min(work.processes - 1, int(left / (WORTH * cost)))
            helpers.extend(_help(work, places, claims, process) for process in range(1, wanted + 1))
        work.tell(done, total, 1 + len(helpers))

    _take_part(replace(work, tell=tell), call, places, claims, process=0)


def _help(work: Work, places: Places, claims: Claims, process: int) -> int:
    """Start a process that makes calls, too, until none is left; return its id.

    places: as Places says, in the shape and dtype of the outputs.
    """
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        tie(parent, signal.SIGKILL)
        _take_part(replace(work, tell=_nobody), work.load(), places, claims, process)
        code = 0
    finally:
        os._exit(code)


def _take_part(work: Work, call: Call, places: Places, claims: Claims, process: int) -> None:
    """Make calls until none is left: as many at a time as take a tenth of a second or so, and fewer at the end.

    places: as Places says, in the shape and dtype of the outputs.
    """
    step = 1
    while numbers := claims.take(step, process):
        begin = time.perf_counter()
        for number in numbers:
            _put(places, number, call(number))
        work.tell(numbers.stop, work.count, 1)
        seconds = time.perf_counter() - begin
        step = 2 * step if seconds < SHORT else max(1, step // 2) if seconds > LONG else step


def _put(places: Places, number: int, outputs: Mapping[str, np.ndarray]) -> None:
    """Put one call's outputs, of any shape and dtype, at their places. Raises ValueError for one of another shape."""
    for name, array in outputs.items():
        if array.shape != places[name].shape[1:]:
            raise ValueError(f"output '{name}' is {list(array.shape)}, and was {list(places[name].shape[1:])}")
        places[name][number] = array


def _place(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return an array of a shape and dtype in a new file that all processes share; one of no numbers needs none."""
    if 0 in shape:
        return np.zeros(shape, dtype)
    with path.open("wb") as file:
        # Not a file with holes: a full disk is an error here, and a fatal signal where a hole is written to.
        os.posix_fallocate(file.fileno(), 0, dtype.itemsize * int(np.prod(shape)))
    return np.memmap(path, dtype, "r+", shape=shape)
