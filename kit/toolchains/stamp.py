"""Whether what was installed is still there as it was: a stamp of its files, in a file of its own. Installs nothing.

A check reads sizes and times alone; contents are read only where a time differs, as in a copied cache. Files that came
later, such as byte code, are no damage.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from kit.files import sha256_file, write_whole

STAMP = ".stamp"
_FORMAT = 1


def write_stamp(folder: Path) -> None:
    """Write down every file and link below a folder: size, time in ns, SHA-256. Raises OSError."""
    _write(folder, {name: [*_look(folder / name), _digest(folder / name)] for name in _names(folder)})


def _adopt(folder: Path) -> None:
    """Stamp a folder that an older dropkit made: without contents, for that is quick, and without byte code."""
    _write(folder, {name: [*_look(folder / name), ""] for name in _names(folder) if not name.endswith(".pyc")})


def _write(folder: Path, files: Mapping[str, list[int | str]]) -> None:
    write_whole(folder / STAMP, json.dumps({"format": _FORMAT, "files": files}).encode())


def damage(folder: Path) -> list[str]:
    """Return the files below a folder that are no longer as its stamp has them, by their path in it.

    A folder without a stamp is of an older dropkit: it is taken as it is and gets one.
    """
    try:
        stamp = json.loads((folder / STAMP).read_text("utf-8"))
        files = stamp["files"] if stamp["format"] == _FORMAT else {}
    except FileNotFoundError:
        with suppress(OSError):  # a cache that is read-only
            _adopt(folder)
        return []
    except (OSError, ValueError, KeyError, TypeError):
        return [STAMP]
    # Names as text: with a Path of each, a check of a toolchain's 16,000 files takes twice as long.
    place = f"{folder}/"
    return [name for name, (size, time, sha256) in files.items() if not _is_as(place + name, size, time, sha256)]


def sentence(what: str, faults: list[str]) -> str:
    """Return the one line that says what is made again, and why."""
    more = f" and {len(faults) - 1:,} more" if len(faults) > 1 else ""
    return f"made again, for its files in the cache were damaged: {what} ({faults[0]}{more})"


def _is_as(path: str, size: int, time: int, sha256: str) -> bool:
    try:
        found = _look(path)
        return found == (size, time) or (found[0] == size and sha256 in {"", _digest(Path(path))})
    except OSError:
        return False


def _look(path: str | Path) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_size, found.st_mtime_ns


def _digest(path: Path) -> str:
    if stat.S_ISLNK(path.lstat().st_mode):
        return hashlib.sha256(os.fsencode(path.readlink())).hexdigest()
    return sha256_file(path)


def _names(folder: Path) -> Iterator[str]:
    for root, folders, names in os.walk(folder):
        links = [name for name in folders if Path(root, name).is_symlink()]
        yield from (os.path.relpath(os.path.join(root, name), folder) for name in [*names, *links])  # noqa: PTH118
