"""How much room the parts of the cache take, and one sentence where there is not enough. Frees nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

from kit.errors import EngineError
from kit.files import cache_dir, is_full
from kit.lifetime.scratch import temporary_base

# Bytes on disk, about: a little more than the largest takes.
TOOLCHAIN_BYTES = 2_000_000_000
WHEELS_BYTES = 800_000_000
RUNTIME_BYTES = 500_000_000
KOTLIN_BYTES = 250_000_000
DRIVER_BYTES = 400_000_000
ARM64_BYTES = 300_000_000
MOVE = "free some space, or set DROPKIT_CACHE to a folder with more"


def free_bytes(place: Path) -> int:
    """Return the free bytes where a folder is, or would be."""
    there = next(folder for folder in (place, *place.parents) if folder.exists())
    return shutil.disk_usage(there).free


def need_space(place: Path, needed: int, what: str) -> None:
    """Raise EngineError where a folder has less free space, in bytes, than something needs."""
    free = free_bytes(place)
    if free < needed:
        raise EngineError(f"{place}: {free / 1e9:.2f} GB are free, and {what} needs about {needed / 1e9:.2f} GB", MOVE)


def full_error(what: str, said: str) -> EngineError | None:
    """Return the error of a program that ended on a full disk, by what it said; None where that is not the cause."""
    if "No space left" not in said and "Disk quota" not in said:
        return None
    temporary, cache = temporary_base(), cache_dir()
    full = [str(place) for place in (temporary, cache) if is_full(place)] or [f"{cache} or {temporary}"]
    return EngineError(
        f"{what} cannot be installed: the disk is full: {' and '.join(full)}",
        "free some space; DROPKIT_CACHE moves the cache, and TMPDIR the temporary folder",
    )
