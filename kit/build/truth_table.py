"""A .csv of truth as titles and rows, and text as the numbers that it stands for. Knows no order of samples."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kit.bounded import read_bounded
from kit.errors import RecipeError

if TYPE_CHECKING:
    import numpy as np

MOST = 1 << 30  # bytes of a file


@dataclass(frozen=True)
class TruthTable:
    """What a .csv holds. titles: of its columns, without blanks around them; rows: their cells, as written.

    lines: on which line of the file each row begins, from 1.
    """

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    def columns(self, name: str, where: str) -> list[int]:
        """Return which columns an output has: that of its name, else those of name_0, name_1 and so on, by number.

        Raises RecipeError, which begins with where, for a number that is missing or there twice.
        """
        mine = [title for title in self.titles if title == name or is_numbered(title, name)]
        twice = next((title for title in mine if mine.count(title) > 1), None)
        if name in mine and twice is None:
            return [self.titles.index(name)]
        numbers = [int(title.rpartition("_")[2]) for title in mine if title != name]
        first = 1 if numbers and min(numbers) == 1 else 0
        missing = next((number for number in range(first, first + len(mine)) if number not in numbers), None)
        if twice is not None or missing is not None:  # behind a hole each value would be that of the column before
            what = f"no column {name}_{missing}" if twice is None else f"more than one column {twice}"
            raise RecipeError(
                f"{where}: its first row has {what}",
                "give each column of an output its own number, from 0 or from 1 on without a hole",
            )
        return [self.titles.index(title) for _, title in sorted(zip(numbers, mine, strict=True))]

    def files(self) -> list[str]:
        """Return the cells of the column `file`, as written; none where there is no such column."""
        at = self.titles.index("file") if "file" in self.titles else len(self.titles)
        return [row[at] for row in self.rows if len(row) > at]

    def refuse_uneven(self, where: str) -> None:
        """Raise RecipeError for a row of more or fewer cells than there are titles."""
        for row, line in zip(self.rows, self.lines, strict=True):
            if len(row) != len(self.titles):
                raise RecipeError(
                    f"{where}: the number of cells is {len(row)} in the row on line {line}, "
                    f"and {len(self.titles)} in the first row",
                    "write a cell for each title; a cell with a comma or a line break in it stands in double quotes",
                )


def is_numbered(title: str, name: str) -> bool:
    """Say whether a title is that of one of several values of an output: its name, _ and a number."""
    stem, _, number = title.rpartition("_")
    return stem == name and number.isdecimal()


def read_text(path: Path, where: str) -> str:
    """Return a file of text in UTF-8. Raises RecipeError, which begins with where."""
    try:
        return read_bounded(path, MOST).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{where}: it cannot be read: {error}", "give a .csv or .json file in UTF-8") from error


def read_table(path: Path, where: str, names: Collection[str]) -> TruthTable:
    """Return a .csv's titles and rows, without blank lines. Cells stand between commas; or between tabs or semicolons,
    where the first row has these and no comma.

    names: of outputs, which may have semicolons in them. Raises RecipeError, which begins with where.
    """
    text = read_text(path, where)
    first = next((line for line in io.StringIO(text, newline="") if line.strip()), "")
    between = "," if first.strip().strip('"') in names else next((each for each in ",\t;" if each in first), ",")
    # Behind "file, digit" a quote does not begin a cell, but for skipinitialspace.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=between, skipinitialspace=f"{between} " in first)
    read, line = [], 1
    try:
        for row in reader:
            if row and not (len(row) == 1 and row[0].isspace()):
                read.append((tuple(row), line))
            line = reader.line_num + 1
    except csv.Error as error:
        raise RecipeError(
            f"{where}: the row on line {line} cannot be read: {error}",
            "close each double quote; a cell has at most 131,072 characters",
        ) from error
    titles = tuple(title.strip() for title in read[0][0]) if read else ()
    return TruthTable(titles, tuple(row for row, _ in read[1:]), tuple(line for _, line in read[1:]))


def identities_of(cells: Sequence[str]) -> np.ndarray:
    """Return a number for each text, the same for the same text: int64 [N]."""
    import numpy as np

    return np.unique(np.array(cells, str), return_inverse=True)[1].astype(np.int64)


def numbers_of(cells: Sequence[str], labels: Sequence[str], where: str) -> np.ndarray:
    """Return the numbers that cells hold, float64 [N]; of a label its place. Raises RecipeError for another text."""
    import numpy as np

    places = {label: float(place) for place, label in reversed(list(enumerate(labels)))}
    try:
        return np.array([places[cell] if cell in places else float(cell) for cell in cells], np.float64)
    except ValueError as error:
        raise RecipeError(
            f"{where}: a cell is no number{' and no label' if labels else ''}: {error}",
            "write numbers with a decimal point; classes as numbers from 0, or as labels of the output's labels file",
        ) from error
