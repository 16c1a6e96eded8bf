"""One folder for all temporary files of a run, and the sweep of what dead runs left. Knows no commands and no engine.

The folder is `dropkit-run-*` in the temporary folder ($TMPDIR), locked while its run lives. In it lies a journal of the
places where the run made files beside their target, so that the next run of any command finds those, too.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kit.lifetime.locks import claimed, new_folder, release

PREFIX = "dropkit-run-"
REPLACED = ".replaced"  # in a partial folder: what stepped aside, where two paths cannot be exchanged
_PARTIAL = re.compile(r"\.(?P<target>.+)\.partial-[a-z0-9_]{8}")
_PLACES, _CONTAINERS = "places", "containers"
_current: list[Path] = []  # this process's run folder


@contextmanager
def run_folder() -> Iterator[bool]:
    """Put every temporary file of this process and of its children into one folder, which is gone after the block.

    First sweeps what dead runs left, and says whether one of them had started a container. Where no folder can be made,
    temporary files go where they would anyway.
    """
    if _current:
        yield False
        return
    base, before = temporary_base(), os.environ.get("TMPDIR")
    started = sweep_runs(base)
    try:
        folder, handle = new_folder(PREFIX, base)
    except OSError:
        yield started
        return
    _current.append(folder)
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    try:
        yield started
    finally:
        _current.clear()
        tempfile.tempdir = None
        os.environ.pop("TMPDIR")
        if before is not None:
            os.environ["TMPDIR"] = before
        _clear(folder)
        release(handle)


def _clear(folder: Path) -> None:
    """Remove a run's folder, and what an interrupt kept it from removing elsewhere.

    Where something of it is still there, a container or a folder beside its target, the journal stays for the next run.
    """
    places = _places(folder)
    for place in places:
        sweep_partials(place)
    journal = {_CONTAINERS} if (folder / _CONTAINERS).exists() else set()
    if any(map(_is_left, places)):
        journal.add(_PLACES)
    if not journal:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.iterdir():
        if path.name not in journal:
            remove(path)


def temporary_base() -> Path:
    """Return the user's temporary folder. Inside a run that is the one around the run's own."""
    try:
        base = Path(tempfile.gettempdir())
    except OSError:  # none can be written, the working folder included
        base = Path(os.environ.get("TMPDIR", "/tmp"))  # noqa: S108 - to name it
    while base.name.startswith(PREFIX):
        base = base.parent
    return base


def note_place(folder: Path) -> None:
    """Write into the journal that this run makes files below folder that a sweep must find."""
    line = json.dumps(str(folder.resolve())) + "\n"
    for run in _current:
        with suppress(OSError):
            journal = run / _PLACES
            if not journal.exists() or line not in journal.read_text("utf-8"):
                with journal.open("a", encoding="utf-8") as file:
                    file.write(line)


def note_container() -> None:
    """Write into the journal that this run starts a container."""
    for run in _current:
        with suppress(OSError):
            (run / _CONTAINERS).touch()


def note_no_container() -> None:
    """Write into the journal that the run's container is removed."""
    for run in _current:
        with suppress(OSError):
            (run / _CONTAINERS).unlink(missing_ok=True)


def sweep_runs(base: Path) -> bool:
    """Remove the folders of dead runs of this user, and what those left elsewhere; say whether one had a container."""
    started = False
    with suppress(OSError):
        for path in [Path(entry.path) for entry in os.scandir(base) if _is_ours(entry)]:
            with claimed(path) as dead:
                if dead:
                    for place in _places(path):
                        sweep_partials(place)
                    started |= (path / _CONTAINERS).exists()
                    shutil.rmtree(path, ignore_errors=True)
    return started


def sweep_partials(folder: Path) -> None:
    """Remove what a dead run left half-made beside its target; what had stepped aside takes its place again."""
    for path in _partials(folder):
        with suppress(OSError), claimed(path) as dead:
            if dead:
                _put_back(path)
                remove(path)


def _partials(folder: Path) -> list[Path]:
    """Return what runs have half-made in a folder, beside their targets."""
    with suppress(OSError):
        return [Path(entry.path) for entry in os.scandir(folder) if _PARTIAL.fullmatch(entry.name)]
    return []


def _is_left(folder: Path) -> bool:
    """Say whether a folder has anything half-made that no live run is at."""
    for path in _partials(folder):
        with suppress(OSError), claimed(path) as dead:
            if dead:
                return True
    return False


@contextmanager
def partial_folder(target: Path) -> Iterator[Path]:
    """Give a new folder beside target, on the same disk, which is gone after the block; after a kill by the next run.

    Raises OSError where none can be made.
    """
    note_place(target.parent)
    folder, handle = new_folder(f".{target.name}.partial-", target.parent)
    try:
        yield folder
    finally:
        try:
            remove(folder)
        finally:  # an interrupt may come while it is removed
            release(handle)


def is_partial(path: Path) -> bool:
    """Say whether a path is one of those that runs make beside their targets: it is a live run's, or the sweep's."""
    return _PARTIAL.fullmatch(path.name) is not None


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, as far as it can be."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _put_back(partial: Path) -> None:
    found = _PARTIAL.fullmatch(partial.name)
    if found and (partial / REPLACED).exists() and not os.path.lexists(partial.with_name(found["target"])):
        (partial / REPLACED).rename(partial.with_name(found["target"]))


def _is_ours(entry: os.DirEntry[str]) -> bool:
    return (
        entry.name.startswith(PREFIX)
        and entry.is_dir(follow_symlinks=False)
        and entry.stat(follow_symlinks=False).st_uid == os.getuid()
    )


def _places(run: Path) -> list[Path]:
    with suppress(OSError, ValueError):
        lines = (run / _PLACES).read_text("utf-8").splitlines()
        return [Path(json.loads(line)) for line in lines if line.endswith('"')]
    return []
