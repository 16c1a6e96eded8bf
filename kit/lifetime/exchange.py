"""Exchange two paths in one step, where the system can. Source of the call: renameat2(2), RENAME_EXCHANGE."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
# For a C library without renameat2 (glibc before 2.28).
_NUMBERS = {"x86_64": 316, "aarch64": 276}


def exchange(one: Path, other: Path) -> bool:
    """Let two paths of one file system change places, with no moment in which either is missing.

    False where the system or this file system cannot: nothing is changed then.
    """
    if sys.platform != "linux":
        return False
    import ctypes
    import platform

    libc = ctypes.CDLL(None, use_errno=True)
    paths = (_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    if hasattr(libc, "renameat2"):
        return bool(libc.renameat2(*paths) == 0)
    number = _NUMBERS.get(platform.machine())
    return number is not None and bool(libc.syscall(number, *paths) == 0)
