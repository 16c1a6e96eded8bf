"""Run a tool of the proof to its end: its time is limited, and a busy machine's is not counted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence

from kit.lifetime.processes import stat_fields
from kit.lifetime.tied import tied

_USER, _SYSTEM = 11, 12  # of stat_fields: clock ticks
_LEAST = 0.01  # of a core: a tool that gets less of it in a whole limit waits for something else


def run_tool(
    argv: Sequence[str], limit: float, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Return how a tool ended, and what it printed. limit: seconds of CPU that it may take.

    Where it takes next to none for as many seconds of the clock, it hangs. Raises TimeoutExpired in both cases, and the
    tool is ended.
    """
    used = 0.0
    with subprocess.Popen(
        tied(argv), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", env=environment
    ) as process:
        while True:
            try:
                printed, said = process.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                now = _cpu(process.pid)
                if now < limit and now - used > _LEAST * limit:
                    used = now
                    continue
                process.kill()
                raise
            except BaseException:
                process.kill()
                raise
            return subprocess.CompletedProcess(argv, process.returncode, printed, said)


def _cpu(pid: int) -> float:
    """Return the seconds of CPU that a process has taken; infinity where the system does not say so."""
    try:
        fields = stat_fields(pid)
        return (int(fields[_USER]) + int(fields[_SYSTEM])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return float("inf")
