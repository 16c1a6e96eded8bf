"""A user's data as arrays by input name, as it was given: from .npz, or folders of images; of text and sound, what the
model takes of it.

Knows the recipe's normalization and what can be wrong with data; whether it fits the model the worker says. Pixels stay
pixels: what the model takes is made of them where it is fed (kit.shared.rows). Large arrays lie in a folder of the
caller's, mapped: they take no memory.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.bounded import open_regular, open_zip
from kit.build.audio_samples import SUFFIX, read_folder
from kit.build.image_input import image_entry
from kit.build.raw_inputs import RawInputs
from kit.build.text_samples import FILES, read_files, read_texts
from kit.build.truth import PREFIX, OutputTruth, owner_of_y, read_truth, split_truth
from kit.bundle.signature import ImageEntry
from kit.errors import RecipeError
from kit.files import FULL, temporary_full
from kit.metrics.table import is_own, metric_of
from kit.recipe.labels import read_labels
from kit.recipe.schema import Input, Recipe
from kit.source_model.model_file import ModelFile

if TYPE_CHECKING:
    import numpy as np

    Arrays = dict[str, np.ndarray]

IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif"}
SEED = 7
NOTHING_RAW = RawInputs()
_LARGE = 1 << 20  # bytes of an array, from which on it lies in a file
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # the second is an empty one's


@dataclass(frozen=True)
class Samples:
    """Arrays [N, ...] by input name, in the dtype that they came in: uint8 of an image is pixels, to be normalized."""

    inputs: Arrays
    y: np.ndarray | None = None
    # By input name: the texts that ids are made of, str [N]; sounds, as pack_sounds has them.
    said: Arrays = field(default_factory=dict)
    truths: Mapping[str, OutputTruth] = field(default_factory=dict)  # by output, but for y
    names: tuple[str, ...] = ()  # of image files, relative to the folder of the data

    def take(self, rows: Sequence[int]) -> Samples:
        """Return the samples of these rows, to calibrate with or to keep: without what is true of outputs."""
        index = list(rows)
        if index == list(range(len(self))):
            return self
        inputs, said = ({name: a[index] for name, a in arrays.items()} for arrays in (self.inputs, self.said))
        return Samples(inputs, None if self.y is None else self.y[index], said)

    def raw(self) -> Arrays:
        """Return the inputs as a user gave them: texts, sounds, uint8 pixels, or values of any dtype, [N, ...] each."""
        return {**self.inputs, **self.said}

    def arrays(self) -> Arrays:
        """Return all as one mapping for the worker: input/<name> and y, [N, ...] each, in their own dtype."""
        named = {f"input/{name}": array for name, array in self.inputs.items()}
        return named if self.y is None else {**named, "y": self.y}

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))


def from_raw(recipe: Recipe, raw: RawInputs, arrays: Arrays) -> Samples | None:
    """Return a bundle's samples, None for no arrays.

    arrays: by input name [N, ...], as Samples.raw gives them.
    """
    where = "the bundle's samples"
    made, said = raw.with_values(arrays, where)
    return replace(_checked(recipe, made, None, where), said=said) if arrays else None


def representative(recipe: Recipe, model: ModelFile, folder: Path, raw: RawInputs = NOTHING_RAW) -> Samples | None:
    """Return the calibration samples: at most [quantize] count of them, a seeded choice in the data's order.

    folder: where large arrays may lie, as long as they are used. Raises RecipeError.
    """
    name = recipe.quantize.representative
    if name is None:
        return None
    samples = _read(recipe, recipe.file(name), "[quantize] representative", model, folder, raw)
    return samples.take(_choice(len(samples), recipe.quantize.count))


def test_data(recipe: Recipe, model: ModelFile, folder: Path, raw: RawInputs = NOTHING_RAW) -> Samples | None:
    """Return all of the checks' samples, with y where the data has it. folder: as in representative."""
    name = recipe.checks.data
    samples = _read(recipe, recipe.file(name), "[checks] data", model, folder, raw) if name else None
    if samples is None:
        return None
    truths = dict(samples.truths) | read_truth(recipe, len(samples), samples.names)
    owner = owner_of_y(recipe)
    if samples.y is not None and owner is not None:
        truths = {owner: OutputTruth("checks data: y", samples.y)} | truths
    kinds = {output.name: output.kind for output in recipe.outputs}
    if recipe.checks.max_drop is not None and "classes" not in {kinds[name] for name in truths}:
        raise RecipeError(
            f"{recipe.file(str(name))}: [checks] max_drop needs y, and the data has none",
            "add y: one class number for each sample",
        )
    _refuse_without_truth(recipe, truths)
    return replace(samples, truths=truths)


def _refuse_without_truth(recipe: Recipe, truths: Mapping[str, OutputTruth]) -> None:
    """Refuse a metric that needs truth where there is none. Raises RecipeError."""
    for check in recipe.checks.metrics:
        truth = truths.get(check.output)
        if truth is not None and is_own(check.metric) and truth.values is None:
            raise RecipeError(
                f"[[checks.metrics]] '{check.metric}' takes what is true of output '{check.output}' as an array, and "
                f"{truth.where} is files",
                f"save it as the array y/{check.output} in the .npz",
            )
        if metric_of(check.metric).against == "truth" and truth is None:
            raise RecipeError(
                f"[[checks.metrics]] '{check.metric}' of output '{check.output}' needs its truth, and "
                f"{recipe.file(str(recipe.checks.data))} has none",
                f"add the array y/{check.output} to the .npz, or name a file: [checks.truth]",
            )


def _choice(available: int, wanted: int) -> list[int]:
    import numpy as np

    if available <= wanted:
        return list(range(available))
    return sorted(int(row) for row in np.random.default_rng(SEED).choice(available, wanted, replace=False))


def _read(recipe: Recipe, path: Path, where: str, model: ModelFile, folder: Path, raw: RawInputs) -> Samples:
    """Read the data at path; what is large of it is put into new files in folder."""
    if path.is_dir():
        return _read_folder(recipe, path, where, model, folder, raw)
    if path.suffix == ".npz":
        return _read_npz(recipe, path, where, folder, raw)
    if raw.texts and path.suffix in FILES:
        arrays, y = read_texts(recipe, path, where)
        made, said = raw.with_values(arrays, f"{path}: {where}")
        return Samples(made, y, said)
    raise RecipeError(
        f"{path}: {where}: '{path.suffix or path.name}' is not known",
        "give a .npz, .csv or .txt file, or a folder of .txt files"
        if raw.texts
        else "give a .npz file or a folder of .wav files"
        if raw.audio
        else "give a .npz file or a folder of images",
    )


def _read_npz(recipe: Recipe, path: Path, where: str, folder: Path, raw: RawInputs) -> Samples:
    arrays, said = raw.with_values(read_arrays(path, where, folder), f"{path}: {where}")
    for name, array in arrays.items():
        if array.ndim == 0 or array.dtype.kind not in "fiub":
            text = array.dtype.kind in "US" and name != "y"
            raise RecipeError(
                f"{path}: {where}: '{name}' is not an array of numbers [N, ...]{': it is text' if text else ''}",
                "save what the layer that reads the text gives, and start the file behind that layer: "
                '[[inputs]] source, or give that input kind = "text", docs/recipe.md'
                if text
                else "save one sample a row",
            )
        if 0 in array.shape[1:]:
            raise RecipeError(
                f"{path}: {where}: '{name}' has the shape {list(array.shape)}: nothing is in it",
                "save one sample a row",
            )
    if not [name for name in arrays if name != "y" and not name.startswith(PREFIX)]:
        raise RecipeError(
            f"{path}: {where}: it holds no inputs",
            "save one array [N, ...] for each input, by the input's name",
        )
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        reported = ", ".join(f"{name} has {count}" for name, count in lengths.items())
        raise RecipeError(
            f"{path}: {where}: the arrays need the same number of samples, at least one: {reported}",
            "save one sample a row",
        )
    y, truths = arrays.pop("y", None), split_truth(recipe, arrays, f"{path}: {where}")
    return replace(_checked(recipe, arrays, y, f"{path}: {where}"), said=said, truths=truths)


def read_arrays(path: Path, where: str, folder: Path | None = None) -> Arrays:
    """Return every array of a .npz file by its name, in its own shape and dtype. Nothing in it is ever unpickled.

    folder: an empty one for large arrays, which are mapped from there; without it all are read into memory. Raises
    RecipeError, which names the file and `where`, for one that is none.
    """
    import numpy as np

    again = "save it again: numpy.savez(name, **arrays)"
    try:
        with open_regular(path) as file:
            magic = file.read(4)
            file.seek(0)
            if magic in _ZIP:
                open_zip(path).close()  # its members are few, and small enough
            loaded = np.load(file, allow_pickle=False) if magic in _ZIP else None
            members = {} if loaded is None else {name: _member(loaded, name, folder) for name in loaded.files}
    # Broken bytes make zipfile, its decoders and numpy raise BadZipFile, zlib.error, OSError, MemoryError and more.
    except Exception as error:
        _refuse_full(error, f"the arrays of {path} do not fit there")
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RecipeError(f"{path}: {where}: not a whole .npz file of plain arrays: {reason}", again) from error
    if loaded is None:
        kind = "a .npy file" if magic == b"\x93NUM" else "empty" if not magic else "not a zip file"
        raise RecipeError(f"{path}: {where}: not an .npz file: it is {kind}", again)
    for name, member in members.items():
        if not isinstance(member, np.ndarray):
            raise RecipeError(f"{path}: {where}: '{name}' in it is no array", again)
    return members


def _member(loaded: Any, name: str, folder: Path | None) -> np.ndarray:
    """Return an array of an open .npz, of its own shape and dtype; a large one mapped from a new file in folder.

    Raises whatever its bytes make zipfile and numpy raise.
    """
    import numpy as np

    entry = next((each for each in loaded.zip.infolist() if each.filename in {name, f"{name}.npy"}), None)
    if folder is None or entry is None or entry.file_size < _LARGE:
        return loaded[name]  # type: ignore[no-any-return]
    with loaded.zip.open(entry) as packed, _new_file(folder) as file:
        shutil.copyfileobj(packed, file, _LARGE)
    return np.load(file.name, "r", allow_pickle=False)  # type: ignore[no-any-return]


def _new_file(folder: Path) -> Any:
    return tempfile.NamedTemporaryFile(dir=folder, delete=False)  # it goes with the folder


def _refuse_full(error: Exception, what: str) -> None:
    """Blame the temporary folder where it is full, and not the data. Raises OutputError."""
    if isinstance(error, OSError) and error.errno in FULL:
        raise temporary_full(what) from error


def _checked(recipe: Recipe, arrays: Mapping[str, np.ndarray], y: np.ndarray | None, where: str) -> Samples:
    """Return the arrays as samples. Of images, uint8 is pixels; floats are the model's own values already.

    arrays: by input name [N, ...], an image's [N, H, W, C] or [N, H, W], which is the same as [N, H, W, 1];
    y: [N, ...]; all in their own dtype.
    """
    import numpy as np

    images = {tensor.name: tensor for tensor in recipe.inputs if tensor.kind == "image"}
    for name, array in arrays.items():
        if name in images:
            image = image_entry(images[name], array.shape[1:])
            if array.dtype != np.uint8:
                _check_range(array, image, f"{where}: '{name}'")
    return Samples(dict(arrays), y)


def _check_range(array: np.ndarray, image: ImageEntry, where: str) -> None:
    """Refuse floats that normalized pixels cannot be: mostly images that were not normalized, or twice.

    array: [N, H, W, C] or [N, H, W] of any dtype but uint8.
    """
    import numpy as np

    mean, std = np.asarray(image.mean), np.asarray(image.std)
    ends = np.stack([(0 - mean) / std, (255 - mean) / std])
    low, high = float(ends.min()), float(ends.max())
    slack = 0.01 * (high - low)
    least, most = (float(end) for end in _ends(array))
    if least < low - slack or most > high + slack:
        raise RecipeError(
            f"{where} holds {least:g}..{most:g}, but mean and std turn pixels into {low:g}..{high:g}",
            "save pixels as uint8 (normalized for you), or normalize the floats the same way, or correct mean and std",
        )


def _ends(array: np.ndarray) -> tuple[float, float]:
    """Return the least and the largest number of an array [N, ...] of any dtype; NaN where one is."""
    import numpy as np

    from kit.shared.rows import blocks

    parts = [array[rows] for rows in blocks(array)]
    return float(np.min([part.min() for part in parts])), float(np.max([part.max() for part in parts]))


def _read_folder(recipe: Recipe, path: Path, where: str, model: ModelFile, folder: Path, raw: RawInputs) -> Samples:
    """Read a folder of images, texts or sounds, or one with a folder of them for each label, which gives y."""
    kinds = [("texts", {".txt"}, raw.texts), ("sounds", {SUFFIX}, raw.audio), ("images", IMAGES, True)]
    what, suffixes = next((name, endings) for name, endings, meant in kinds if meant)
    place = f"{path}: {where}"
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() in suffixes and p.is_file())
    tensor = _image_input(recipe, place) if what == "images" else None
    if not files:
        raise RecipeError(f"{place}: no {what} in that folder", f"put {', '.join(sorted(suffixes))} files there")
    if where.startswith("[quantize]"):
        files = [files[row] for row in _choice(len(files), recipe.quantize.count)]
    # Where a file has that truth, or all that there is, folders are those that a user likes.
    owner, files_of_truth = owner_of_y(recipe), recipe.checks.truth
    labelled = owner not in files_of_truth if owner else not files_of_truth
    y = _classes(recipe, path, files) if where.startswith("[checks]") and labelled else None
    names = tuple(file.relative_to(path).as_posix() for file in files)
    if tensor is None:
        if what == "sounds":
            made, said = read_folder(recipe, files, raw.audio, place)
        else:
            made, said = raw.with_values(read_files(recipe, files, place), place)
        return Samples(made, y, said, names=names)
    images = _load(files, tensor, _shape(tensor, model, where), folder)
    return replace(_checked(recipe, {tensor.name: images}, y, place), names=names)


def _load(files: Sequence[Path], tensor: Input, shape: Sequence[int], folder: Path) -> np.ndarray:
    """Return the images of files, uint8 [files, *shape], mapped from a file in folder. Raises RecipeError."""
    import numpy as np

    from kit.shared.preprocess import load_image

    image = image_entry(tensor, shape)
    try:
        with _new_file(folder) as raw:
            for file in files:
                raw.write(load_image(file, shape, image.color, image.resize, image.pad_color).tobytes())
        return np.memmap(raw.name, np.uint8, "r", shape=(len(files), *shape))
    except (ValueError, OSError) as error:
        _refuse_full(error, f"{len(files):,} images of {list(shape)} do not fit there")
        raise RecipeError(str(error), "replace or remove that file") from error
    except (MemoryError, OverflowError) as error:
        raise RecipeError(
            f"an image of {list(shape)} does not fit into memory",
            "correct [[inputs]] shape: each image becomes an array of that size",
        ) from error


def _image_input(recipe: Recipe, where: str) -> Input:
    images = [tensor for tensor in recipe.inputs if tensor.kind == "image"]
    if len(images) != 1 or len(recipe.inputs) != 1:
        raise RecipeError(
            f"{where}: a folder of images needs exactly one input, of kind 'image'",
            "use .npz with one array for each input",
        )
    return images[0]


def _shape(tensor: Input, model: ModelFile, where: str) -> tuple[int, ...]:
    shape = tuple(tensor.shape) if tensor.shape else model.inputs.get(tensor.source or tensor.name, ())
    if not shape or any(n is None or n < 1 for n in shape):
        raise RecipeError(
            f"{where}: the size of images for '{tensor.name}' is not known from the model file",
            "add shape = [height, width, channels] to that [[inputs]]",
        )
    return tuple(int(n) for n in shape if n is not None)


def _classes(recipe: Recipe, path: Path, files: Sequence[Path]) -> np.ndarray | None:
    """Return each file's class by the folder that it is in, int64 [files]; None where no file is in one."""
    import numpy as np

    folders = [file.relative_to(path).parts[0] if len(file.relative_to(path).parts) > 1 else "" for file in files]
    if set(folders) == {""}:
        return None
    if "" in folders:
        raise RecipeError(
            f"{path}: {files[folders.index('')].name} lies beside the label folders, so its label is not known",
            "move it into the folder of its label",
        )
    labels = next(
        (read_labels(recipe.file(o.labels)) for o in recipe.outputs if o.kind == "classes" and o.labels),
        sorted(set(folders)),
    )
    unknown = sorted(set(folders) - set(labels))
    if unknown:
        raise RecipeError(
            f"{path}: folder {unknown[0]!r} is no label",
            f"name the folders by the labels: {', '.join(labels[:10])}",
        )
    return np.array([labels.index(folder) for folder in folders], dtype=np.int64)
