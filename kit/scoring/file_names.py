"""Which name in a file of truth is that of the user's file: as given, from the truth's folder, or its last part."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from kit.build.truth import by_key
from kit.errors import RecipeError

Place = tuple[str, str]  # a folder, without symbolic links, and a name in it


@dataclass(frozen=True)
class Listing:
    """A file of truth that names files. known: the names, each once, as they are written there.

    entry: what has a name in it; column: where that is written; both for messages.
    """

    path: Path
    known: Sequence[str]
    entry: str
    column: str


def names_in(listing: Listing, files: Sequence[str]) -> tuple[str, ...]:
    """Return the name that the truth has for each file, as it is written there.

    A name is a path as the user gave it, one from the truth's folder, or a last part alone, in this order. Raises
    RecipeError for a file that has no name, or two of the same kind, and for a name that is two files'.
    """
    folders = _Folders()
    base = str(listing.path.resolve().parent)
    given_paths = _by_place(folders, listing.known, "")
    near_paths = _by_place(folders, listing.known, base)
    last_parts = by_key((name.strip(), name) for name in listing.known if "/" not in name)
    found = []
    for file in files:
        places = [folders.place(file), os.path.split(os.path.realpath(file))]
        matches = [paths.get(place, []) for place in places for paths in (given_paths, near_paths)]
        matches.append(last_parts.get(PurePath(file).name.strip(), []))
        found.append(_only(listing, file, next((names for names in matches if names), [])))
    for name, one, other in shared(found, files):
        raise RecipeError(
            f"--labels {listing.path}: the {listing.entry} of {name!r} fits two files, {one!r} and {other!r}",
            f"write one {listing.entry} for each of them, with the folder in {listing.column}",
        )
    return tuple(found)


def shared(names: Sequence[str], files: Sequence[str]) -> Iterable[tuple[str, str, str]]:
    """Yield each name that different files have, with two of them. A file may be given twice."""
    owners: dict[str, str] = {}
    for name, file in zip(names, files, strict=True):
        owner = owners.setdefault(name, file)
        if owner != file and os.path.realpath(owner) != os.path.realpath(file):
            yield name, owner, file


def _only(listing: Listing, file: str, names: Sequence[str]) -> str:
    """Return the one name that a file has. Raises RecipeError where there are none or several."""
    if not names:
        raise RecipeError(
            f"--labels {listing.path}: no {listing.entry} has the file {file!r}",
            f"write it into {listing.column}: as it is given, as a path from the folder of {listing.path.name}, "
            "or its last part alone",
        )
    if len(names) > 1:
        raise RecipeError(
            f"--labels {listing.path}: {names[0]!r} and {names[1]!r} are both the file {file!r}",
            f"leave one of these {listing.entry}s out",
        )
    return names[0]


class _Folders:
    """Folders without symbolic links, each looked up once."""

    def __init__(self) -> None:
        self._real: dict[str, str] = {}

    def place(self, name: str) -> Place:
        """Return where a file lies. Raises ValueError for what is no path: it holds a zero byte."""
        folder, last = os.path.split(name)
        if folder not in self._real:
            self._real[folder] = os.path.realpath(folder)
        return self._real[folder], last


def _by_place(folders: _Folders, known: Sequence[str], base: str) -> dict[Place, list[str]]:
    """Return names by where their files lie, as paths from a folder."""
    return by_key(pair for name in known for pair in _places(folders, name, base))


def _places(folders: _Folders, name: str, base: str) -> Iterable[tuple[Place, str]]:
    """Yield the places of a name, with and without blanks around it."""
    for written in {name, name.strip()}:
        try:
            yield folders.place(str(Path(base, written))), name
        except ValueError:
            continue
