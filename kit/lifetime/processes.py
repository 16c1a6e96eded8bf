"""What the system says of a process. Knows no signals and no locks."""

from __future__ import annotations

from pathlib import Path


def stat_fields(pid: int) -> list[str]:
    """Return what Linux says of a process from its state on: field 3 of proc_pid_stat(5) is the first here.

    The name before it may hold spaces and parentheses. Raises OSError where there is no such process, or no /proc.
    """
    return Path("/proc", str(pid), "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
