"""What is true of the samples that a model is checked on, by output: arrays, COCO JSON, PNG masks, columns of .csv.

Reads files; whether it fits an output's shape and labels, kit.build.truth_fit says.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from kit.build.truth_table import TruthTable, identities_of, numbers_of, read_table, read_text
from kit.errors import RecipeError
from kit.recipe.labels import read_labels
from kit.recipe.output import Output
from kit.recipe.schema import Recipe

if TYPE_CHECKING:
    import numpy as np

Key = TypeVar("Key")
Value = TypeVar("Value")
PREFIX = "y/"  # of arrays in an .npz, before the output's name
_COCO = "give COCO's instances: images with id, file_name, width and height, annotations and categories"


@dataclass(frozen=True)
class TrueBoxes:
    """Of one sample: the frame's (width, height), and rows, float64 [n, 5]: class, left, top, right, bottom in it.

    crowd: bool [n], regions that count as neither right nor wrong.
    """

    size: tuple[int, int]
    rows: np.ndarray
    crowd: np.ndarray


@dataclass(frozen=True)
class OutputTruth:
    """What is true of one output, in one of three ways.

    values: classes, numbers, identities, masks or boxes as the data has them, [N, ...] in their own dtype. masks: a PNG
    file of each sample. boxes: those of each sample, from COCO JSON. where: file and key, for messages.
    """

    where: str
    values: np.ndarray | None = None
    masks: tuple[Path, ...] = ()
    boxes: tuple[TrueBoxes, ...] = ()

    def __len__(self) -> int:
        return len(self.masks or self.boxes or (() if self.values is None else self.values))

    def rows(self, count: int) -> OutputTruth:
        """Return what is true of the samples that were run: so many, the first ones, or all of them over and over.

        That is what a fixed batch makes of them (kit.shared.rows.whole_calls).
        """
        import numpy as np

        given = len(self)
        if count == given or not given:
            return self
        return self.take((np.arange(count) % given).tolist())

    def take(self, chosen: Sequence[int]) -> OutputTruth:
        """Return what is true of some samples."""
        return replace(
            self,
            values=None if self.values is None else self.values[list(chosen)],
            masks=tuple(self.masks[row] for row in chosen) if self.masks else (),
            boxes=tuple(self.boxes[row] for row in chosen) if self.boxes else (),
        )


@dataclass(frozen=True)
class TruthFile:
    """A file of truth and what it is of.

    where: for messages; labels: of the output; count: of samples; names: of their image files, () where they came
    otherwise; table: what is in it, of a .csv that was read before.
    """

    path: Path
    where: str
    output: Output
    labels: Sequence[str]
    count: int
    names: Sequence[str]
    table: TruthTable | None = None


NO_TRUTHS: Mapping[str, OutputTruth] = MappingProxyType({})


def owner_of_y(recipe: Recipe) -> str | None:
    """Return the output that y is of: the first of kind classes, else the first embedding, else None."""
    for kind in ("classes", "embedding"):
        for output in recipe.outputs:
            if output.kind == kind:
                return output.name
    return None


def split_truth(recipe: Recipe, arrays: dict[str, np.ndarray], where: str) -> dict[str, OutputTruth]:
    """Take the arrays y/<output> [N, ...], in their own dtype, out of a data file's, and return them by output.

    Raises RecipeError for an output that has no table; a signature of the model may be called y.
    """
    outputs = [output.name for output in recipe.outputs]
    names = [name for name in arrays if name.startswith(PREFIX) and "y" not in recipe.model.signatures]
    for name in names:
        if name.removeprefix(PREFIX) not in outputs:
            raise RecipeError(
                f"{where}: '{name}' is the truth of an output that has no [[outputs]] table",
                f"add one with that name; there is: {', '.join(outputs) or 'none'}",
            )
    return {name.removeprefix(PREFIX): OutputTruth(f"{where}: '{name}'", arrays.pop(name)) for name in names}


def read_truth(recipe: Recipe, count: int, names: Sequence[str]) -> dict[str, OutputTruth]:
    """Return what the files of [checks.truth] say, by output, in the order of the samples.

    count: of samples; names: of their image files, relative to the data's folder, () where they came otherwise.
    Raises RecipeError.
    """
    outputs = {output.name: output for output in recipe.outputs}
    found = {}
    for name, place in recipe.checks.truth.items():
        output, path = outputs[name], recipe.file(place)
        labels = read_labels(recipe.file(output.labels)) if output.labels else []
        found[name] = truth_of(TruthFile(path, f"{path}: [checks.truth] {name}", output, labels, count, names))
    return found


def truth_of(file: TruthFile) -> OutputTruth:
    """Return what a file says of an output, in the order of the samples. Raises RecipeError."""
    if file.output.kind == "boxes":
        return OutputTruth(file.where, boxes=_coco(file))
    if file.output.kind == "mask":
        return OutputTruth(file.where, masks=_masks(file.path, file.where, file.names))
    return OutputTruth(file.where, _column(file))


def _masks(path: Path, where: str, names: Sequence[str]) -> tuple[Path, ...]:
    """Return the mask of each image: the same path below this folder, with .png at its end."""
    if not path.is_dir() or not names:
        raise RecipeError(
            f"{where}: masks are a folder of PNG files for a folder of images",
            "give both as folders; or save the masks in the .npz, as y/ and the output's name",
        )
    files = tuple(path / PurePosixPath(name).with_suffix(".png") for name in names)
    missing = next((file for file in files if not file.is_file()), None)
    if missing is not None:
        raise RecipeError(f"{where}: there is no {missing.name} for the image of that name", "add that mask")
    return files


def _column(file: TruthFile) -> np.ndarray:
    """Return an output's columns of a .csv: int64 [N] classes or identities, or float64 [N] or [N, D] numbers."""
    output, where = file.output, file.where
    table = file.table or read_table(file.path, where, (output.name,))
    own = table.columns(output.name, where)
    if not own:
        raise RecipeError(
            f"{where}: its first row has no column '{output.name}'",
            "write the output's name into the first row; of several values a sample its name with _0, _1 and so on",
        )
    table.refuse_uneven(where)
    cells = [[row[place].strip() for place in own] for row in table.rows]
    cells = [cells[row] for row in _order(table, cells, file)]
    if output.kind == "embedding":
        return identities_of([row[0] for row in cells])
    labels = file.labels if output.kind == "classes" else ()
    values = numbers_of([cell for row in cells for cell in row], labels, where).reshape(len(cells), len(own))
    return values[:, 0] if len(own) == 1 else values


def _order(table: TruthTable, cells: Sequence[Sequence[str]], file: TruthFile) -> Sequence[int]:
    """Return the row of each sample: by the column `file`, else as they are.

    cells: what is true by row; rows of one file may say the same. Raises RecipeError.
    """
    names, count, where = file.names, file.count, file.where
    if "file" not in table.titles or not names:
        if len(cells) != count:
            raise RecipeError(
                f"{where}: {len(cells)} rows for {count} samples", "write one row a sample, in their order"
            )
        return range(count)
    rows = by_key((name, row) for row, cell in enumerate(table.files()) for name in {cell, _plain(cell)})
    for name in names:
        if name not in rows:
            raise RecipeError(
                f"{where}: no row has the file {name!r}",
                "write each image's path, relative to the folder of the data, into the column file",
            )
        first, *others = rows[name]
        strange = next((row for row in others if cells[row] != cells[first]), None)
        if strange is not None:
            raise RecipeError(
                f"{where}: the rows on line {table.lines[first]} and on line {table.lines[strange]} have the file "
                f"{name!r}, and not the same truth",
                "leave one of the rows out; of two files of that name, write the folders, too",
            )
    return [rows[name][0] for name in names]


def _plain(name: str) -> str:
    """Return a path below a folder without blanks around it and without what leads nowhere: ./a.png is a.png."""
    return posixpath.normpath(name.strip())


def by_key(pairs: Iterable[tuple[Key, Value]]) -> dict[Key, list[Value]]:
    """Return the values of each key, in their order."""
    found: dict[Key, list[Value]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def _coco(file: TruthFile) -> tuple[TrueBoxes, ...]:
    """Return the boxes of each sample of COCO's JSON. Raises RecipeError."""
    import numpy as np

    where = file.where
    try:
        raw = json.loads(read_text(file.path, where))
        files = {int(image["id"]): str(image.get("file_name", "")) for image in raw["images"]}
        sizes = {int(image["id"]): (int(image["width"]), int(image["height"])) for image in raw["images"]}
        classes = _categories(file, raw["categories"])
        boxes: dict[int, list[list[float]]] = {number: [] for number in files}
        for annotation in raw["annotations"]:
            number, category = int(annotation["image_id"]), int(annotation["category_id"])
            if number not in boxes or category not in classes:
                what = f"image_id {number}" if number not in boxes else f"category_id {category}"
                raise RecipeError(
                    f"{where}: an annotation has {what}, which is not listed", "list every image and category"
                )
            left, top, width, height = (float(value) for value in annotation["bbox"])
            crowd = float(bool(annotation.get("iscrowd", 0)))
            boxes[number].append([classes[category], left, top, left + width, top + height, crowd])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise no_coco(where, error) from error
    found = []
    for number in _images(files, file.count, file.names, where):
        rows = np.array(boxes[number], np.float64).reshape(-1, 6)
        if not np.isfinite(rows).all() or min(sizes[number]) < 1:
            raise RecipeError(f"{where}: image {number} has a size or a box that is none", _COCO)
        found.append(TrueBoxes(sizes[number], rows[:, :5], rows[:, 5] > 0))
    return tuple(found)


def no_coco(where: str, error: Exception) -> RecipeError:
    """Return what refuses a file that is no COCO JSON. error: what its reader met."""
    return RecipeError(f"{where}: it is no COCO JSON: {type(error).__name__}: {error}", _COCO)


def _categories(file: TruthFile, raw: Sequence[Any]) -> dict[int, int]:
    """Return the class of each category: by the name that is a label, without labels in the order of their ids."""
    named = {int(category["id"]): str(category.get("name", "")) for category in raw}
    if not file.labels:
        return {number: place for place, number in enumerate(sorted(named))}
    labels, where = file.labels, file.where
    strange = sorted(name for name in named.values() if name not in labels)
    if strange:
        raise RecipeError(
            f"{where}: the category {strange[0]!r} is no label",
            f"name the categories by the labels: {', '.join(labels[:10])}",
        )
    return {number: labels.index(name) for number, name in named.items()}


def _images(files: Mapping[int, str], count: int, names: Sequence[str], where: str) -> Sequence[int]:
    """Return the image's id of each sample: by its file, or by row where the data is no folder of images."""
    if names:
        by_name = by_key((file, number) for number, file in files.items())
        return [_image(by_name, name, where) for name in names]
    missing_row = next((row for row in range(count) if row not in files), None)
    if missing_row is None:
        return range(count)
    raise RecipeError(
        f"{where}: no image of it has the id {missing_row}",
        "number the images by their row in the .npz, from 0; or give the data as a folder of images",
    )


def _image(by_name: Mapping[str, Sequence[int]], name: str, where: str) -> int:
    """Return the one image's id of a file_name. Raises RecipeError where there are none or several."""
    found = by_name.get(name, ())
    if not found:
        raise RecipeError(
            f"{where}: no image of it has the file_name {name!r}",
            "list every image of the data, by its path relative to the folder",
        )
    if len(found) > 1:
        raise RecipeError(
            f"{where}: the images {found[0]} and {found[1]} of it have the file_name {name!r}",
            "leave one of the images out; of two files of that name, write the folders, too",
        )
    return found[0]
