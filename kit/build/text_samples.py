"""Texts of a user's data: arrays of strings, lines of .txt files, columns of .csv files, and folders of files.

Makes ids of them where the model takes ids. What the data is for, and its classes by folders, samples.py knows.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kit.bounded import read_bounded
from kit.build.text_input import Texts
from kit.errors import RecipeError
from kit.recipe.labels import read_labels
from kit.recipe.schema import Recipe

if TYPE_CHECKING:
    import numpy as np

    Arrays = dict[str, np.ndarray]

FILES = (".txt", ".csv")
MOST = 1 << 30  # bytes of a file of texts
_UTF8 = "save it in UTF-8: one text a line in .txt, or .csv with the inputs' names in its first row"


def with_ids(arrays: Mapping[str, np.ndarray], texts: Texts, where: str) -> tuple[Arrays, Arrays]:
    """Return the arrays with ids [N, length] int64 in place of texts, and those texts by input name, str [N].

    arrays: by input name [N, ...]; texts are str or bytes of UTF-8 [N] or [N, 1], and ids of a user's own stay. Raises
    RecipeError for another shape, or bytes of another encoding.
    """
    import numpy as np

    made, said = dict(arrays), {}
    for name, tensor in texts.items():
        array = arrays.get(name)
        if array is None or array.dtype.kind not in "US":
            continue
        if array.ndim == 0 or array.size != len(array):
            raise RecipeError(
                f"{where}: '{name}' has the shape {list(array.shape)}, and one text a sample is needed",
                "save texts as an array [N]: numpy.array(list_of_texts)",
            )
        try:
            flat = array.reshape(-1) if array.dtype.kind == "U" else np.char.decode(array.reshape(-1), "utf-8")
        except UnicodeDecodeError as error:
            raise RecipeError(
                f"{where}: '{name}' holds bytes that are no UTF-8: {error}",
                "save texts as an array [N]: numpy.array(list_of_texts)",
            ) from error
        made[name], said[name] = tensor.ids(flat.tolist()), flat
    return made, said


def read_texts(recipe: Recipe, path: Path, where: str) -> tuple[Arrays, np.ndarray | None]:
    """Return the texts of a .txt or .csv file by input name, str [N], and the classes, int64 [N], where it has y.

    Raises RecipeError where it cannot be read, or where the recipe has other inputs than those of text.
    """
    import numpy as np

    content = _decoded(path, where)
    if path.suffix == ".txt":
        lines = content.removesuffix("\n").split("\n")
        return {
            _only(recipe, f"{path}: {where}"): np.array(_some(path, where, [line.rstrip("\r") for line in lines]))
        }, None
    rows = list(csv.reader(io.StringIO(content, newline="")))
    names = [tensor.name for tensor in recipe.inputs if tensor.kind == "text"]
    head = rows[0] if rows else []
    missing = [name for name in names if name not in head]
    if missing or not names or any(len(row) != len(head) for row in rows[1:]):
        what = f"its first row has no column '{missing[0]}'" if missing else "its rows differ in length"
        raise RecipeError(
            f"{path}: {where}: {what if names else 'no input is of kind text'}",
            f"write the inputs' names ({', '.join(names)}), and y for the true classes, into the first row",
        )
    columns = {name: [row[head.index(name)] for row in rows[1:]] for name in {*names, *({"y"} & set(head))}}
    y = columns.pop("y", None)
    arrays = {name: np.array(_some(path, where, columns[name])) for name in names}
    return arrays, None if y is None else _classes(recipe, path, where, y)


def read_files(recipe: Recipe, files: Sequence[Path], where: str) -> Arrays:
    """Return the texts of files, one each, by the name of the one input: [N] of dtype str. Raises RecipeError."""
    import numpy as np

    return {_only(recipe, where): np.array([_decoded(file, where) for file in files])}


def _only(recipe: Recipe, where: str) -> str:
    """Return the name of the one input, of kind text. Raises RecipeError where there are others."""
    if len(recipe.inputs) != 1 or recipe.inputs[0].kind != "text":
        raise RecipeError(
            f"{where}: files of text need exactly one input, of kind 'text'",
            "use .npz with one array for each input",
        )
    return recipe.inputs[0].name


def _decoded(path: Path, where: str) -> str:
    try:
        return read_bounded(path, MOST).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: {where}: no text can be read there: {error}", _UTF8) from error


def _some(path: Path, where: str, texts: list[str]) -> list[str]:
    if not any(texts):
        raise RecipeError(f"{path}: {where}: no texts", _UTF8)
    return texts


def _classes(recipe: Recipe, path: Path, where: str, column: Sequence[str]) -> np.ndarray:
    """Return the classes of a column y, int64 [N]: numbers, or labels of the recipe. Raises RecipeError."""
    import numpy as np

    files = [output.labels for output in recipe.outputs if output.kind == "classes" and output.labels]
    labels = read_labels(recipe.file(files[0])) if files else []
    numbers = {label: place for place, label in reversed(list(enumerate(labels)))}
    for line, word in enumerate(column):
        if word not in numbers and not word.isdecimal():
            raise RecipeError(
                f"{path}: {where}: y is {word!r} in row {line + 2}, which is no class number and no label",
                f"write class numbers from 0{', or labels: ' + ', '.join(labels[:10]) if labels else ''}",
            )
    return np.array([numbers[word] if word in numbers else int(word) for word in column], np.int64)
