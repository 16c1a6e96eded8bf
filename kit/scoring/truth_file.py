"""The truth of the user's files, by output: columns of a .csv, arrays of an .npz, COCO JSON, a folder of masks.

Which row is of which file, the column `file` says; without one, rows are in the order of the samples.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from kit.bounded import open_zip, read_bounded
from kit.build.truth import MOST, PREFIX, OutputTruth, TruthFile, truth_of
from kit.errors import RecipeError
from kit.recipe.output import Output
from kit.scoring.samples import Run

if TYPE_CHECKING:
    import numpy as np

Y = "y"  # the truth of the first output of classes, else of the first embedding
_KINDS = "give a .csv or an .npz, COCO JSON for boxes, or a folder of PNG files for masks"


def read_truths(
    path: Path, run: Run, outputs: Sequence[Output], labels: Mapping[str, Sequence[str]]
) -> dict[str, OutputTruth]:
    """Return what a file or a folder says of outputs, by output, in the order of the samples.

    labels: by output, of those that have any. Raises RecipeError.
    """
    where = f"--labels {path}"
    if path.is_dir():
        return _of_kind("mask", path, run, outputs, labels)
    if path.suffix.lower() == ".json":
        return _of_kind("boxes", path, run, outputs, labels)
    if path.suffix.lower() == ".npz":
        return _arrays(path, where, run, outputs)
    if path.suffix.lower() != ".csv":
        raise RecipeError(f"{where}: it is no truth that is known", _KINDS)
    found = {}
    head, named = _columns(path, where)
    for output in outputs:
        title = _title(output, head, outputs)
        if title is not None:
            names = _names(path, run, named) if named else _in_order(where, run)
            columns = output.model_copy(update={"name": title})
            found[output.name] = truth_of(
                TruthFile(path, where, columns, labels.get(output.name, ()), run.count, names)
            )
    return found or _none(where, outputs)


def _of_kind(
    kind: str, path: Path, run: Run, outputs: Sequence[Output], labels: Mapping[str, Sequence[str]]
) -> dict[str, OutputTruth]:
    """Return the truth of the first output of a kind. Raises RecipeError where there is none."""
    where = f"--labels {path}"
    output = next((each for each in outputs if each.kind == kind), None)
    if output is None:
        what = "a folder is the truth of masks" if kind == "mask" else "JSON is the truth of boxes"
        raise RecipeError(f"{where}: {what}, and no output is of kind '{kind}'", _KINDS)
    known = () if kind == "mask" else _files_of_coco(path)
    names = _names(path, run, known) if run.images else _in_order(where, run)
    return {output.name: truth_of(TruthFile(path, where, output, labels.get(output.name, ()), run.count, names))}


def _arrays(path: Path, where: str, run: Run, outputs: Sequence[Output]) -> dict[str, OutputTruth]:
    """Return the arrays y and y/<output> of an .npz, [N, ...] in their own dtype."""
    arrays, owner = _read_npz(path, where), _owner(outputs)
    _in_order(where, run)
    found = {}
    for output in outputs:
        key = next((key for key in (f"{PREFIX}{output.name}", Y if output is owner else "") if key in arrays), None)
        if key is not None:
            found[output.name] = OutputTruth(f"{where}: '{key}'", arrays[key])
    return found or _none(where, outputs)


def _read_npz(path: Path, where: str) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz in their own shape and dtype. Raises RecipeError where it is none."""
    import numpy as np

    try:
        open_zip(path).close()
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    # Broken bytes make zipfile, its decoders and numpy raise BadZipFile, zlib.error, OSError, MemoryError and more.
    except Exception as error:
        raise RecipeError(f"{where}: it is no whole .npz of plain arrays: {error}", _KINDS) from error


def _columns(path: Path, where: str) -> tuple[list[str], set[str]]:
    """Return the titles of a .csv, and what is in its column `file`. Raises RecipeError."""
    try:
        rows = list(csv.reader(read_bounded(path, MOST).decode("utf-8-sig").splitlines()))
    except (OSError, ValueError, csv.Error) as error:
        raise RecipeError(f"{where}: it cannot be read: {error}", "give a .csv or .json file in UTF-8") from error
    head = rows[0] if rows else []
    at = head.index("file") if "file" in head else None
    return head, {row[at] for row in rows[1:] if at is not None and len(row) > at}


def _files_of_coco(path: Path) -> set[str]:
    """Return the names of the images of COCO's JSON; none of what is none: whoever reads it says so."""
    try:
        raw: Any = json.loads(read_bounded(path, MOST))
        return {str(image["file_name"]) for image in raw["images"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()


def _title(output: Output, head: Sequence[str], outputs: Sequence[Output]) -> str | None:
    """Return which title the columns of an output have, None where it has none."""
    if output.name in head or any(title.rpartition("_")[0] == output.name for title in head):
        return output.name
    return Y if Y in head and output is _owner(outputs) else None


def _owner(outputs: Sequence[Output]) -> Output | None:
    for kind in ("classes", "embedding"):
        for output in outputs:
            if output.kind == kind:
                return output
    return None


def _names(path: Path, run: Run, known: Collection[str]) -> tuple[str, ...]:
    """Return the name of each sample's file in the truth: as it was given, from the truth's folder, or its last part.

    Raises RecipeError where a file has several samples.
    """
    if not run.alone:
        raise RecipeError(
            f"--labels {path}: it names files, and one of them holds several samples",
            "leave the column file out, and write one row a sample, in their order",
        )
    folder = path.resolve().parent

    def name(given: str) -> str:
        """Return the first of a file's names that is known."""
        full = Path(given).resolve()
        near = full.relative_to(folder).as_posix() if full.is_relative_to(folder) else given
        return next((each for each in (given, near) if each in known), PurePath(given).name)

    return tuple(name(given) for given in run.inputs)


def _in_order(where: str, run: Run) -> tuple[str, ...]:
    """Return no names: rows are in the order of the samples. Raises RecipeError where some of these are missing."""
    if run.errors:
        raise RecipeError(
            f"{where}: it has truth in the order of the samples, and some files cannot be used",
            "leave those files out, or name each row's file in a column `file`",
        )
    return ()


def _none(where: str, outputs: Sequence[Output]) -> dict[str, OutputTruth]:
    names = ", ".join(output.name for output in outputs)
    raise RecipeError(
        f"{where}: it has the truth of no output of this model: {names}",
        "name a column as the output, or y; or an array y/ and the output's name",
    )
