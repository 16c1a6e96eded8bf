"""Read a .csv: samples as rows, inputs by the titles of the columns, as the .csv files of a recipe have them."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .errors import one_line, refused
from .files import Array, Arrays
from .signature import Signature
from .tensor import Tensor

TRUE, FALSE = ("1", "true", "True", "TRUE"), ("0", "false", "False", "FALSE")
Rows = list[list[str]]


def read_table(path: Path, signature: Signature) -> Arrays:
    """Return [N, *sample] of each input by name, of N rows: texts as str, pixels as uint8, other numbers as they are.

    A column's title is the input's name; of several values a sample its name with _0, _1 and so on. Other columns are
    left out. Without titles all columns are the one input's values, row by row. Raises EmulateError.
    """
    rows = _rows(path)
    titles = rows[0]
    columns = {name: _columns(path, titles, name) for name in signature.inputs}
    if not any(columns.values()) and len(columns) == 1 and all(map(_is_number, titles)):
        columns = {name: list(range(len(titles))) for name in columns}
        titles, rows = [], [titles, *rows[1:]]
    else:
        rows = rows[1:]
    if missing := [name for name, own in columns.items() if not own]:
        raise refused(path, f"its first row has no column {missing[0]!r}, nor {missing[0] + '_0'!r}")
    if not rows:
        raise refused(path, "it has titles and no rows")
    first = 2 if titles else 1
    return {
        name: _array(path, tensor, [[row[at] for at in columns[name]] for row in rows], first)
        for name, tensor in signature.inputs.items()
    }


def _rows(path: Path) -> Rows:
    """Return the rows of a file in UTF-8, at least one, all of one length. Raises EmulateError."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise refused(path, f"it is no .csv in UTF-8: {one_line(error)}") from error
    if not rows:
        raise refused(path, "it has no rows")
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise refused(path, f"row {number} has {len(row)} cells, and the first one {len(rows[0])}")
    return rows


def _columns(path: Path, titles: Sequence[str], name: str) -> list[int]:
    """Return which columns are an input's, in the order of its values. Raises EmulateError where one is missing."""
    if name in titles:
        return [titles.index(name)]
    parts = [title.rpartition("_") for title in titles]
    own = sorted((int(end), at) for at, (stem, _, end) in enumerate(parts) if stem == name and end.isdecimal())
    for place, (number, _) in enumerate(own, own[0][0] if own and own[0][0] == 1 else 0):
        if number != place:  # behind a hole all values would be those of the column before
            what = f"two columns {name}_{number}" if number < place else f"no column {name}_{place}"
            raise refused(path, f"its first row has {what}, and a column {name}_{own[-1][0]}")
    return [at for _, at in own]


def _array(path: Path, tensor: Tensor, cells: Rows, first: int) -> Array:
    """Return [N, *sample] of N rows of cells, as read_table has it: str, uint8, bool, int64 or float32.

    first: the number of the first row. Raises EmulateError.
    """
    if tensor.text is not None and len(cells[0]) == 1:
        return np.array([row[0] for row in cells])
    if tensor.dtype == "bool":
        values = [[_truth(path, cell, row) for cell in row_cells] for row, row_cells in enumerate(cells, first)]
        return _shaped(path, tensor, np.array(values))
    numbers = np.array([_numbers(path, row_cells, row) for row, row_cells in enumerate(cells, first)])
    if tensor.kind == "image":
        if not ((numbers >= 0) & (numbers <= 255) & (numbers == np.floor(numbers))).all():
            raise refused(path, f"{tensor.name} has values that are no pixels: whole numbers from 0 to 255")
        return _shaped(path, tensor, numbers.astype(np.uint8))
    whole = tensor.dtype.startswith(("int", "uint")) and tensor.scale is None
    if whole and not (numbers == np.floor(numbers)).all():
        raise refused(path, f"{tensor.name} has fractions, and the model takes {tensor.dtype} as it is")
    return _shaped(path, tensor, numbers.astype(np.int64 if whole else np.float32))


def _shaped(path: Path, tensor: Tensor, values: Array) -> Array:
    """Return [N, columns] of any dtype as [N, *sample]. Raises EmulateError where the columns are not as many."""
    if tensor.audio is not None:  # a sound of any length
        return values
    try:
        return values.reshape(len(values), *tensor.sample)
    except ValueError as error:
        what = f"{tensor.name} has {values.shape[1]} columns, and a sample is {list(tensor.sample)}"
        raise refused(path, what) from error


def _numbers(path: Path, cells: Sequence[str], row: int) -> list[float]:
    """Return a row's numbers. Raises EmulateError."""
    for cell in cells:
        if not _is_number(cell):
            raise refused(path, f"row {row}: {cell!r} is no number")
    return [float(cell) for cell in cells]


def _truth(path: Path, cell: str, row: int) -> bool:
    if cell not in (*TRUE, *FALSE):
        raise refused(path, f"row {row}: {cell!r} is neither true nor false")
    return cell in TRUE


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
