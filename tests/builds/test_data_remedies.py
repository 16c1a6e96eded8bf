"""Data and models that do not fit each other: what the host refuses, followed by what its next step says."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from test_host_remedies import planned
from worlds import ROOT

from kit.errors import KitError, RecipeError

Write = Callable[[Path], object]


def model(folder: Path, **inputs: list[Any]) -> None:
    """Write a .keras description of inputs [name=(dtype, *shape)] and one output `y`: what the host reads of a file."""
    layers = [
        {"class_name": "InputLayer", "config": {"name": name, "dtype": dtype, "batch_shape": [None, *shape]}}
        for name, (dtype, *shape) in inputs.items()
    ]
    dense = {"class_name": "Dense", "config": {"name": "y", "units": 10}}
    body = {"layers": [*layers, dense], "input_layers": [[name, 0, 0] for name in inputs]}
    config = {"class_name": "Functional", "config": {**body, "output_layers": [["y", 0, 0]]}}
    with zipfile.ZipFile(folder / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))


def data(**arrays: Any) -> Write:
    """Return what writes s.npz."""
    return lambda folder: np.savez(folder / "s.npz", **{name: np.asarray(array) for name, array in arrays.items()})  # type: ignore[arg-type]


def photos(folder: Path) -> None:
    """Write a folder with one image."""
    (folder / "photos").mkdir(exist_ok=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "photos" / "a.png")


def tables(where: str, *inputs: str) -> str:
    """Return a recipe behind [model]: representative data, and [[inputs]] by their keys."""
    written = "".join(f"[[inputs]]\n{keys}\n" for keys in inputs)
    return f"[toolchain]\ntensorflow = '2.19.1'\n[quantize]\nscheme = 'int8'\nrepresentative = '{where}'\n{written}"


IMAGE = "name = 'x'\nkind = 'image'"
ONE = {"x": ["float32", 8, 8, 1]}
TWO = {"x": ["float32", 4], "z": ["float32", 4]}
OPEN = {"x": ["float32", None, None, 3]}
IDS = {"x": ["int32", 4]}
PIXELS = np.zeros((5, 8, 8, 1), np.uint8)
ROWS = np.zeros((5, 4), np.float32)


@dataclass(frozen=True)
class Case:
    """A model, its data and recipe; words of refusal and next step; what the step changes, where it does."""

    inputs: dict[str, list[Any]]
    write: Write
    recipe: str
    says: str
    next: str
    write_right: Write | None = None
    recipe_right: str = ""
    inputs_right: dict[str, list[Any]] | None = None


CASES = {
    "an input without samples": Case(
        TWO,
        data(x=ROWS),
        tables("s.npz"),
        "input 'z' is missing",
        "save an array of that name, too; there is: x",
        data(x=ROWS, z=ROWS),
    ),
    "a folder of images for two inputs": Case(
        TWO,
        photos,
        tables("photos", IMAGE, "name = 'z'"),
        "exactly one input, of kind 'image'",
        "use .npz with one array for each input",
        data(x=ROWS, z=ROWS),
        tables("s.npz", "name = 'x'", "name = 'z'"),
    ),
    "images of no size": Case(
        OPEN,
        photos,
        tables("photos", IMAGE),
        "the size of images for 'x' is not known",
        "add shape = [height, width, channels] to that [[inputs]]",
        recipe_right=tables("photos", f"{IMAGE}\nshape = [8, 8, 3]"),
    ),
    "an image of two channels": Case(
        {"x": ["float32", 8, 8, 2]},
        data(x=np.zeros((5, 8, 8, 2), np.uint8)),
        tables("s.npz", IMAGE),
        "kind 'image' cannot be [8, 8, 2]",
        'use kind = "tensor"',
        recipe_right=tables("s.npz", 'name = "x"\nkind = "tensor"'),
    ),
    "an image of ids": Case(
        IDS,
        data(x=np.zeros((5, 4), np.int32)),
        tables("s.npz", IMAGE),
        "the model takes int32",
        'use kind = "tensor": this model takes the values as they are',
        recipe_right=tables("s.npz", 'name = "x"\nkind = "tensor"'),
    ),
    "means of other channels": Case(
        ONE,
        data(x=PIXELS),
        tables("s.npz", f"{IMAGE}\nmean = [0, 0]\nstd = [1, 1]"),
        "2 means for 1 channels",
        "give one for each channel, or one",
        recipe_right=tables("s.npz", f"{IMAGE}\nmean = [0]\nstd = [1]"),
    ),
    "a pad color of other channels": Case(
        ONE,
        data(x=PIXELS),
        tables("s.npz", f'{IMAGE}\nresize = "letterbox"\npad_color = [1, 2, 3]'),
        "pad_color has 3 values for 1 channels",
        "give red, green and blue, or one value",
        recipe_right=tables("s.npz", f'{IMAGE}\nresize = "letterbox"\npad_color = [1]'),
    ),
    "one number instead of samples": Case(
        ONE,
        data(x=3.0),
        tables("s.npz"),
        "is not an array of numbers [N, ...]",
        "save one sample a row",
        data(x=PIXELS),
    ),
    "samples of nothing": Case(
        ONE, data(x=PIXELS[:, :0]), tables("s.npz"), "nothing is in it", "save one sample a row", data(x=PIXELS)
    ),
    "other numbers of samples": Case(
        TWO,
        data(x=ROWS, z=ROWS[:2]),
        tables("s.npz"),
        "the same number of samples",
        "save one sample a row",
        data(x=ROWS, z=ROWS),
    ),
    "text instead of numbers": Case(
        {"x": ["string"]},
        data(x=np.array(["a word", "another"])),
        tables("s.npz"),
        "is not an array of numbers [N, ...]: it is text",
        "save what the layer that reads the text gives, and start the file behind that layer: [[inputs]] source",
        data(ids=np.zeros((5, 4), np.int64)),
        tables("s.npz", "name = 'ids'\nsource = 'y'"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_does_not_fit_is_taken_after_the_next_step(tmp_path: Path, name: str) -> None:
    case, path = CASES[name], tmp_path / "recipe.toml"
    head = "[model]\npath = 'm.keras'\nid = 'm'\n"
    model(tmp_path, **case.inputs)
    case.write(tmp_path)
    path.write_text(head + case.recipe, "utf-8")
    with pytest.raises(RecipeError) as caught:
        planned(path)
    assert case.says in caught.value.message
    assert case.next in caught.value.hint
    if case.write_right:
        case.write_right(tmp_path)
    path.write_text(head + (case.recipe_right or case.recipe), "utf-8")
    assert planned(path).sources


WITH_LITTLE_MEMORY = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from kit.build.samples import representative
from kit.recipe.load import load_recipe
from kit.errors import RecipeError
from kit.source_model.model_file import read_model_file

path = Path(sys.argv[2])
recipe, model = load_recipe(path), read_model_file(path.parent / "m.keras")
import kit.shared.preprocess, numpy, PIL.Image
resource.setrlimit(resource.RLIMIT_DATA, (250 << 20, 250 << 20))
try:
    print(len(representative(recipe, model, Path(sys.argv[3]))), "samples")
except RecipeError as error:
    print(error)
"""


def test_images_beyond_memory_are_read_one_at_a_time(tmp_path: Path) -> None:
    """Each gets the model's size: 480 MB of them, in 250 MB."""
    path = tmp_path / "recipe.toml"
    model(tmp_path, x=["float32", 4000, 4000, 1])
    photos(tmp_path)
    for number in range(29):
        (tmp_path / "photos" / f"{number}.png").write_bytes((tmp_path / "photos" / "a.png").read_bytes())

    def said(shape: str = "") -> str:
        path.write_text(f"[model]\npath = 'm.keras'\nid = 'm'\n{tables('photos', IMAGE)}{shape}", "utf-8")
        argv = [sys.executable, "-c", WITH_LITTLE_MEMORY, str(ROOT), str(path), str(tmp_path)]
        env = {"OPENBLAS_NUM_THREADS": "1"}
        return subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout

    assert "30 samples" in said()
    refused = said("shape = [90000, 90000, 1]\n")
    assert "an image of [90000, 90000, 1] does not fit into memory" in refused
    assert "correct [[inputs]] shape: each image becomes an array of that size" in refused
    assert "30 samples" in said("shape = [4000, 4000, 1]\n")


def test_a_file_that_is_no_image_is_replaced_or_removed(tmp_path: Path) -> None:
    model(tmp_path, **ONE)
    photos(tmp_path)
    path, broken = tmp_path / "recipe.toml", tmp_path / "photos" / "b.png"
    path.write_text(f"[model]\npath = 'm.keras'\nid = 'm'\n{tables('photos', IMAGE)}", "utf-8")

    def replace() -> object:
        return broken.write_bytes((tmp_path / "photos" / "a.png").read_bytes())

    for mend in (replace, broken.unlink):
        broken.write_text("no image")
        with pytest.raises(KitError, match="replace or remove that file"):
            planned(path)
        mend()
        assert planned(path).sources
