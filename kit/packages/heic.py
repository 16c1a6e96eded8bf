"""What reads HEIC images, as phones take them: one locked wheel, fetched for the first that is given.

Pillow has no decoder for them. The wheel has libheif, libde265 and x265, under licences of their own (LGPL, GPL).
"""

from __future__ import annotations

import platform
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from kit.files import cache_dir
from kit.packages.cached_folder import Content, Notify, ensure
from kit.toolchains.lockfile import read_lock
from kit.toolchains.wheels import fetch_wheels

LOCK = Path(__file__).with_name("pillow-heif.lock")
PART = "heic"  # of the cache
_SUFFIXES = (".heic", ".heif", ".hif")
_BYTES = 30_000_000


def heic_site(words: Sequence[str], notify: Notify) -> Path | None:
    """Return the folder of what reads HEIC for this Python, which runtimes have too; None where no word names an image.

    words: files, folders and patterns among other words of a command line. Raises EngineError where it cannot be had.
    """
    if not any(map(_names_heic, words)):
        return None
    lock, python = read_lock(LOCK), f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache_dir() / PART / f"pillow-heif-{lock.pins[0].version}-py{python}-{lock.sha256[:16]}"

    def fill(staging: Path) -> None:
        notify("fetching pillow-heif for HEIC images (6 MB, once)")
        for wheel in fetch_wheels(lock, python, platform.machine(), notify):
            with zipfile.ZipFile(wheel) as archive:  # its SHA-256 is the lock's
                archive.extractall(staging)

    ensure(folder, Content("what reads HEIC", _BYTES, fill), notify)
    return folder


def _names_heic(word: str) -> bool:
    return word.lower().endswith(_SUFFIXES) or any(name.lower().endswith(_SUFFIXES) for name in _inside(Path(word)))


def _inside(folder: Path) -> Iterator[str]:
    """Yield the names of a folder's files, none of what is no folder."""
    try:
        yield from (path.name for path in folder.iterdir())
    except OSError:
        return
