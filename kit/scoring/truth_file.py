"""The truth of the user's files, by output: columns of a .csv, arrays of an .npz, COCO JSON, a folder of masks.

Which row is of which file, the column `file` says; without one, rows are in the order of the samples.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from kit.bounded import open_zip
from kit.build.truth import PREFIX, OutputTruth, TruthFile, no_coco, truth_of
from kit.build.truth_table import identities_of, is_numbered, numbers_of, read_table, read_text
from kit.errors import RecipeError
from kit.recipe.output import Output
from kit.scoring.file_names import Listing, names_in, shared
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
        return _arrays(path, where, run, outputs, labels)
    if path.suffix.lower() != ".csv":
        raise RecipeError(f"{where}: it is no truth that is known", _KINDS)
    table = read_table(path, where, [output.name for output in outputs])
    titles = {output.name: _title(output, table.titles, outputs) for output in outputs}
    if all(title is None for title in titles.values()):
        raise _none(where, outputs)
    table.refuse_uneven(where)
    named = Listing(path, tuple(dict.fromkeys(table.files())), "row", "the column file")
    names = _names(run, named) if named.known else _in_order(where, run)
    found = {}
    for output in outputs:
        if titles[output.name] is not None:
            columns = output.model_copy(update={"name": titles[output.name]})
            found[output.name] = truth_of(
                TruthFile(path, where, columns, labels.get(output.name, ()), run.count, names, table)
            )
    return found


def _of_kind(
    kind: str, path: Path, run: Run, outputs: Sequence[Output], labels: Mapping[str, Sequence[str]]
) -> dict[str, OutputTruth]:
    """Return the truth of the first output of a kind. Raises RecipeError where there is none."""
    where = f"--labels {path}"
    output = next((each for each in outputs if each.kind == kind), None)
    if output is None:
        what = "a folder is the truth of masks" if kind == "mask" else "JSON is the truth of boxes"
        raise RecipeError(f"{where}: {what}, and no output is of kind '{kind}'", _KINDS)
    names: tuple[str, ...] = ()
    if not run.images:
        _in_order(where, run)
    elif kind == "mask":
        names = _masks(run, path)
    else:
        names = _names(run, _listing_of_coco(path))
    return {output.name: truth_of(TruthFile(path, where, output, labels.get(output.name, ()), run.count, names))}


def _arrays(
    path: Path, where: str, run: Run, outputs: Sequence[Output], labels: Mapping[str, Sequence[str]]
) -> dict[str, OutputTruth]:
    """Return the arrays y and y/<output> of an .npz, [N, ...]: text as numbers, else in their own dtype."""
    arrays, owner = _read_npz(path, where), _owner(outputs)
    _in_order(where, run)
    found = {}
    for output in outputs:
        key = next((key for key in (f"{PREFIX}{output.name}", Y if output is owner else "") if key in arrays), None)
        if key is not None:
            place = f"{where}: '{key}'"
            found[output.name] = OutputTruth(place, _numeric(arrays[key], output, labels.get(output.name, ()), place))
    if not found:
        raise _none(where, outputs)
    return found


def _numeric(array: np.ndarray, output: Output, labels: Sequence[str], where: str) -> np.ndarray:
    """Return an array [N, ...] of numbers in its own dtype; of text, classes as float64 and identities as int64.

    Raises RecipeError for what is neither, such as complex numbers.
    """
    import numpy as np

    array = np.atleast_1d(array)
    if array.dtype.kind in "fiub":
        return array
    if array.dtype.kind == "U" and output.kind in {"classes", "embedding"}:
        texts = [text.strip() for text in array.ravel().tolist()]
        made = identities_of(texts) if output.kind == "embedding" else numbers_of(texts, labels, where)
        return made.reshape(array.shape)
    what = "text" if array.dtype.kind in "SU" else array.dtype.name
    raise RecipeError(
        f"{where} holds {what}, and the truth of '{output.name}' is real numbers",
        "save one sample a row as real numbers; labels of classes, and identities, may be text: numpy's type str",
    )


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


def _listing_of_coco(path: Path) -> Listing:
    """Return the names of the images of COCO's JSON. Raises RecipeError where it is none."""
    where = f"--labels {path}"
    try:
        raw: Any = json.loads(read_text(path, where))
        names = dict.fromkeys(str(image["file_name"]) for image in raw["images"] if "file_name" in image)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise no_coco(where, error) from error
    return Listing(path, tuple(names), "image", "file_name")


def _title(output: Output, head: Sequence[str], outputs: Sequence[Output]) -> str | None:
    """Return which title the columns of an output have, None where it has none."""
    if output.name in head or any(is_numbered(title, output.name) for title in head):
        return output.name
    return Y if Y in head and output is _owner(outputs) else None


def _owner(outputs: Sequence[Output]) -> Output | None:
    for kind in ("classes", "embedding"):
        for output in outputs:
            if output.kind == kind:
                return output
    return None


def _names(run: Run, listing: Listing) -> tuple[str, ...]:
    """Return the name of each sample's file in the truth. Raises what _refuse_several and names_in raise."""
    _refuse_several(run, listing.path)
    return names_in(listing, run.inputs)


def _masks(run: Run, folder: Path) -> tuple[str, ...]:
    """Return the last part of each sample's file, which its mask is named by.

    Raises RecipeError where files have the same mask, and what _refuse_several raises.
    """
    _refuse_several(run, folder)
    names = tuple(PurePath(given).name for given in run.inputs)
    for mask, one, other in shared([PurePath(name).with_suffix(".png").name for name in names], run.inputs):
        raise RecipeError(
            f"--labels {folder}: {mask} is the mask of two files, {one!r} and {other!r}",
            "run the files of each folder alone, with a folder of their masks",
        )
    return names


def _refuse_several(run: Run, path: Path) -> None:
    """Raise RecipeError where a file has several samples."""
    if not run.alone:
        raise RecipeError(
            f"--labels {path}: it names files, and one of them holds several samples",
            "leave the column file out, and write one row a sample, in their order",
        )


def _in_order(where: str, run: Run) -> tuple[str, ...]:
    """Return no names: rows are in the order of the samples. Raises RecipeError where some of these are missing."""
    if run.errors:
        raise RecipeError(
            f"{where}: it has truth in the order of the samples, and some files cannot be used",
            "leave those files out, or name each row's file in a column `file`",
        )
    return ()


def _none(where: str, outputs: Sequence[Output]) -> RecipeError:
    names = ", ".join(output.name for output in outputs)
    return RecipeError(
        f"{where}: it has the truth of no output of this model: {names}",
        "name a column as the output, or y; or an array y/ and the output's name",
    )
