"""Run a command to its end. Knows argv, streams, time limits and signals; nothing of models or engines."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Exit:
    """How a process ended. `status` is negative for a signal; `timed_out` and `out_of_memory` name who killed it."""

    status: int
    timed_out: bool = False
    out_of_memory: bool = False

    @property
    def cause(self) -> str:
        """Say in words how it ended: "segmentation fault (SIGSEGV)", "exit status 3"."""
        if self.out_of_memory:
            return "it ran out of memory and was killed"
        if self.timed_out:
            return "it ran out of time and was killed"
        number = -self.status if self.status < 0 else self.status - 128
        if self.status < 0 or self.status > 128:
            with suppress(ValueError):
                name = signal.Signals(number)
                return f"{(signal.strsignal(number) or 'signal').lower()} ({name.name})"
        return f"exit status {self.status}"


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    on_line: Callable[[str], None],
    timeout: float | None = None,
) -> Exit:
    """Run argv in a process group of its own; give each line of its stdout to on_line, send its stderr to log.

    timeout is in seconds. Whatever ends this call (an exception, Ctrl-C) also ends the whole group.
    """
    expired = threading.Event()
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            list(argv),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
            text=True,
            errors="replace",
            bufsize=1,
        )

        def expire() -> None:
            expired.set()
            _kill_group(process.pid)

        timer = threading.Timer(timeout, expire) if timeout is not None else None
        # A child that outlives the process would keep its stdout open, and this call waiting.
        reaper = threading.Thread(target=_reap, args=(process,), daemon=True)
        try:
            if timer:
                timer.start()
            reaper.start()
            assert process.stdout is not None
            for line in process.stdout:
                on_line(line.rstrip("\n"))
            status = process.wait()
        finally:
            if timer:
                timer.cancel()
            _kill_group(process.pid)
            process.wait()
    return Exit(status, timed_out=expired.is_set())


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
    text = log.read_text("utf-8", errors="replace").rstrip().splitlines()
    return "\n".join(text[-lines:]) or "(the log is empty)"
