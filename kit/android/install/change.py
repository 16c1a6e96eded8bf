"""Change several files of a folder at once: all of them, or none. Knows no bundle."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from kit.lifetime.exchange import exchange
from kit.lifetime.scratch import partial_folder

Change = tuple[Path, bytes | None]  # a file and what it is to hold; None: it goes


def change_all(folder: Path, changes: Sequence[Change]) -> None:
    """Make the changes in their order. Where one of them cannot be made, all is as before; raises its OSError.

    What is new is first written to a folder of its own in `folder`: a full disk is met before anything is changed.
    Folders that are missing are made. A kill leaves the changes up to there.
    """
    with partial_folder(folder / "dropkit") as staging, ExitStack() as undo:
        for number, (_, data) in enumerate(changes):
            if data is not None:
                _write(staging / str(number), data)
        for number, (place, data) in enumerate(changes):
            if data is None:
                place.rename(staging / str(number))
                undo.callback(_back, staging / str(number), place)
            else:
                _make_folder(place.parent, undo)
                _put(staging / str(number), place, undo)
        undo.pop_all()


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _make_folder(folder: Path, undo: ExitStack) -> None:
    missing = [each for each in (folder, *folder.parents) if not each.is_dir()]
    for each in reversed(missing):
        each.mkdir()
        undo.callback(_remove_folder, each)


def _put(new: Path, place: Path, undo: ExitStack) -> None:
    """Let a new file take its place; the old one is where the new one was, or beside it."""
    old = new.with_name(f"{new.name}.old")
    if not os.path.lexists(place):
        new.rename(place)
        undo.callback(_back, place, new)
    elif exchange(new, place):
        undo.callback(_back, new, place)
    else:
        place.rename(old)
        undo.callback(_back, old, place)
        new.rename(place)


def _back(path: Path, place: Path) -> None:
    with suppress(OSError):
        path.replace(place)


def _remove_folder(folder: Path) -> None:
    with suppress(OSError):  # something else is in it by now
        folder.rmdir()
