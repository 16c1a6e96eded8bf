"""Run a command and measure it: wall time, CPU time and peak anonymous memory of its whole process tree."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.lifetime.processes import stat_fields

_PARENT = 1  # of stat_fields
_EVERY = 0.05  # seconds between two looks at the memory


@dataclass(frozen=True)
class Spent:
    """What a command took, and printed. wall, cpu: seconds; memory: MB that no file backs, the most at one time.

    memory is 0 where nobody looked.
    """

    wall: float
    cpu: float
    memory: float
    status: int = 0
    printed: str = ""


def spend(
    argv: Sequence[str],
    env: Mapping[str, str] | None = None,
    *,
    ends: int = 0,
    cwd: Path | None = None,
    memory: bool = True,
) -> Spent:
    """Run a command that has to end with a status. Raises SystemExit where it ends with another one.

    memory: whether to look at it, which takes time of a core: not where a command needs all of them.
    """
    start = time.perf_counter()
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, cwd=cwd)
    peak, ended = [0], threading.Event()

    def look() -> None:
        while not ended.wait(_EVERY):
            peak[0] = max(peak[0], tree_memory(process.pid))

    watcher = threading.Thread(target=look)
    if not memory:
        ended.set()
    watcher.start()
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    ended.set()
    watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    text = printed.decode("utf-8", "replace")
    if process.returncode != ends:
        raise SystemExit(f"{' '.join(argv)} ends with {process.returncode}\n{text[-3000:]}")
    return Spent(wall, used.ru_utime + used.ru_stime, peak[0] / 1e6, process.returncode, text)


def tree_memory(root: int) -> int:
    """Return the bytes of anonymous memory of a process and all below it."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(stat_fields(int(entry.name))[_PARENT])
            except (OSError, IndexError):
                continue
    tree = {root}
    while more := {pid for pid, parent in parents.items() if parent in tree} - tree:
        tree |= more
    return sum(map(_anonymous, tree))


def _anonymous(pid: int) -> int:
    try:
        text = Path("/proc", str(pid), "status").read_text("utf-8")
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(("RssAnon", "RssShmem")))
