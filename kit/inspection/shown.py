"""What `inspect` prints of a file and gives as JSON, and how its lines are laid out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kit.tflite.describe import columns

_KEY = 10  # characters of the longest key in front of a line


@dataclass(frozen=True)
class Shown:
    """A file's description: lines to read, and the same for a program."""

    lines: tuple[str, ...]
    document: dict[str, Any]  # what --json prints: the reader's own value, as JSON has it


def rows(pairs: Iterable[tuple[str, object]]) -> list[str]:
    """Return lines with a key in front of each."""
    return [f"{key:{_KEY}} {value}".rstrip() for key, value in pairs]


def table(title: str, head: Sequence[str], cells: Sequence[tuple[str, ...]]) -> list[str]:
    """Return a table behind an empty line, nothing for one without rows."""
    return ["", title, *columns([tuple(head), *cells])] if cells else []


def shape_text(shape: Sequence[int] | None) -> str:
    """Return a shape as a .tflite's tensors have it: "[-1,8,8,16]"; "?" where it is not known."""
    return "?" if shape is None else f"[{','.join(map(str, shape))}]"


def percent_of(part: int, whole: int) -> str:
    """Return a share: "12.3 %"; "" of nothing."""
    return f"{100 * part / whole:.1f} %" if whole and part else ""
