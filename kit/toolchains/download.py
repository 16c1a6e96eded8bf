"""An end to the patience with a network that gives nothing: for programs that download, and for our own. No formats."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from kit.lifetime.processes import stat_fields
from kit.lifetime.tied import tied

STALL = 300.0  # seconds
_SLOWEST = 1000  # bytes a second, over that time
_WORK = 20_000  # what a second of computing counts as in bytes: unpacking is no stall
_LOOK = 0.2  # seconds
_TRACEBACK = "Traceback (most recent call last)"
_NOISE = re.compile(
    r"\s*$|\s*WARNING|\[notice\]|\s*(note|hint): |npm warn|npm error A complete log"
    r"|npm error (network|404)( ?$|  |\s(This|In|If|Note|tarball) ?)"
)


class Pace:
    """Whether a download still moves. Time limits of sockets do not see one that gives a byte now and then."""

    def __init__(self) -> None:
        self._since, self._had = time.monotonic(), 0

    def is_stalled(self, had: int) -> bool:
        """Say whether too little has come for too long. had: bytes so far."""
        now = time.monotonic()
        if had - self._had >= _SLOWEST * STALL:
            self._since, self._had = now, had
        return now - self._since > STALL


def stalled_words() -> str:
    """Return what a message says of a download that does not move."""
    return f"hardly anything came for {STALL:.0f} s: given up"


def run_download(
    argv: Sequence[str], env: Mapping[str, str], cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program that downloads, to its end or until it stalls; the last line of its stderr says so then.

    The program must do its work in one process: only that is watched and ended.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with subprocess.Popen(tied(argv), env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err) as (
            process
        ):
            try:
                stalled = _watch(process)
            finally:
                process.kill()
        said = _text(err) + (f"\n{stalled_words()}" if stalled else "")
        return subprocess.CompletedProcess(argv, process.returncode, _text(out), said)


def complaint(said: str, most: int = 8) -> str:
    """Return what pip, uv or npm says of its failure, indented for a message: no warnings, traceback or log file."""
    lines = [line for line in said.splitlines() if not _NOISE.match(line)]
    if _TRACEBACK in said:  # its frames are indented, and its last line is what was raised
        lines = [line for line in lines if not line.startswith(" ")][-1:]
    return "".join(f"\n  {line}" for line in lines[-most:]) or "\n  it says nothing"


def _watch(process: subprocess.Popen[bytes]) -> bool:
    """Wait for a program's end; say whether it stalled."""
    pace = Pace()
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK)
            return False
        moved = _moved(process.pid)
        if moved is not None and pace.is_stalled(moved):
            return True


def _moved(pid: int) -> int | None:
    """Return the bytes that a process has written, its computing as bytes, too; None where the system does not say."""
    try:
        written = Path("/proc", str(pid), "io").read_text("ascii")
        counts = dict(line.split(": ") for line in written.splitlines())
        ticks = stat_fields(pid)[11:13]  # user and system time
        return int(counts["wchar"]) + sum(map(int, ticks)) * _WORK // os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, KeyError):
        return None


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")
