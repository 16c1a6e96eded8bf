"""Run a command to its end. Knows argv, streams, time limits and signals; nothing of models or engines."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from kit.bounded import MOST_LINE, MOST_LOG

_LOOK = 0.5  # seconds


@dataclass(frozen=True)
class Exit:
    """How a process ended. `status` is negative for a signal; `timed_out` and `out_of_memory` name who killed it."""

    status: int
    timed_out: bool = False
    out_of_memory: bool = False
    too_large: bool = False

    @property
    def cause(self) -> str:
        """Say in words how it ended: "segmentation fault (SIGSEGV)", "exit status 3"."""
        if self.out_of_memory:
            return "it ran out of memory and was killed"
        if self.too_large:
            return "it wrote more than a job may, and was killed"
        if self.timed_out:
            return "it ran out of time and was killed"
        if name := self.signal:
            number = signal.Signals[name]
            return f"{(signal.strsignal(number) or 'signal').lower()} ({name})"
        return f"exit status {self.status}"

    @property
    def signal(self) -> str:
        """Return the name of the signal that ended it, as a shell or a container says it, too; "" for none."""
        if 0 <= self.status <= 128:
            return ""
        try:
            return signal.Signals(-self.status if self.status < 0 else self.status - 128).name
        except ValueError:
            return ""


@dataclass(frozen=True)
class Command:
    """What to run, with which environment, and where."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path


def run(
    command: Command,
    *,
    log: Path,
    on_line: Callable[[str], None],
    timeout: float | None = None,
    watch: Callable[[], bool] = lambda: False,
) -> Exit:
    """Run a command in a process group of its own; give each line of its stdout to on_line, send its stderr to log.

    timeout is in seconds; where watch says True, twice a second, the group is killed, too. Of the log and of each line
    a part is kept: kit.bounded says how much. Whatever ends this call (an exception, Ctrl-C) also ends the group.
    """
    with log.open("wb") as kept:
        process = _start(command)
        bounds = _Bounds(process.pid, timeout, watch)
        # A child that outlives the process would keep its stdout open, and this call waiting.
        reaper = threading.Thread(target=_reap, args=(process,), daemon=True)
        assert process.stdout is not None
        assert process.stderr is not None
        errors: BinaryIO = process.stderr.buffer  # type: ignore[attr-defined]
        logger = threading.Thread(target=_keep, args=(errors, kept), daemon=True)
        try:
            for thread in (bounds, reaper, logger):
                thread.start()
            while line := process.stdout.readline(MOST_LINE):
                on_line(line.rstrip("\n"))
            status = process.wait()
        finally:
            bounds.over.set()
            _kill_group(process.pid)
            process.wait()
            if logger.ident:
                logger.join(5)
            process.stdout.close()
    return Exit(status, timed_out=bounds.expired, too_large=bounds.too_large)


def _start(command: Command) -> subprocess.Popen[str]:
    return subprocess.Popen(
        list(command.argv),
        env=dict(command.env),
        cwd=command.cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
        errors="replace",
    )


class _Bounds(threading.Thread):
    """Kills a group when its time is up, or when `watch` says so. `over` ends it."""

    def __init__(self, group: int, timeout: float | None, watch: Callable[[], bool]) -> None:
        super().__init__(daemon=True)
        self.group, self.watch = group, watch
        self.until = None if timeout is None else time.monotonic() + timeout
        self.over = threading.Event()
        self.expired = self.too_large = False

    def run(self) -> None:
        """Look twice a second, and at the moment when the time is up."""
        while not self.over.wait(self._pause()):
            self.expired = self.until is not None and time.monotonic() >= self.until
            self.too_large = not self.expired and self.watch()
            if self.expired or self.too_large:
                _kill_group(self.group)
                return

    def _pause(self) -> float:
        return _LOOK if self.until is None else max(0.0, min(_LOOK, self.until - time.monotonic()))


def _keep(stream: BinaryIO, kept: BinaryIO) -> None:
    """Copy a stream to its end into a file, as much of it as a log may have."""
    left = MOST_LOG
    with suppress(ValueError, OSError):  # closed under it, or a full disk: a log is no result
        while chunk := stream.read1(1 << 16):  # type: ignore[attr-defined]
            kept.write(chunk[:left])
            left = max(0, left - len(chunk))


def _reap(process: subprocess.Popen[str]) -> None:
    process.wait()
    _kill_group(process.pid)


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log, or a word that it is empty."""
    if not log.exists():
        return "(no log)"
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - (1 << 16)))
        text = file.read().decode("utf-8", errors="replace").rstrip().splitlines()
    return "\n".join(text[-lines:]) or "(the log is empty)"
