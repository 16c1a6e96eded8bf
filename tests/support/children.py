"""Processes that a test's own process started, found in /proc."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

_LOOK = 0.05  # seconds
_LONGEST = 60.0


def started(is_it: Callable[[list[bytes]], bool]) -> int:
    """Return the process id of the first child that is the one, by the words of its command, once it is there."""
    for _ in range(int(_LONGEST / _LOOK)):
        for entry in Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                parent = int((entry / "stat").read_text("ascii").rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
            # Only once it is the program itself: before, it is what ties it to this process.
            if parent == os.getpid() and is_it(words):
                return int(entry.name)
        time.sleep(_LOOK)
    raise AssertionError("no such process was started")
