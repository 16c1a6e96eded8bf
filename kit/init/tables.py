"""Data in one file: arrays of an .npz, columns of a .csv, lines of a .txt, named as the model names its inputs."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.bounded import read_bounded
from kit.build.box_readings import BEYOND
from kit.build.samples import read_arrays
from kit.errors import RecipeError
from kit.init.data import DataPlan, Write, _few
from kit.init.description import Tensor
from kit.init.guess_inputs import InputGuess
from kit.init.guess_outputs import OutputGuess
from kit.init.labels import Labels
from kit.init.split import FEWEST, split

if TYPE_CHECKING:
    import numpy as np

    Arrays = dict[str, np.ndarray]

MOST = 1 << 30  # bytes of a .csv or .txt
_TRUTH = ("y", "label", "labels", "target", "targets", "class", "classes", "y_test", "y_train")
_VALUES = ("x", "x_test", "x_train", "images", "data", "text", "texts", "input", "inputs")
_NAMES = "name the arrays by the model's inputs: "


def npz_arrays(path: Path) -> Arrays:
    """Return the arrays of an .npz in their own shapes and dtypes, none of another file. Raises RecipeError."""
    if path.suffix.lower() != ".npz":
        return {}
    return {name: array[:] for name, array in read_arrays(path, f"--data {path}").items()}


def plan_file(
    path: Path,
    arrays: Arrays,
    inputs: Sequence[InputGuess],
    outputs: Sequence[OutputGuess],
    known: Sequence[Labels],
) -> DataPlan:
    """Return what becomes of a file of data. arrays: what npz_arrays gives of it, [N, ...] in their own dtype.

    Raises RecipeError where it is no such data, or not of this model.
    """
    suffix = path.suffix.lower()
    if suffix == ".csv":
        arrays = _columns(path, inputs)
    elif suffix == ".txt" and [guess.kind for guess in inputs] == ["text"]:
        import numpy as np

        arrays = {inputs[0].tensor.name: np.array([line for line in _text(path).splitlines() if line.strip()])}
    elif suffix != ".npz":
        raise RecipeError(
            f"--data {path}: neither a folder nor a file of data that is known",
            "give a folder of images or .wav files, an .npz, a .csv, or a .txt with one text a line",
        )
    values, y, own = _named(path, arrays, inputs, outputs)
    counts = {len(array) for array in (*values.values(), *([] if y is None else [y]), *own.values())}
    if len(counts) != 1 or 0 in counts:
        raise RecipeError(
            f"--data {path}: its arrays have not the same number of samples, or none", "one row for each sample"
        )
    truth, labels, notes = _truth(y, outputs, known)
    normalization = _normalization(values, inputs)
    count = counts.pop()
    rows = list(range(count))
    calibration: list[int]
    if count < FEWEST:
        calibration, checks = [], rows
        notes = [*notes, _few(count)]
    else:
        contents = [b"".join(array[row].tobytes() for array in values.values()) for row in rows]
        classes = [0] * count if y is None or y.ndim != 1 or y.dtype.kind not in "iuUS" else y.tolist()
        calibration, checks = split(contents, classes)
    writes: dict[str, Write] = {
        "checks.npz": _saving({name: array[checks] for name, array in (values | truth | own).items()})
    }
    if calibration:
        writes["calibration.npz"] = _saving({name: array[calibration] for name, array in values.items()})
    return DataPlan(
        count,
        "calibration.npz" if calibration else None,
        "checks.npz",
        writes,
        labels,
        "y" in truth,
        tuple(name.removeprefix("y/") for name in (*truth, *own) if name != "y"),
        tuple(notes),
        normalization,
    )


def boxed_outputs(arrays: Arrays, outputs: Sequence[Tensor]) -> dict[str, str]:
    """Return the outputs whose truth is boxes, [N, most, 5] of any dtype, with their units as a recipe names them."""
    found = {tensor.name: arrays[f"y/{tensor.name}"] for tensor in outputs if f"y/{tensor.name}" in arrays}
    return {
        name: "pixels" if array[..., 1:].max(initial=0) > BEYOND else "normalized"
        for name, array in found.items()
        if array.ndim == 3 and array.shape[-1] == 5 and array.dtype.kind in "fiu"
    }


def _saving(arrays: Mapping[str, np.ndarray]) -> Write:
    """Return what writes an .npz. arrays: by name, [N, ...] in their own dtype."""

    def save(target: Path) -> None:
        import numpy as np

        with target.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    return save


def _text(path: Path) -> str:
    try:
        return read_bounded(path, MOST).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"--data {path}: cannot be read as text in UTF-8: {error}", "save it as UTF-8") from error


def _columns(path: Path, inputs: Sequence[InputGuess]) -> Arrays:
    """Return a .csv's columns as arrays by title: [N] of text, int64 or float32; one input's side by side, [N, ...]."""
    import numpy as np

    rows = [row for row in csv.reader(io.StringIO(_text(path))) if row]
    if len(rows) < 2 or len({len(row) for row in rows}) != 1:
        raise RecipeError(f"--data {path}: no table: a row of titles, and rows of as many values", "correct it")
    titles = [title.strip() for title in rows[0]]
    columns = {title: [row[i] for row in rows[1:]] for i, title in enumerate(titles)}
    found: Arrays = {}
    for guess in inputs:
        name = guess.tensor.name
        if name in columns:
            found[name] = _array(columns.pop(name), guess, path)
    if not found and len(inputs) == 1:
        truth = next((title for title in reversed(titles) if title.lower() in _TRUTH), None)
        names = [title for title in titles if title != truth]
        if inputs[0].kind == "text" and len(names) == 1:
            found[inputs[0].tensor.name] = np.array(columns.pop(names[0]))
        elif len(names) == int(np.prod(inputs[0].shape)):
            table = [_array(columns.pop(name), inputs[0], path) for name in names]
            found[inputs[0].tensor.name] = np.stack(table, 1).reshape(-1, *inputs[0].shape)
    for title, column in columns.items():
        if title.lower() in _TRUTH:
            found[title] = _numbers(column)
    return found


def _array(column: Sequence[str], guess: InputGuess, path: Path) -> np.ndarray:
    """Return a column as [N] of text, int32 or float32, as the input takes it. Raises RecipeError."""
    import numpy as np

    if guess.kind == "text":
        return np.array(column)
    whole = guess.keys.get("dtype") == "int32" or guess.tensor.dtype.startswith("int")
    try:
        return np.array([float(value) for value in column]).astype(np.int32 if whole else np.float32)
    except ValueError as error:
        raise RecipeError(
            f"--data {path}: '{guess.tensor.name}' takes numbers: {error}", "leave such rows out"
        ) from error


def _numbers(column: Sequence[str]) -> np.ndarray:
    """Return a column as [N] of int64, float32 or text, whichever holds all of it."""
    import numpy as np

    for kind in (np.int64, np.float32):
        try:
            return np.array(column).astype(kind)
        except ValueError:
            continue
    return np.array(column)


def _named(
    path: Path, arrays: Arrays, inputs: Sequence[InputGuess], outputs: Sequence[OutputGuess]
) -> tuple[Arrays, np.ndarray | None, Arrays]:
    """Return the inputs' arrays by name, y, and the truth of outputs by "y/<output>": [N, ...] in their own dtype."""
    names = [guess.tensor.name for guess in inputs]
    left = {name: array for name, array in arrays.items() if name not in names}
    values = {name: arrays[name] for name in names if name in arrays}
    if len(names) == 1 and not values:
        fit = [name for name in left if name.lower() in _VALUES] or [n for n in left if n.lower() not in _TRUTH]
        if fit:
            first = min(fit, key=lambda name: _VALUES.index(name.lower()) if name.lower() in _VALUES else 99)
            values = {names[0]: left.pop(first)}
    missing = [name for name in names if name not in values]
    if missing:
        raise RecipeError(
            f"--data {path}: nothing for the input '{missing[0]}'; it has {', '.join(arrays) or 'nothing'}",
            f"{_NAMES}{', '.join(names)}; and y for the true classes",
        )
    y = next((left[name] for word in _TRUTH for name in left if name.lower() == word and word != "y_train"), None)
    known = {f"y/{guess.tensor.name}" for guess in outputs}
    return values, y, {name: array for name, array in left.items() if name in known}


def _truth(
    y: np.ndarray | None, outputs: Sequence[OutputGuess], known: Sequence[Labels]
) -> tuple[Arrays, Labels | None, list[str]]:
    """Return y under the name by which a recipe takes it, the labels that it is written in, and what it is not.

    y: [N, ...] of any dtype.
    """
    if y is None:
        return {}, None, []
    owner = next((guess for guess in outputs if guess.classes is not None and guess.kind == "classes"), None)
    if owner is None:
        numbers = _numbers_of(y, outputs)
        return numbers, None, [] if numbers else ["y fits no output: it is left out"]
    return _classes(y, owner.classes or 0, known)


def _classes(y: np.ndarray, classes: int, known: Sequence[Labels]) -> tuple[Arrays, Labels | None, list[str]]:
    """Return class numbers, int64, out of y: numbers [N] or [N, 1], one-hot rows [N, classes], or labels [N]."""
    import numpy as np

    if y.dtype.kind in "US":
        texts = sorted(set(map(str, y.tolist())))
        own = next((each for each in known if len(each.texts) == classes and set(texts) <= set(each.texts)), None)
        labels = own or (Labels(tuple(texts), None, "the data's y") if len(texts) == classes else None)
        if labels is None:
            return {}, None, [f"y has {len(texts)} different texts for {classes} classes: it is left out"]
        return {"y": np.array([labels.texts.index(text) for text in y.tolist()])}, labels, []
    flat = y.reshape(len(y)) if y.shape == (len(y), 1) else y
    if flat.dtype.kind == "f" and np.array_equal(flat, np.round(flat)):
        flat = flat.astype(np.int64)
    if flat.dtype.kind in "iub" and (flat.ndim > 1 or (flat.min() >= 0 and flat.max() < classes)):
        return {"y": flat}, None, []
    return {}, None, [f"y has no class numbers from 0 to {classes - 1}: it is left out"]


def _numbers_of(y: np.ndarray, outputs: Sequence[OutputGuess]) -> Arrays:
    """Return y [N, ...] as the float32 truth of the first output whose shape it has: {} where there is none."""
    import numpy as np

    for guess in outputs:
        sizes = [size or 0 for size in guess.tensor.shape or ()]
        if guess.kind == "tensor" and y.dtype.kind in "fiu" and y.size == len(y) * int(np.prod(sizes)):
            return {f"y/{guess.tensor.name}": y.reshape(len(y), *sizes).astype(np.float32)}
    return {}


def _normalization(values: Mapping[str, np.ndarray], inputs: Sequence[InputGuess]) -> dict[str, str]:
    """Return how floats for an image [N, H, W, C], float32, are normalized, as far as their range shows it."""
    found = {}
    for guess in inputs:
        array: Any = values.get(guess.tensor.name)
        if guess.kind != "image" or array is None or array.dtype.kind != "f":
            continue
        low, high = float(array.min()), float(array.max())
        if low >= 0 and 0.5 < high <= 1:
            found[guess.tensor.name] = "0..1"
        elif -1 <= low < 0 and high <= 1:
            found[guess.tensor.name] = "-1..1"
        elif low >= 0 and 1 < high <= 255:
            found[guess.tensor.name] = "0..255"
    return found
