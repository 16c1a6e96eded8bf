"""What the kit has left on this machine, how large and how old, and its removal. Keeps what is a user's or in use."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from filelock import FileLock, Timeout

from kit.android.proof.run import PROOF
from kit.build.freeze import FROZEN
from kit.bundle.manifest import BUNDLE
from kit.bundle.whole import record_path
from kit.errors import OutputError, RecipeError
from kit.files import foreign_files
from kit.lifetime.locks import claimed
from kit.lifetime.scratch import REPLACED, is_partial, partial_folder, remove

Advance = Callable[[int, int], None]
_PRODUCTS = (BUNDLE, FROZEN, PROOF)
_WHOLE = ("debs", "logs", "images")  # parts of the cache that go at once
_BESIDE = re.compile(r"matrix\.html|refusal\.json|.+\.build\.json|.+\.predictions\.npz")


@dataclass(frozen=True)
class Entry:
    """One thing that can be removed. bytes on disk; changed in seconds since 1970."""

    name: str  # "venvs/tensorflow-2.19.1-0f4ad495ee6dbd5b-py3.11", "dist/digits"
    path: Path
    bytes: int
    changed: float

    @property
    def line(self) -> str:
        """Return its row: size, age, name. An age below 0 (a clock set back) is called 0."""
        days = max(0.0, (time.time() - self.changed) / 86400)
        return f"{self.bytes / 1e6:>10,.1f} MB {days:>6.0f} d  {self.name}"


def total_line(entries: Collection[Entry]) -> str:
    """Return how large things are together, in the column of their sizes."""
    return f"{sum(entry.bytes for entry in entries) / 1e6:>10,.1f} MB"


def find_entries(dist: Path, cache: Path, advance: Advance = lambda _done, _total: None) -> list[Entry]:
    """Return what is in an output folder and in the cache, sorted by name.

    advance: called with how many of how many are measured.
    """
    paths = {f"dist/{path.name}": path for path in _children(dist) if path.is_dir() and _products_in(path)}
    for part in _children(cache):
        if part.name in _WHOLE:
            paths[part.name] = part
        elif part.is_dir():
            paths |= {f"{part.name}/{path.name}": path for path in _children(part) if path.suffix != ".lock"}
    found = []
    for done, (name, path) in enumerate(sorted(paths.items())):
        advance(done, len(paths))
        found.append(Entry(name, path, _size(path), _changed(path)))
    return found


def choose(entries: Collection[Entry], wanted: Collection[str]) -> list[Entry]:
    """Return the entries of names: "venvs", "dist/digits", "tensorflow-2.12*", "all". Raises RecipeError for none."""
    chosen: dict[str, Entry] = {}
    for pattern in wanted:
        found = {entry.name: entry for entry in entries if _is_named(entry.name, pattern.rstrip("/"))}
        if not found:
            raise RecipeError(f"--remove {pattern!r} names nothing that is there", "`kit clean` lists what is there")
        chosen |= found
    return list(chosen.values())


def remove_entry(entry: Entry) -> str:
    """Remove an entry, as far as it is the kit's and nothing uses it; return the line that says what was done."""
    if entry.name.startswith("dist/"):
        kept = _remove_products(entry.path)
        return (
            f"removed {entry.name}" if not kept else f"left in {entry.name}, for no build wrote it: {', '.join(kept)}"
        )
    lock = FileLock(entry.path.with_name(f"{entry.path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return f"left {entry.name}: a run is making it"
    try:
        with claimed(entry.path) as free:
            if free or not entry.path.is_dir():
                remove(entry.path)
        return f"left {entry.name}: a run uses it" if entry.path.exists() else f"removed {entry.name}"
    finally:
        lock.release()


def _is_named(name: str, pattern: str) -> bool:
    return pattern == "all" or any(
        fnmatch(part, pattern) for part in (name, name.split("/", maxsplit=1)[0], name.rsplit("/", maxsplit=1)[-1])
    )


def _remove_products(folder: Path) -> list[str]:
    """Remove the kit's files from a folder of the output; return what is left, by its path in it."""
    for inner in _products_in(folder):
        for product in _PRODUCTS:
            with suppress(OutputError):  # a damaged one does not say what is its own: it stays
                foreign = {inner / name for name in foreign_files(inner, product)}
                if (inner / product.marker).exists() and (foreign or not _take_away(inner)):
                    _remove_all_but(inner, foreign)
        record_path(inner).unlink(missing_ok=True)
    for root, _, names in os.walk(folder, topdown=False):
        for name in names:
            if folder.name.endswith(".matrix") and _BESIDE.fullmatch(name):
                Path(root, name).unlink()
        with suppress(OSError):
            Path(root).rmdir()
    return _kept(folder)


def _kept(folder: Path) -> list[str]:
    """Return the files that no build wrote. What a build has put there meanwhile is whole, and its own."""
    there = {Path(root, name) for root, _, names in os.walk(folder) for name in names}
    for inner in _products_in(folder):
        for product in _PRODUCTS:
            with suppress(OutputError):
                if (inner / product.marker).exists():
                    foreign = {inner / name for name in foreign_files(inner, product)}
                    there = {path for path in there if path in foreign or inner not in path.parents}
    return sorted(path.relative_to(folder).as_posix() for path in there)


def _take_away(folder: Path) -> bool:
    """Remove a folder at once: of one that a build puts there meanwhile, no file must go. False: it cannot be moved."""
    with partial_folder(folder) as partial:
        try:
            folder.rename(partial / REPLACED)
        except OSError:
            return False
        return True


def _remove_all_but(folder: Path, kept: Collection[Path]) -> None:
    for root, folders, names in os.walk(folder, topdown=False):
        for path in (Path(root, name) for name in [*names, *folders]):
            if path.is_dir() and not path.is_symlink():
                with suppress(OSError):
                    path.rmdir()
            elif path not in kept:
                path.unlink()


def _products_in(folder: Path) -> list[Path]:
    """Return the folders with a product: the folder itself, or those of a matrix below it."""
    places = [folder, *folder.glob("*/*")] if folder.name.endswith(".matrix") else [folder]
    whole = [place for place in places if not is_partial(place)]
    return [place for place in whole if any((place / product.marker).is_file() for product in _PRODUCTS)]


def _children(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from sorted(folder.iterdir())


def _size(path: Path) -> int:
    if not path.is_dir():
        return path.lstat().st_size
    return sum(_stat(root, name) for root, _, names in os.walk(path) for name in names)


def _stat(root: str, name: str) -> int:
    with suppress(OSError):
        return Path(root, name).lstat().st_size
    return 0


def _changed(path: Path) -> float:
    with suppress(OSError):
        return path.lstat().st_mtime
    return 0.0
