"""Locks on files and folders that the system takes back when their process ends, however it ends. Knows no contents.

They are flock's, on the file or folder itself: no second file is left, and they hold across PID namespaces, where a
process id says nothing. A file system without flock gives no lock, and then nothing on it is ever taken to be dead.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: no kit runs there, but its modules are imported
    fcntl = None  # type: ignore[assignment]

_TRIES = 5
_kept: dict[Path, int] = {}  # by path, for as long as this process lives


def claim(path: Path, *, shared: bool = False) -> int | None:
    """Lock a file or folder and return the handle that holds the lock; closing it, or the process's end, frees it.

    None where another process holds it, where it is gone, or where the file system has no locks. Several processes may
    share a lock. A symbolic link is never followed.
    """
    if fcntl is None:
        return None
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with suppress(OSError):
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        # Between open and flock, whoever held it may have removed it, and another may be there now.
        if os.path.samestat(os.fstat(handle), os.lstat(path)):
            return handle
    os.close(handle)
    return None


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Hold a lock for the block; say whether it could be had."""
    handle = claim(path)
    try:
        yield handle is not None
    finally:
        release(handle)


def keep_shared(path: Path) -> None:
    """Say until this process ends that it uses a folder: `clean` then leaves it."""
    if path not in _kept and (handle := claim(path, shared=True)) is not None:
        _kept[path] = handle


def release(handle: int | None) -> None:
    """Free a lock."""
    if handle is not None:
        os.close(handle)


def new_folder(prefix: str, parent: Path) -> tuple[Path, int | None]:
    """Make a folder of a new name below parent, and lock it. Raises OSError where none can be made."""
    for _ in range(_TRIES):
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        if (handle := claim(path)) is not None:
            return path, handle
        # A sweep was between the two, and takes it for dead; or there are no locks here.
        with suppress(OSError):
            path.rmdir()
    return Path(tempfile.mkdtemp(prefix=prefix, dir=parent)), None


def new_file(prefix: str, parent: Path) -> tuple[Path, int]:
    """Make a file of a new name below parent, and lock it where that can be; return it open to write."""
    for attempt in range(_TRIES):
        handle, name = tempfile.mkstemp(prefix=prefix, dir=parent)
        try:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(handle), os.lstat(name)):
                return Path(name), handle
        except OSError:
            if attempt == _TRIES - 1 and os.path.lexists(name):
                return Path(name), handle
        os.close(handle)
        Path(name).unlink(missing_ok=True)
    raise OSError(f"{parent}: files there disappear as they are made")
