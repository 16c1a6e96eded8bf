"""Changes of a user's own build files: each is said in words before it is made, and made with a copy of the file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

BACKUP = "dropkit.backup"  # in the module; no source set has it


@dataclass(frozen=True)
class Edit:
    """Put `text` in the place of what is between two places of a file's text; at its end where there is no place."""

    text: str
    start: int | None = None
    end: int = 0


@dataclass(frozen=True)
class Need:
    """What a project lacks for its bundles: in which file, in words, and the edit that brings it where there is one."""

    file: Path
    words: str
    edit: Edit | None = None

    def __str__(self) -> str:
        return f"{self.file}: {self.words}"


def at_end(file: Path, line: str) -> Need:
    """Return the need of one line at the end of a file."""
    return Need(file, f"add at its end: {line}", Edit(line))


def exchanged(file: Path, text: str, place: tuple[int, int], new: str) -> Need:
    """Return the need of another text between two places of a file's text."""
    start, end = place
    before = text[text.rfind("\n", 0, start) + 1 : start].lstrip()
    after = text[end : _line_end(text, end)].rstrip()
    number = text.count("\n", 0, start) + 1
    words = f"in line {number}, for {before}{text[start:end]}{after} write: {before}{new}{after}"
    return Need(file, words, Edit(new, start, end))


def after_line(file: Path, text: str, place: int, line: str) -> Need:
    """Return the need of a line after the one at a place of a file's text, indented as that is."""
    start = text.rfind("\n", 0, place) + 1
    indent = text[start : start + len(text[start:]) - len(text[start:].lstrip(" \t"))]
    end = _line_end(text, place)
    number = text.count("\n", 0, place) + 1
    return Need(file, f"add after line {number}: {line}", Edit(f"\n{indent}{line}", end, end))


def edited(needs: Iterable[Need], root: Path) -> tuple[dict[Path, bytes], list[Need]]:
    """Return the new contents of files, and the needs that are left: those without an edit, or outside of root.

    Lines end as the file's own do. Files are those of `root` or below, no links.
    """
    by_file: dict[Path, list[Edit]] = {}
    left = []
    for need in needs:
        if need.edit is None or not _is_inside(need.file, root):
            left.append(need)
        elif need.edit not in by_file.setdefault(need.file, []):
            by_file[need.file].append(need.edit)
    return {file: _with(file, changes) for file, changes in by_file.items()}, left


def _with(file: Path, changes: Sequence[Edit]) -> bytes:
    """Return a file's content with changes in it. Their places are those of the text with its own line ends."""
    text = file.read_bytes().decode("utf-8") if file.is_file() else ""
    newline = "\r\n" if "\r\n" in text else "\n"
    placed = [(edit.start, edit) for edit in changes if edit.start is not None]
    for start, edit in sorted(placed, key=lambda pair: pair[0], reverse=True):
        text = text[:start] + edit.text.replace("\n", newline) + text[edit.end :]
    for edit in changes:
        if edit.start is None:
            text += ("" if not text or text.endswith("\n") else newline) + edit.text + newline
    return text.encode("utf-8")


def backup_of(module: Path) -> Path:
    """Return a folder for copies of the files that are changed, which is not there yet."""
    number = 1
    while os.path.lexists(module / BACKUP / str(number)):
        number += 1
    return module / BACKUP / str(number)


def copies(files: Iterable[Path], backup: Path, root: Path) -> list[tuple[Path, bytes]]:
    """Return the copies of the files that are there, by their place in the backup: as below root."""
    base = os.path.realpath(root)
    there = {os.path.relpath(os.path.realpath(file), base): file for file in files if file.is_file()}
    return [(backup / path, file.read_bytes()) for path, file in sorted(there.items())]


def _is_inside(file: Path, root: Path) -> bool:
    place, base = Path(os.path.realpath(file)), Path(os.path.realpath(root))
    try:
        if file.is_file():
            file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return place.is_relative_to(base) and not file.is_symlink()


def _line_end(text: str, place: int) -> int:
    end = text.find("\n", place)
    end = len(text) if end < 0 else end
    return end - 1 if end and text[end - 1 : end] == "\r" else end
