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
    with suppress(OSError):
        return _lock(path, shared=shared, wait=False)
    return None


def _lock(path: Path, *, shared: bool, wait: bool) -> int | None:
    """Lock as claim does; None where it is gone. Raises BlockingIOError where it is held, OSError without locks."""
    if fcntl is None:
        return None
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        # Between open and flock, whoever held it may have removed it, and another may be there now.
        if os.path.samestat(os.fstat(handle), os.lstat(path)):
            return handle
    except BaseException:
        os.close(handle)
        raise
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


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a folder for the block, waiting while another process holds it; without locks go on at once."""
    handle = None
    with suppress(OSError):
        handle = _lock(path, shared=False, wait=True)
    try:
        yield
    finally:
        release(handle)


def keep_shared(path: Path) -> bool:
    """Say until this process ends that it uses a folder: `clean` then leaves it. False while one removes it."""
    held = _kept.get(path)
    with suppress(OSError):
        if held is not None and os.path.samestat(os.fstat(held), os.lstat(path)):
            return True
    try:
        handle = _lock(path, shared=True, wait=False)
    except BlockingIOError:
        return False
    except OSError:  # it is not there, or there are no locks
        return True
    release(held)
    if handle is None:
        return False
    _kept[path] = handle
    return True


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
