"""A recipe as text: tables with keys, and a comment for what was guessed. Knows TOML's writing, nothing of models."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from kit.bounded import printable
from kit.recipe.toml_value import toml_value

_WIDTH = 110


@dataclass(frozen=True)
class Key:
    """A key of a table. note: stands behind it. off: it is written as a comment, to be turned on."""

    name: str
    value: Any  # text, a number, a bool, a list of them, or a table of text
    note: str = ""
    off: bool = False


@dataclass(frozen=True)
class Table:
    """A table: its heading, the lines of the comment above it, and its keys. off: all of it is a comment."""

    head: str  # "[model]", "[[inputs]]"
    comments: Sequence[str] = ()
    keys: Sequence[Key] = field(default_factory=tuple)
    off: bool = False


def recipe_text(comments: Iterable[str], tables: Iterable[Table]) -> str:
    """Return a recipe. Text from a model's file, in comments too, cannot begin a line of its own."""
    parts = ["\n".join(_comment(comments)), *("\n".join(_lines(table)) for table in tables)]
    return "\n\n".join(parts) + "\n"


def _lines(table: Table) -> Iterator[str]:
    yield from _comment(table.comments)
    mark = "# " if table.off else ""
    yield f"{mark}{table.head}"
    lines = [f"{'# ' if key.off and not table.off else mark}{key.name} = {toml_value(key.value)}" for key in table.keys]
    width = max((len(line) for line, key in zip(lines, table.keys, strict=True) if key.note), default=0)
    for line, key in zip(lines, table.keys, strict=True):
        yield f"{line:{min(width, 60)}}  # {_plain(key.note)}" if key.note else line


def _comment(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        wrapped = textwrap.wrap(_plain(line), _WIDTH, break_long_words=False, break_on_hyphens=False)
        yield from (f"# {part}" for part in wrapped)


def _plain(text: str) -> str:
    """Return text as one line that no TOML reader refuses in a comment."""
    return " ".join(printable(text).split()).encode("utf-8", "replace").decode()
