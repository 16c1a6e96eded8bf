"""An archive of a Java program's loaded classes (AppCDS), which the JVM maps: a compilation takes 3/5 of the time.

The JVM itself checks that an archive is of this JVM and of these jars, and goes on without it where it is not.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from kit.files import cache_dir

# No word of the archive's among the compiler's. A JVM that has no archives is not to stumble over the options.
_QUIET = ("-XX:+IgnoreUnrecognizedVMOptions", "-Xlog:disable", "-Xlog:all=error:stderr")


@contextmanager
def class_archive(java: Path, jars: Sequence[Path]) -> Iterator[list[str]]:
    """Give the JVM's options that use the archive. Where there is none, the program that runs within writes it.

    Keeps nothing of a program that failed. While another process writes the archive, this one does without.
    """
    archive = _place(java, jars)
    if archive.exists():
        yield [*_QUIET, f"-XX:SharedArchiveFile={archive}"]
        return
    archive.parent.mkdir(parents=True, exist_ok=True)
    lock, new = FileLock(archive.with_suffix(".lock")), archive.with_suffix(f".{os.getpid()}")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield []
        return
    try:
        yield [*_QUIET, f"-XX:ArchiveClassesAtExit={new}"]
        if new.exists():
            new.replace(archive)
    finally:
        new.unlink(missing_ok=True)
        lock.release()


def _place(java: Path, jars: Sequence[Path]) -> Path:
    """Return where the archive of one JVM and one class path lies."""
    real = java.resolve()
    release = real.parent.parent / "release"
    key = repr((str(real), release.read_bytes() if release.exists() else b"", [str(jar) for jar in jars]))
    return cache_dir() / "kotlin" / f"classes-{hashlib.sha256(key.encode()).hexdigest()[:16]}.jsa"
