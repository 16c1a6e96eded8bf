"""A user's data as arrays by input name, in the model's own values: from .npz, or folders of images.

Knows the recipe's normalization and what can be wrong with data; whether it fits the model the worker says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kit.bounded import open_regular, open_zip
from kit.build.image_input import image_entry
from kit.bundle.signature import ImageEntry
from kit.errors import RecipeError
from kit.recipe.labels import read_labels
from kit.recipe.schema import Input, Recipe
from kit.source_model.model_file import ModelFile

if TYPE_CHECKING:
    import numpy as np

    Arrays = dict[str, np.ndarray]

IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif"}
SEED = 7
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # the second is an empty one's


@dataclass(frozen=True)
class Samples:
    """Arrays [N, ...] by input name. `values` are what the model takes, `pixels` the uint8 images behind them."""

    values: Arrays
    pixels: Arrays = field(default_factory=dict)
    y: np.ndarray | None = None

    def take(self, rows: Sequence[int]) -> Samples:
        """Return the samples of these rows."""
        index = list(rows)
        return Samples(
            {name: a[index] for name, a in self.values.items()},
            {name: a[index] for name, a in self.pixels.items()},
            None if self.y is None else self.y[index],
        )

    def raw(self) -> Arrays:
        """Return [N, ...] by input name as they were given: images as uint8 pixels, others in their own dtype."""
        return {**self.values, **self.pixels}

    def arrays(self) -> Arrays:
        """Return all as one mapping for the worker: input/<name>, pixels/<name> and y, [N, ...] each.

        Inputs that were pixels are float32, pixels uint8, all else in its own dtype.
        """
        named = {f"input/{name}": array for name, array in self.values.items()}
        named |= {f"pixels/{name}": array for name, array in self.pixels.items()}
        return named if self.y is None else {**named, "y": self.y}

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))


def from_raw(recipe: Recipe, arrays: Arrays) -> Samples | None:
    """Return the samples that `Samples.raw` came from, None for no arrays.

    arrays: by input name [N, ...], uint8 pixels, or values in their own dtype.
    """
    return _normalized(recipe, arrays, None, "the bundle's samples") if arrays else None


def representative(recipe: Recipe, model: ModelFile) -> Samples | None:
    """Return the calibration samples: at most [quantize] count of them, a seeded choice in the data's order."""
    name = recipe.quantize.representative
    if name is None:
        return None
    samples = _read(recipe, recipe.file(name), "[quantize] representative", model)
    return samples.take(_choice(len(samples), recipe.quantize.count))


def test_data(recipe: Recipe, model: ModelFile) -> Samples | None:
    """Return all of the checks' samples, with y where the data has it."""
    name = recipe.checks.data
    samples = _read(recipe, recipe.file(name), "[checks] data", model) if name else None
    if samples and samples.y is None and recipe.checks.max_drop is not None:
        raise RecipeError(
            f"{recipe.file(str(name))}: [checks] max_drop needs y, and the data has none",
            "add y: one class number for each sample",
        )
    return samples


def _choice(available: int, wanted: int) -> list[int]:
    import numpy as np

    if available <= wanted:
        return list(range(available))
    return sorted(int(row) for row in np.random.default_rng(SEED).choice(available, wanted, replace=False))


def _read(recipe: Recipe, path: Path, where: str, model: ModelFile) -> Samples:
    if path.is_dir():
        return _read_folder(recipe, path, where, model)
    if path.suffix == ".npz":
        return _read_npz(recipe, path, where)
    raise RecipeError(
        f"{path}: {where}: '{path.suffix or path.name}' is not known",
        "give a .npz file or a folder of images",
    )


def _read_npz(recipe: Recipe, path: Path, where: str) -> Samples:
    arrays = read_arrays(path, where)
    for name, array in arrays.items():
        if array.ndim == 0 or array.dtype.kind not in "fiub":
            text = array.dtype.kind in "US" and name != "y"
            raise RecipeError(
                f"{path}: {where}: '{name}' is not an array of numbers [N, ...]{': it is text' if text else ''}",
                "save what the layer that reads the text gives, and start the file behind that layer: "
                "[[inputs]] source, docs/recipe.md"
                if text
                else "save one sample a row",
            )
        if 0 in array.shape[1:]:
            raise RecipeError(
                f"{path}: {where}: '{name}' has the shape {list(array.shape)}: nothing is in it",
                "save one sample a row",
            )
    if not arrays.keys() - {"y"}:
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
    y = arrays.pop("y", None)
    return _normalized(recipe, arrays, y, f"{path}: {where}")


def read_arrays(path: Path, where: str) -> Arrays:
    """Return every array of a .npz file by its name, in its own shape and dtype. Nothing in it is ever unpickled.

    Raises RecipeError, which names the file and `where`, for one that is none.
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
            members = {} if loaded is None else {name: loaded[name] for name in loaded.files}
    # Broken bytes make zipfile, its decoders and numpy raise BadZipFile, zlib.error, OSError, MemoryError and more.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RecipeError(f"{path}: {where}: not a whole .npz file of plain arrays: {reason}", again) from error
    if loaded is None:
        kind = "a .npy file" if magic == b"\x93NUM" else "empty" if not magic else "not a zip file"
        raise RecipeError(f"{path}: {where}: not an .npz file: it is {kind}", again)
    for name, member in members.items():
        if not isinstance(member, np.ndarray):
            raise RecipeError(f"{path}: {where}: '{name}' in it is no array", again)
    return members


def _normalized(recipe: Recipe, arrays: Mapping[str, np.ndarray], y: np.ndarray | None, where: str) -> Samples:
    """Turn images into the model's values. uint8 is pixels; floats are the model's own values already.

    arrays: by input name [N, ...], an image's [N, H, W, C] or [N, H, W]. Pixels become float32 of the same shape; all
    other arrays and y, [N, ...], stay as they are.
    """
    import numpy as np

    from kit.shared.preprocess import normalize

    images = {tensor.name: tensor for tensor in recipe.inputs if tensor.kind == "image"}
    values, pixels = {}, {}
    for name, array in arrays.items():
        values[name] = array
        if name not in images:
            continue
        # [N, H, W] is the same image as [N, H, W, 1]
        image = image_entry(images[name], array.shape[1:])
        if array.dtype == np.uint8:
            pixels[name] = array
            values[name] = normalize(array, image.mean, image.std)
        else:
            _check_range(array, image, f"{where}: '{name}'")
    return Samples(values, pixels, y)


def _check_range(array: np.ndarray, image: ImageEntry, where: str) -> None:
    """Refuse floats that normalized pixels cannot be: mostly images that were not normalized, or twice.

    array: [N, H, W, C] or [N, H, W] of any dtype but uint8.
    """
    import numpy as np

    mean, std = np.asarray(image.mean), np.asarray(image.std)
    ends = np.stack([(0 - mean) / std, (255 - mean) / std])
    low, high = float(ends.min()), float(ends.max())
    slack = 0.01 * (high - low)
    if array.min() < low - slack or array.max() > high + slack:
        raise RecipeError(
            f"{where} holds {array.min():g}..{array.max():g}, but mean and std turn pixels into {low:g}..{high:g}",
            "save pixels as uint8 (normalized for you), or normalize the floats the same way, or correct mean and std",
        )


def _read_folder(recipe: Recipe, path: Path, where: str, model: ModelFile) -> Samples:
    """Read a folder of images, or one with a folder of images for each label, which gives y."""
    tensor = _image_input(recipe, f"{path}: {where}")
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() in IMAGES and p.is_file())
    if not files:
        raise RecipeError(f"{path}: {where}: no images in that folder", f"put {', '.join(sorted(IMAGES))} files there")
    if where.startswith("[quantize]"):
        files = [files[row] for row in _choice(len(files), recipe.quantize.count)]
    y = _classes(recipe, path, files) if where.startswith("[checks]") else None
    return _normalized(recipe, {tensor.name: _load(files, tensor, _shape(tensor, model, where))}, y, f"{path}: {where}")


def _load(files: Sequence[Path], tensor: Input, shape: Sequence[int]) -> np.ndarray:
    """Return the images of files, uint8 [files, *shape]. Raises RecipeError."""
    import numpy as np

    from kit.shared.preprocess import load_image

    image = image_entry(tensor, shape)
    try:
        return np.stack([load_image(file, shape, image.color, image.resize) for file in files])
    except (ValueError, OSError) as error:
        raise RecipeError(str(error), "replace or remove that file") from error
    except (MemoryError, OverflowError) as error:
        raise RecipeError(
            f"{len(files)} images of {list(shape)} do not fit into memory",
            "use fewer: [quantize] count, or fewer files in that folder; each becomes an array of the model's own size",
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
    labels = next((read_labels(recipe.file(o.labels)) for o in recipe.outputs if o.labels), sorted(set(folders)))
    unknown = sorted(set(folders) - set(labels))
    if unknown:
        raise RecipeError(
            f"{path}: folder {unknown[0]!r} is no label",
            f"name the folders by the labels: {', '.join(labels[:10])}",
        )
    return np.array([labels.index(folder) for folder in folders], dtype=np.int64)
