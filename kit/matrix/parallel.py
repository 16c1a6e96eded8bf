"""Run commands side by side, a few at a time. Knows processes, cores and memory; nothing of what the commands do.

Each command cleans up after itself when it gets SIGTERM: that is what an interrupt here sends on, and waits for.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kit.files import temporary_folder
from kit.lifetime.tied import tied

PATIENCE = 60.0  # seconds that an interrupted command may take to clean up
POLL = 0.05  # seconds


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status (negative for a signal), its streams, its wall time in seconds."""

    name: str
    status: int
    stdout: str
    stderr: str
    seconds: float


def run_all(commands: Mapping[str, Sequence[str]], jobs: int, on_end: Callable[[Ended], None]) -> dict[str, Ended]:
    """Run the commands by name, at most jobs at once, in their order; tell on_end of each when it has ended.

    Ctrl-C or SIGTERM ends every command that runs, waits until they have ended, and raises KeyboardInterrupt.
    """
    waiting = list(commands)
    running: dict[str, _Running] = {}
    ended: dict[str, Ended] = {}
    with temporary_folder("dropkit-parallel-") as folder, _ending(running), _listening() as heard:
        while waiting or running:
            if heard:
                raise KeyboardInterrupt
            while waiting and len(running) < jobs:
                name = waiting.pop(0)
                running[name] = _start(commands[name], folder / str(len(waiting)))
            time.sleep(POLL)
            for name in [name for name, each in running.items() if each.process.poll() is not None]:
                ended[name] = running[name].result(name)
                del running[name]
                on_end(ended[name])
    return {name: ended[name] for name in commands}


def default_jobs(each: int) -> int:
    """Return how many commands that take `each` bytes of memory this machine has the cores and the memory for."""
    return max(1, min(len(os.sched_getaffinity(0)), available_memory() // each))


def available_memory() -> int:
    """Return the bytes that new processes may use without swapping, as the kernel estimates it."""
    lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))


@dataclass
class _Running:
    process: subprocess.Popen[bytes]
    stdout: IO[bytes]
    stderr: IO[bytes]
    began: float

    def result(self, name: str) -> Ended:
        seconds = time.monotonic() - self.began
        return Ended(name, self.process.wait(), _text(self.stdout), _text(self.stderr), seconds)


def _start(argv: Sequence[str], folder: Path) -> _Running:
    folder.mkdir()
    stdout, stderr = ((folder / name).open("w+b") for name in ("stdout", "stderr"))
    # A session of its own: Ctrl-C reaches it once, from us, and never in the midst of cleaning up.
    process = subprocess.Popen(
        tied(argv, signal.SIGTERM), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True
    )
    return _Running(process, stdout, stderr, time.monotonic())


@contextmanager
def _listening() -> Iterator[list[int]]:
    """Give a list that signals are written to. An exception at any instruction could lose a command just started."""
    heard: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: heard.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _ending(running: Mapping[str, _Running]) -> Iterator[None]:
    try:
        yield
    finally:
        _end([each.process for each in running.values()])


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    limit = time.monotonic() + PATIENCE
    for process in processes:
        try:
            process.wait(max(0.0, limit - time.monotonic()))
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _text(file: IO[bytes]) -> str:
    with file:
        file.seek(0)
        return file.read().decode("utf-8", "replace")
