"""The weights of a file, by name: values and statistics. Reads .keras, .h5, .npz and .tflite; runs nothing of them."""

from __future__ import annotations

import difflib
import fnmatch
import math
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.bounded import open_regular, open_zip
from kit.errors import ModelError, RecipeError
from kit.source_model.hdf5 import copy_arrays
from kit.tflite.reader import is_tflite, read_tflite

if TYPE_CHECKING:
    import numpy as np

    from kit.tflite.model import TfliteFile

FEW = 16  # values that are shown whole
MOST = 10_000  # values of one array in the JSON


@dataclass(frozen=True)
class Weight:
    """One array, with its statistics in real values; None where it has no values."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    zeros: float | None  # the share of exact zeros
    values: Any  # nested lists; None where there are more than MOST


def find_weights(path: Path, pattern: str, file: TfliteFile | None = None) -> list[Weight]:
    """Return the arrays whose names a pattern such as "head/*" fits, by name.

    file: what path holds, where that is a .tflite file; tensors without a name are called by their index: "#3".
    Raises RecipeError where it fits none, ModelError where the file cannot be read.
    """
    arrays = _read(path) if file is None else _of_tflite(file)
    names = sorted(name for name in arrays if fnmatch.fnmatchcase(name, pattern))
    if not names:
        near = difflib.get_close_matches(pattern, arrays, n=5, cutoff=0.2) or sorted(arrays)[:5]
        raise RecipeError(
            f"{path}: none of its {len(arrays)} arrays has a name like '{pattern}'",
            f"quote the pattern; there is, among others: {', '.join(near)}",
        )
    return [_weight(name, arrays[name]) for name in names]


def lines(weights: list[Weight]) -> Iterator[str]:
    """Yield what a user reads of them."""
    for each in weights:
        yield f"{each.name}  {each.dtype} {list(each.shape)}"
        if each.min is not None:
            spread = f"min {each.min:.6g}  max {each.max:.6g}  mean {each.mean:.6g}  std {each.std:.6g}"
            yield f"    {spread}  zeros {each.zeros:.1%}"
        if each.values is not None and math.prod(each.shape) <= FEW:
            yield f"    {each.values}"


def _weight(name: str, array: np.ndarray) -> Weight:
    """Return an array, of any shape and dtype of numbers, with its statistics."""
    import numpy as np

    values = array.tolist() if array.size <= MOST else None
    if not array.size:
        return Weight(name, array.shape, array.dtype.name, None, None, None, None, None, values)
    real = array.astype(np.float64)
    low, high, zeros = float(real.min()), float(real.max()), float(np.mean(real == 0))
    return Weight(name, array.shape, array.dtype.name, low, high, float(real.mean()), float(real.std()), zeros, values)


def _read(path: Path) -> Mapping[str, np.ndarray]:
    """Return a file's arrays by name, in their own shape and dtype. Raises ModelError where it cannot be read."""
    if path.is_dir():
        raise ModelError(
            f"{path}: a folder; the weights of a SavedModel cannot be read without TensorFlow",
            "`kit freeze RECIPE` writes them to weights.npz",
        )
    if is_tflite(path):
        return _of_tflite(read_tflite(path))
    try:
        with open_regular(path) as file:
            magic = file.read(4)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}", "check its path and its permissions") from error
    if magic == b"PK\x03\x04":
        return _from_zip(path)
    if magic == b"\x89HDF":
        return _from_hdf5(path, path)
    raise ModelError(f"{path}: no file of weights that is known", "name a .keras, .h5, .npz or .tflite file")


def _of_tflite(file: TfliteFile) -> dict[str, np.ndarray]:
    """Return the constants by name, in their own shape and dtype; but for sparse ones and types that numpy has not."""
    import numpy as np

    found = {}
    for number, graph in enumerate(file.subgraphs):
        for index, tensor in enumerate(graph.tensors):
            if tensor.sha256 is None or tensor.sparse:
                continue
            try:
                array = np.frombuffer(file.content(tensor), np.dtype(tensor.dtype)).reshape(tensor.shape)
            except (TypeError, ValueError):  # int4, strings: no array of numpy's
                continue
            found[tensor.name or f"{number or ''}#{index}"] = array
    return found


def _from_zip(path: Path) -> Mapping[str, np.ndarray]:
    """Read an .npz, or the weights inside a .keras: arrays by name, in their own shape and dtype."""
    import numpy as np

    try:
        with open_zip(path) as archive, tempfile.TemporaryDirectory() as folder:
            if "model.weights.h5" in archive.namelist():
                return _from_hdf5(Path(archive.extract("model.weights.h5", folder)), path)
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except ModelError:
        raise
    # Broken bytes make zipfile, its decoders and numpy raise BadZipFile, zlib.error, OSError and more.
    except Exception as error:
        raise ModelError(f"{path}: not a whole .keras or .npz file: {error}", "copy or save it again") from error


def _from_hdf5(path: Path, reported: Path) -> dict[str, np.ndarray]:
    """Return an HDF5 file's arrays by short name, in their own shape and dtype.

    reported: the file that an error names.
    """
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "arrays.npz"
        try:
            copy_arrays(path, copy)
        except ValueError as error:
            raise ModelError(f"{reported}: not a whole HDF5 file: {error}", "copy or save it again") from error
        with np.load(copy, allow_pickle=False) as file:
            return {_short(name): file[name] for name in file.files}


def _short(name: str) -> str:
    """Return a weight's path without what every one has: "digit/0" of Keras 3's "layers/digit/vars/0"."""
    return name.removeprefix("model_weights/").removeprefix("layers/").removesuffix(":0").replace("/vars/", "/")
