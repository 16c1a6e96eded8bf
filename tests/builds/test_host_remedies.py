"""What the host refuses before TensorFlow starts, and that the printed next step gets past it. No worker runs here."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from worlds import DIGITS, write_recipe

from kit.build.misfits import refuse_misfits, refuse_unfit_data
from kit.build.plan import Plan, make_plan
from kit.build.samples import representative
from kit.build.samples import test_data as checks_data
from kit.commands.command import memory_bytes, seconds
from kit.engine.run import choose_engine
from kit.errors import KitError, RecipeError
from kit.recipe.load import load_recipe
from kit.source_model.model_file import read_model_file

Change = dict[str, str]


def planned(path: Path) -> Plan:
    """Do all that a build does on the host before it starts an engine."""
    recipe = load_recipe(path)
    plan = make_plan(recipe, "")
    with tempfile.TemporaryDirectory() as folder:
        calibration = representative(recipe, plan.sources[0], Path(folder))
        refuse_unfit_data(recipe, plan.sources, calibration, "[quantize]")
        refuse_unfit_data(recipe, plan.sources, checks_data(recipe, plan.sources[0], Path(folder)), "[checks]")
    return plan


def samples(folder: Path, **arrays: np.ndarray) -> None:
    np.savez(folder / "s.npz", **arrays)  # type: ignore[arg-type]


def nothing(folder: Path) -> None:
    """Leave the folder as it is: what is wrong, or right, is in the recipe."""


def write_images(*names: str, broken: str = "") -> Callable[[Path], None]:
    """Return what writes images into the folder `images`, and a file there that is none."""

    def write(folder: Path) -> None:
        for name in names:
            path = folder / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
        if broken:
            (folder / "images" / broken).write_text("none")

    return write


def h5_of_digits(path: Path) -> None:
    """Write an .h5 with the digits' description: enough for the host, which never loads it."""
    with zipfile.ZipFile(DIGITS / "digits.keras") as archive, h5py.File(path, "w") as file:
        file.attrs["model_config"] = archive.read("config.json").decode()
        file.attrs["keras_version"] = "3.15.1"
        file["model_weights"] = np.zeros(1000, np.float32)


WHOLE = (DIGITS / "digits.keras").read_bytes()
PIXELS = np.zeros((5, 8, 8, 1), np.uint8)
FOLDER = {"quantize_representative": "'images'"}
TESTS = {"checks_data": "'images'"}
OWN = {"quantize_representative": "'s.npz'"}
LABELS = {"outputs_labels": "'l.txt'"}


def cut_h5(folder: Path) -> None:
    """Write an .h5 that ends too early."""
    h5_of_digits(folder / "whole.h5")
    (folder / "m.h5").write_bytes((folder / "whole.h5").read_bytes()[:3000])


def text(name: str, content: str, encoding: str = "utf-8") -> Callable[[Path], None]:
    """Return what writes a file of text."""

    def write(folder: Path) -> None:
        (folder / name).write_bytes(content.encode(encoding))

    return write


TEN = "".join(f"{i}\n" for i in range(10))
# What is wrong (files and values of the recipe), words of the refusal, and the same after its next step.
CASES: dict[
    str, tuple[tuple[Callable[[Path], object], Change], tuple[str, ...], tuple[Callable[[Path], object], Change]]
] = {
    "a file that is not there": (
        (lambda f: shutil.copy(DIGITS / "digits.keras", f / "digits.keras"), {"model_path": "'digit.keras'"}),
        ("line 3", "did you mean 'digits.keras'?"),
        (nothing, {"model_path": "'digits.keras'"}),
    ),
    "an output misspelled": (
        (nothing, {"outputs_name": "'digits'"}),
        ("recipe.toml: [[outputs]] name = 'digits'", "did you mean 'digit'?"),
        (nothing, {"outputs_name": "'digit'"}),
    ),
    "an input misspelled": (
        (lambda f: samples(f, image=PIXELS), {"inputs_name": "'imgae'", "quantize_representative": "'s.npz'"}),
        ("[[inputs]] name = 'imgae'", "did you mean 'image'?"),
        (lambda f: samples(f, image=PIXELS), {"inputs_name": "'image'", "quantize_representative": "'s.npz'"}),
    ),
    "an input's layer that is none": (
        (nothing, {"inputs_source": "'imgae'"}),
        ("[[inputs]] image: source = 'imgae'", "did you mean 'image'?"),
        (nothing, {"inputs_source": "'image'"}),
    ),
    "a shape that is not the model's": (
        (nothing, {"inputs_shape": "[9, 9, 1]"}),
        (
            "shape [9, 9, 1] does not fit the model's [8, 8, 1]",
            "give the shape without the batch axis, or leave it out",
        ),
        (nothing, {}),
    ),
    "a wrong number of labels": (
        (text("l.txt", TEN[:-2]), LABELS),
        (
            "l.txt: [[outputs]] digit: 9 labels for 10 classes",
            "give one label a line, in the order of the model's classes",
        ),
        (text("l.txt", TEN), LABELS),
    ),
    "a blank label": (
        (text("l.txt", TEN.replace("4\n", "\n")), LABELS),
        ("l.txt", "write one label a line, and none of them blank"),
        (text("l.txt", TEN), LABELS),
    ),
    "labels in another encoding": (
        (text("l.txt", TEN.replace("4", "vier \u00e9"), "latin-1"), LABELS),
        ("l.txt", "give a text file in UTF-8, one label a line"),
        (text("l.txt", TEN.replace("4", "vier \u00e9")), LABELS),
    ),
    "samples by another name": (
        (lambda f: samples(f, imgae=PIXELS), OWN),
        ("'imgae' is no input", "did you mean 'image'?"),
        (lambda f: samples(f, image=PIXELS), OWN),
    ),
    "samples without the input": (
        (lambda f: samples(f, y=np.zeros(5, int)), OWN),
        ("it holds no inputs", "save one array [N, ...] for each input"),
        (lambda f: samples(f, image=PIXELS), OWN),
    ),
    "samples of another shape": (
        (lambda f: samples(f, image=np.zeros((5, 9, 9, 1), np.uint8)), OWN),
        ("samples of shape [9, 9, 1], the model takes [8, 8, 1]", "one sample a row"),
        (lambda f: samples(f, image=PIXELS), OWN),
    ),
    "samples that were not normalized": (
        (lambda f: samples(f, image=np.full((5, 8, 8, 1), 255, np.float32)), OWN),
        ("255..255", "save pixels as uint8 (normalized for you), or normalize the floats the same way, or"),
        (lambda f: samples(f, image=np.full((5, 8, 8, 1), 255, np.uint8)), OWN),
    ),
    "samples in pieces": (
        (text("s.npz", "PK\x03\x04 no archive"), OWN),
        ("s.npz", "save it again: numpy.savez"),
        (lambda f: samples(f, image=PIXELS), OWN),
    ),
    "samples of another kind of file": (
        (text("s.csv", "1,2"), {"quantize_representative": "'s.csv'"}),
        ("'.csv' is not known", "give a .npz file or a folder"),
        (lambda f: samples(f, image=PIXELS), OWN),
    ),
    "int8 without data": (
        (nothing, {"quantize_representative": ""}),
        ("needs representative data", "give representative = 'samples.npz' or a folder of images; only a model of"),
        (lambda f: samples(f, image=PIXELS), OWN),
    ),
    "a folder without images": (
        (lambda f: (f / "images").mkdir(), FOLDER),
        ("no images in that folder", ".png", "files there"),
        (write_images("a.png"), FOLDER),
    ),
    "a broken image": (
        (write_images("a.png", broken="b.png"), FOLDER),
        ("b.png", "replace or remove that file"),
        (lambda f: (f / "images" / "b.png").unlink(), FOLDER),
    ),
    "a folder of no label": (
        (write_images("1/a.png", "one/a.png"), TESTS),
        ("folder 'one' is no label", "name the folders by the labels"),
        (lambda f: (f / "images" / "one").rename(f / "images" / "2"), TESTS),
    ),
    "an image beside the labels": (
        (write_images("1/a.png", "b.png"), TESTS),
        ("b.png lies beside the label folders", "move it into the folder of its label"),
        (lambda f: (f / "images" / "b.png").rename(f / "images" / "1" / "b.png"), TESTS),
    ),
    "a limit that needs the truth": (
        (lambda f: samples(f, image=PIXELS), {"checks_data": "'s.npz'", "checks_max_drop": "0.01"}),
        ("max_drop needs y", "add y: one class number for each sample"),
        (lambda f: samples(f, image=PIXELS, y=np.zeros(5, int)), {"checks_data": "'s.npz'", "checks_max_drop": "0.01"}),
    ),
    "a colour that the channels are not": (
        (lambda f: samples(f, image=PIXELS), OWN | {"inputs_color": "'rgb'"}),
        ("color 'rgb' does not fit 1 channels", "leave color out"),
        (nothing, OWN),
    ),
    "a structure for a whole model": (
        (text("j.json", "{}"), {"model_structure": "'j.json'"}),
        ("which holds its own", "leave structure out"),
        (nothing, {}),
    ),
    "text for a number": (
        (nothing, {"quantize_count": "'200'"}),
        ("a whole number, without quotes",),
        (nothing, {"quantize_count": "200"}),
    ),
    "a model that is cut short": (
        (
            lambda f: (f / "m.keras").write_bytes((DIGITS / "digits.keras").read_bytes()[:9000]),
            {"model_path": "'m.keras'"},
        ),
        ("cut short", "copy or save it again"),
        (lambda f: shutil.copy(DIGITS / "digits.keras", f / "m.keras"), {"model_path": "'m.keras'"}),
    ),
    "an .h5 that is cut short": (
        (cut_h5, {"model_path": "'m.h5'"}),
        ("it is cut short: 3,000 of", "copy or save it again"),
        (lambda f: h5_of_digits(f / "m.h5"), {"model_path": "'m.h5'"}),
    ),
    "a file that is no model": (
        (text("m.keras", "not a model"), {"model_path": "'m.keras'"}),
        ("not a Keras model", "save the whole model again"),
        (lambda f: shutil.copy(DIGITS / "digits.keras", f / "m.keras"), {"model_path": "'m.keras'"}),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_next_step_gets_past_the_refusal(tmp_path: Path, name: str) -> None:
    (make, wrong), words, (mend, right) = CASES[name]
    make(tmp_path)
    with pytest.raises(KitError) as caught:
        planned(write_recipe(tmp_path, **wrong))
    for word in (*words, "next: "):
        assert word in str(caught.value)
    mend(tmp_path)
    assert planned(write_recipe(tmp_path, **right)).sources


def test_values_on_the_command_line() -> None:
    for wrong, refused, right in ((memory_bytes, "8 gigs", "8g"), (memory_bytes, "", "512m")):
        with pytest.raises(RecipeError, match="write 512m or 8g"):
            wrong(refused)
        assert wrong(right) > 0
    with pytest.raises(RecipeError, match="give a number of seconds above 0"):
        seconds(0)
    assert seconds(1) == 1.0
    with pytest.raises(RecipeError, match="auto, docker, local"):
        choose_engine("podman", print)
    assert choose_engine("local", print).name == "local"
    recipe = load_recipe(DIGITS / "recipe.toml")
    with pytest.raises(RecipeError, match=r"give one such as 2\.19\.1, or auto: the newest"):
        recipe.with_tensorflow("two")
    assert recipe.with_tensorflow("2.19.1").toolchain.tensorflow == "2.19.1"


def test_the_line_for_samples_with_nan_leaves_these_out() -> None:
    """kit.worker.evaluation.data prints it."""
    array = np.ones((3, 2, 2), np.float32)
    array[1, 0, 0] = np.nan
    assert len(array[np.isfinite(array).reshape(len(array), -1).all(axis=1)]) == 2


def test_a_model_whose_description_is_not_certain_is_left_to_the_worker(tmp_path: Path) -> None:
    """Names in a dict, wrappers that go, and classes of the user's own: none is refused here."""
    with zipfile.ZipFile(DIGITS / "digits.keras") as archive:
        whole = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(whole["config.json"])
    recipe = load_recipe(write_recipe(tmp_path, outputs_name="'nowhere'"))
    for change in ({"class_name": "Own"}, {"dict": True}, {"wrapped": True}):
        other = json.loads(json.dumps(config))
        if "class_name" in change:
            other |= change
        if "dict" in change:
            other["config"] |= {"class_name": "Functional", "input_layers": {"a": ["image", 0, 0]}}
            other["class_name"] = "Functional"
        if "wrapped" in change:
            other["config"]["layers"][-1]["class_name"] = "QuantizeWrapperV2"
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, content in {**whole, "config.json": json.dumps(other).encode()}.items():
                archive.writestr(name, content)
        (tmp_path / "m.keras").write_bytes(packed.getvalue())
        refuse_misfits(recipe, [read_model_file(tmp_path / "m.keras")], {})
    with pytest.raises(RecipeError, match="nowhere"):
        refuse_misfits(recipe, [read_model_file(DIGITS / "digits.keras")], {})


def weights_of(folder: Path, count: int) -> None:
    """Write a .h5 model with that many more numbers: claimed, and not written."""
    with zipfile.ZipFile(DIGITS / "digits.keras") as archive, h5py.File(folder / "m.h5", "w") as file:
        file.attrs["model_config"], file.attrs["keras_version"] = archive.read("config.json").decode(), "3.15.1"
        file.create_dataset("model_weights/wide", (count,), np.float32, chunks=(1 << 20,))
        file.create_dataset("optimizer_weights/wide", (10 * count,), np.float32, chunks=(1 << 20,))


def test_weights_beyond_what_a_file_can_be_are_taken_in_fewer_bits(tmp_path: Path) -> None:
    def said(count: int, scheme: str, more: str = "") -> str:
        (tmp_path / "recipe.toml").write_text(
            f"[model]\npath = 'm.h5'\nid = 'm'\n[quantize]\nscheme = '{scheme}'\n{more}", "utf-8"
        )
        weights_of(tmp_path, count)
        try:
            planned(tmp_path / "recipe.toml")
        except KitError as error:
            return f"{error}"
        return "planned"

    large, small = 600_000_000, 500_000_000
    refused = said(large, "float32")
    assert "m.h5: 2.4 GB of weights, and a .tflite file can be 2 GB" in refused
    assert 'use [quantize] scheme = "float16", "dynamic" or "int8"' in refused
    assert said(large, "float16") == said(large, "dynamic") == said(small, "float32") == "planned"
    assert said(large, "float32", "[[outputs]]\nname = 'cut'\nsource = 'digit'\n") == "planned"
