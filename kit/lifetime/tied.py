"""Commands that end with the process that started them, also where that is killed outright.

Run as a script: `tied.py PARENT SIGNAL COMMAND...` asks the kernel for that signal at its parent's death and becomes
the command. Imports nothing of the kit. In the child, not between fork and exec of a parent that may have threads; the
kernel counts the death of the thread that forked, which here always waits for the command.
Source of the call: PR_SET_PDEATHSIG(2const).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

_SET_PARENT_DEATH_SIGNAL = 1
_NOT_FOUND = 127


def tied(argv: Sequence[str], end: signal.Signals = signal.SIGKILL) -> list[str]:
    """Return the command that runs a command which gets a signal when this process dies. Linux alone has that."""
    if sys.platform != "linux":
        return list(argv)
    return [sys.executable, "-I", "-S", str(Path(__file__)), str(os.getpid()), str(int(end)), *argv]


def tie(parent: int, end: int) -> None:
    """Ask for a signal at the parent's death; send it where that has come already."""
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, end, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), end)


if __name__ == "__main__":
    tie(int(sys.argv[1]), int(sys.argv[2]))
    try:
        os.execvp(sys.argv[3], sys.argv[3:])  # noqa: S606 - that is what it is for
    except OSError as error:
        sys.stderr.write(f"{sys.argv[3]}: {error.strerror}\n")
        raise SystemExit(_NOT_FOUND) from None
