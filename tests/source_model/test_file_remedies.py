"""Files that cannot be read: refused, and read after what the next step says. Nothing here needs TensorFlow."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from test_modelfile import IMAGE, functional, h5_file, keras_file
from test_trust import const, node, saved
from worlds import DIGITS, run_kit

from kit.errors import KitError, ModelError
from kit.source_model.model_file import read_model_file
from kit.source_model.weights import find_weights
from kit.tflite.reader import read_tflite, tflite_path

Write = Callable[[Path], object]
CONFIG = json.dumps(functional(IMAGE))


def model(folder: Path) -> object:
    """Read m.keras as a build does."""
    return read_model_file(folder / "m.keras")


def structured(folder: Path) -> object:
    """Read weights alone, with their structure beside them."""
    h5_file(folder / "m.weights.h5", layer_names=[b"dense"])
    return read_model_file(folder / "m.weights.h5", folder / "m.json")


def weights(name: str, pattern: str = "*") -> Write:
    """Return what shows the weights of a file, as `kit inspect --weights` does."""
    return lambda folder: find_weights(folder / name, pattern)


def text(name: str, content: str | bytes = "no model") -> Write:
    """Return what writes a file."""
    return lambda folder: (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def whole(name: str) -> Write:
    """Return what saves a whole model again."""
    return lambda folder: keras_file(folder / name, functional(IMAGE))


def digits(name: str) -> Write:
    """Return what copies the digits' model again."""
    return lambda folder: shutil.copyfile(DIGITS / "digits.keras", folder / name)


def pipe(name: str) -> Write:
    """Return what makes a pipe: it stands for any path that is no file to read."""
    return lambda folder: os.mkfifo(folder / name)


def instead(name: str, write: Write) -> Write:
    """Return what puts something else in a file's place."""

    def do(folder: Path) -> object:
        (folder / name).unlink()
        return write(folder)

    return do


def a_zip_of_arrays(folder: Path) -> None:
    np.savez(folder / "n.npz", w=np.ones(3))
    (folder / "n.npz").rename(folder / "m.keras")


def a_file_instead(folder: Path) -> None:
    """Put a structure in the place of the folder."""
    (folder / "m.json").rmdir()
    (folder / "m.json").write_text(CONFIG, "utf-8")


def nothing(folder: Path) -> None:
    """Leave the folder as it is."""


def two_models(folder: Path) -> None:
    """Write a folder that is no bundle."""
    for name in ("a", "b"):
        (folder / "m" / "src/main/assets" / name).mkdir(parents=True)
        (folder / "m" / "src/main/assets" / name / "m.tflite").write_bytes(b"")


def cut_saved_model(folder: Path) -> None:
    """Write a SavedModel with a node that is cut short."""
    saved(folder / "sm", node("x", "Placeholder"), b"\x0a\xff\xff")


def exported_again(folder: Path) -> None:
    shutil.rmtree(folder / "sm")
    saved(folder / "sm", node("x", "Placeholder"), const("c", "x"))


AGAIN = "save the whole model again: model.save('name.keras')"
# What is there, what reads it, words of the refusal and its next step, what follows the step, and what reads then.
CASES: dict[str, tuple[Write, Write, str, str, Write, Write]] = {
    "a pipe for a model": (
        pipe("m.keras"), model, "cannot be read", "check its path and its permissions",
        instead("m.keras", whole("m.keras")), model,
    ),
    "a folder of nothing": (
        lambda folder: (folder / "m.keras").mkdir(), model, "without a readable saved_model.pb",
        "name a model file or a SavedModel", whole("n.keras"), lambda folder: read_model_file(folder / "n.keras"),
    ),
    "a SavedModel cut short": (
        cut_saved_model, lambda folder: read_model_file(folder / "sm"), "not a whole SavedModel",
        "copy or export it again", exported_again, lambda folder: read_model_file(folder / "sm"),
    ),
    "a zip of something else": (
        a_zip_of_arrays,
        model, "a zip file, but no Keras model", AGAIN, whole("m.keras"), model,
    ),
    "an HDF5 file of something else": (
        lambda folder: h5_file(folder / "m.keras", title="hello"), model, "but no Keras model", AGAIN,
        lambda folder: h5_file(folder / "m.keras", model_config=CONFIG), model,
    ),
    "a model_config that is none": (
        lambda folder: h5_file(folder / "m.keras", model_config="[]"), model, "model_config cannot be read", AGAIN,
        lambda folder: h5_file(folder / "m.keras", model_config=CONFIG), model,
    ),
    "a structure that is a folder": (
        lambda folder: (folder / "m.json").mkdir(), structured, "m.json: cannot be read",
        "check its path and its permissions",
        a_file_instead, structured,
    ),
    "a structure that is none": (
        text("m.json", "{"), structured, "no model's structure", "write it with model.to_json()",
        text("m.json", CONFIG), structured,
    ),
    "weights alone": (
        lambda folder: h5_file(folder / "m.keras", layer_names=[b"dense"]), model, "it holds weights only",
        "give its structure: [model] structure = 'model.json', which model.to_json() writes, or [model] code with",
        text("m.json", CONFIG), lambda folder: (
            read_model_file(folder / "m.keras", folder / "m.json"), read_model_file(folder / "m.keras", built=True)
        ),
    ),
    "weights of nothing": (
        nothing, weights("m.keras"), "cannot be read", "check its path and its permissions",
        digits("m.keras"), weights("m.keras"),
    ),
    "weights of a text": (
        text("m.txt"), weights("m.txt"), "no file of weights that is known", "name a .keras, .h5, .npz or .tflite file",
        digits("m.keras"), weights("m.keras"),
    ),
    "weights of a zip in pieces": (
        text("m.npz", b"PK\x03\x04"), weights("m.npz"), "not a whole .keras or .npz file", "copy or save it again",
        lambda folder: np.savez(folder / "m.npz", w=np.ones(3)), weights("m.npz"),
    ),
    "weights of an HDF5 file in pieces": (
        text("m.h5", b"\x89HDF\r\n\x1a\n"), weights("m.h5"), "not a whole HDF5 file", "copy or save it again",
        lambda folder: h5_file(folder / "m.h5"), weights("m.h5"),
    ),
    "weights of no such name": (
        digits("m.keras"), weights("m.keras", "dgit/*"), "has a name like 'dgit/*'",
        "quote the pattern; there is, among others: digit/1, digit/0", nothing,
        weights("m.keras", "digit/0"),
    ),
    "a folder of two models": (
        two_models, lambda folder: tflite_path(folder / "m"), "a folder with 2 models", "name a bundle or a file",
        nothing, lambda folder: tflite_path(folder / "m/src/main/assets/a/m.tflite"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_file_is_read_after_the_next_step(tmp_path: Path, name: str) -> None:
    write, read, says, step, mend, read_again = CASES[name]
    write(tmp_path)
    with pytest.raises(KitError) as error:
        read(tmp_path)
    assert says in error.value.message
    assert step in error.value.hint
    mend(tmp_path)
    assert read_again(tmp_path)


@pytest.mark.parametrize(
    ("write", "says", "step"),
    [
        (pipe("m.tflite"), "not a file", "name a .tflite file"),
        (nothing, "cannot be read", "check its path and its permissions"),
        (text("m.tflite"), "not a .tflite file", "name a file that a converter wrote"),
        (text("m.tflite", b"\xff\xff\xff\xffTFL3"), "a damaged .tflite", "copy or convert it again"),
    ],
)
def test_a_tflite_file_is_read_after_the_next_step(
    tmp_path: Path, digits_bundle: Path, write: Write, says: str, step: str
) -> None:
    path = tmp_path / "m.tflite"
    write(tmp_path)
    with pytest.raises(ModelError, match=re.escape(says)) as error:
        read_tflite(path)
    assert error.value.hint == step
    path.unlink(missing_ok=True)
    shutil.copyfile(tflite_path(digits_bundle), path)
    assert read_tflite(path).subgraphs


def test_the_weights_of_a_saved_model_are_read_where_freeze_wrote_them(tmp_path: Path) -> None:
    (tmp_path / "sm").mkdir()
    done = run_kit("inspect", str(tmp_path / "sm"), "--weights", "*")
    assert done.returncode == 3
    assert "`kit freeze RECIPE` writes them to weights.npz" in done.stderr
    frozen = run_kit("freeze", str(DIGITS), "--engine", "local", "--out", str(tmp_path))
    assert frozen.returncode == 0, frozen.stderr
    (path,) = tmp_path.rglob("weights.npz")
    done = run_kit("inspect", str(path), "--weights", "*")
    assert done.returncode == 0, done.stderr
