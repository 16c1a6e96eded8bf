"""`kit init`: the recipe that it writes for a model, and for its data; it plans and builds as it stands."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import text_models
from models import keras3_model
from PIL import Image
from source_models import written
from text_files import vectorizer, write_keras
from third_party import fetch
from worlds import DIGITS, run_kit

from kit.build.plan import make_plan
from kit.init.description import Tensor
from kit.init.guess_inputs import InputGuess
from kit.init.guess_outputs import guess_outputs
from kit.init.identity import id_of
from kit.init.make import Made, Request, make
from kit.init.question import asker, take_default
from kit.init.split import split
from kit.init.tables import boxed_outputs, npz_arrays
from kit.progress import Reporter
from kit.recipe.load import load_recipe


def initialized(model: Path, folder: Path, data: Path | None = None) -> tuple[dict[str, Any], Made]:
    """Return the recipe that init writes without asking, after it was read and planned as a build does."""
    out = folder / "recipe.toml"
    made = make(Request(model, out, data, "local"), take_default, Reporter(quiet=True))
    make_plan(load_recipe(out), "")
    return tomllib.loads(out.read_text("utf-8")), made


def test_a_gray_image_with_a_softmax_is_an_image_of_classes(tmp_path: Path) -> None:
    recipe, made = initialized(DIGITS / "digits.keras", tmp_path)
    assert recipe["quantize"] == {"scheme": "dynamic"}
    (image,) = recipe["inputs"]
    assert image == {"name": "image", "kind": "image", "mean": [0.0], "std": [255.0]}
    (digit,) = recipe["outputs"]
    assert (digit["kind"], (tmp_path / digit["labels"]).resolve()) == ("classes", (DIGITS / "labels.txt").resolve())
    assert any("does not say how pixels were normalized" in doubt for doubt in made.doubts)
    assert "# CHECK: the model does not say how pixels" in (tmp_path / "recipe.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("kind", "inputs", "outputs"),
    [
        ("two_in_three_out", {"image": "image"}, {"digit": "classes", "box": "tensor", "embedding": "embedding"}),
        pytest.param("gru", {"sequence": "tensor"}, {"score": "tensor"}, marks=pytest.mark.slow),
        ("float_ids", {"ids": "tensor"}, {"score": "tensor"}),
        ("keras2_onet_h5", {"face": "image"}, {"box": "tensor", "landmarks": "tensor", "score": "classes"}),
        pytest.param("hostile", {}, {"0digit": "classes", "fun.1": "tensor"}, marks=pytest.mark.slow),
    ],
)
def test_small_models_get_the_kinds_of_their_tensors(
    tmp_path: Path, toolchain_python: Path, kind: str, inputs: dict[str, str], outputs: dict[str, str]
) -> None:
    model = keras3_model(
        toolchain_python, tmp_path / f"a model {kind}{'.h5' if kind.endswith('h5') else '.keras'}", kind
    )
    recipe, _ = initialized(model, tmp_path)
    assert {tensor["name"]: tensor["kind"] for tensor in recipe.get("inputs", [])} == inputs
    assert {tensor["name"]: tensor["kind"] for tensor in recipe["outputs"]} == outputs
    if kind == "float_ids":
        assert recipe["inputs"][0] | {"name": "ids"} == {
            "name": "ids", "kind": "tensor", "dtype": "int32", "range": [0, 999],
        }  # fmt: skip


def test_a_vectorization_becomes_an_input_of_text(tmp_path: Path, toolchain_python: Path) -> None:
    written(toolchain_python, "topics", tmp_path, Path(text_models.__file__))
    recipe, _ = initialized(tmp_path / "model.keras", tmp_path)
    assert recipe["inputs"] == [{"name": "text", "kind": "text", "source": "words"}]
    assert [output["kind"] for output in recipe["outputs"]] == ["classes"]


def test_an_array_is_split_with_a_fixed_seed_and_auto_is_asked_for(tmp_path: Path) -> None:
    recipe, _ = initialized(DIGITS / "digits.keras", tmp_path, DIGITS / "test.npz")
    assert recipe["quantize"] == {"scheme": "auto", "representative": "digits-data/calibration.npz"}
    assert recipe["checks"] == {"data": "digits-data/checks.npz", "max_drop": 0.01}
    with np.load(tmp_path / "digits-data/calibration.npz") as file:
        calibration = {row.tobytes() for row in file["image"]}
        assert set(file.files) == {"image"}
    with np.load(tmp_path / "digits-data/checks.npz") as file:
        assert set(file.files) == {"image", "y"}
        assert not calibration & {row.tobytes() for row in file["image"]}
        assert set(file["y"].tolist()) == set(range(10))


@pytest.mark.parametrize(("largest", "units"), [(0.9, "normalized"), (60.0, "pixels")])
def test_boxes_in_the_data_make_an_output_boxes_whatever_its_name(tmp_path: Path, largest: float, units: str) -> None:
    held = tmp_path / "held.npz"
    boxes = np.full((20, 4, 5), largest)
    boxes[..., 0] = 3  # the class
    np.savez(held, photo=np.zeros((20, 64, 64, 1), np.uint8), **{"y/out": boxes, "y": np.zeros(20)})  # type: ignore[arg-type]
    outputs = [Tensor("out", (14, 64))]
    assert boxed_outputs(npz_arrays(held), outputs) == {"out": units}
    photo = InputGuess(Tensor("photo", (64, 64, 1)), "image")
    (plain,) = guess_outputs(outputs, [photo], [], take_default)
    (guess,) = guess_outputs(outputs, [photo], [], take_default, boxed_outputs(npz_arrays(held), outputs))
    assert (plain.kind, guess.kind, guess.keys["head"], guess.keys["units"]) == ("tensor", "boxes", "yolo", units)
    assert f"the data has boxes as y/out, {units}" in guess.reasons


def test_label_folders_become_labels_and_links(tmp_path: Path) -> None:
    model = tmp_path / "alone" / "digits.keras"
    model.parent.mkdir()
    shutil.copy(DIGITS / "digits.keras", model)
    rng = np.random.default_rng(3)
    for label in range(10):
        folder = tmp_path / "my photos" / f"n{label}"
        folder.mkdir(parents=True)
        for number in range(4):
            Image.fromarray(rng.integers(0, 255, (8, 8), np.uint8)).save(folder / f"{number}.png")
    shutil.copy(tmp_path / "my photos/n0/0.png", tmp_path / "my photos/n0/again.png")
    recipe, _ = initialized(model, tmp_path, tmp_path / "my photos")
    (digit,) = recipe["outputs"]
    assert (tmp_path / digit["labels"]).read_text() == "".join(f"n{label}\n" for label in range(10))
    sides = [
        sorted((tmp_path / recipe[table][key]).rglob("*.png"))
        for table, key in (("quantize", "representative"), ("checks", "data"))
    ]
    contents = [{path.read_bytes() for path in side} for side in sides]
    assert (sum(map(len, sides)), len(sides[0]) in {10, 11}) == (41, True)
    assert not contents[0] & contents[1], "the same image calibrates and checks"
    assert {path.parent.name for path in sides[1]} == {f"n{label}" for label in range(10)}
    assert not any(path.readlink().is_absolute() for side in sides for path in side)


def test_floats_of_the_data_say_how_pixels_were_normalized(tmp_path: Path) -> None:
    values = np.random.default_rng(1).uniform(-1, 1, (40, 8, 8, 1)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=values)
    recipe, made = initialized(DIGITS / "digits.keras", tmp_path, tmp_path / "x.npz")
    assert recipe["inputs"][0]["mean"] == [127.5] == recipe["inputs"][0]["std"]
    assert recipe["checks"]["min_agreement"] == 0.98
    assert not any("pixels" in doubt for doubt in made.doubts)


def test_nothing_is_overwritten_and_nothing_is_left_behind(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("mine")
    done = run_kit("init", str(DIGITS / "digits.keras"), "--yes", cwd=tmp_path)
    assert (done.returncode, (tmp_path / "recipe.toml").read_text()) == (2, "mine")
    assert "recipe.toml: it is there already, and init never overwrites" in done.stderr
    assert "--out other.toml" in done.stderr
    (tmp_path / "digits-data").mkdir()
    done = run_kit(
        "init", str(DIGITS / "digits.keras"), "--data", str(DIGITS / "test.npz"), "--out", "other.toml", cwd=tmp_path
    )
    assert done.returncode == 2
    assert "digits-data: it is there already" in done.stderr
    assert not (tmp_path / "other.toml").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"\x89HDF\r\n\x1a\n and no more", b"TFL3"])
def test_a_broken_model_has_the_error_of_a_build(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.keras").write_bytes(content)
    (tmp_path / "by-hand.toml").write_text('[model]\npath = "m.keras"\nid = "m"\n')
    from kit.errors import ModelError

    with pytest.raises(ModelError) as built:
        make_plan(load_recipe(tmp_path / "by-hand.toml"), "")
    with pytest.raises(ModelError) as asked:
        make(Request(tmp_path / "m.keras", tmp_path / "recipe.toml"), take_default, Reporter(quiet=True))
    assert str(asked.value) == str(built.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["by-hand.toml", "m.keras"]


def test_a_model_that_reads_files_is_refused_as_a_build_refuses_it(tmp_path: Path) -> None:
    write_keras(tmp_path / "m.keras", vectorizer("words", vocabulary="/etc/passwd"))
    done = run_kit("init", "m.keras", "--yes", cwd=tmp_path)
    assert (done.returncode, (tmp_path / "recipe.toml").exists()) == (3, False)
    assert "asks for more than computing" in done.stderr


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("Blumen Größe (v2).keras", "blumen_grosse_v2"),
        ("花.keras", "model"),
        ("3d.h5", "model_3d"),
        ("class.keras", "model_class"),
        ("a" * 200 + ".keras", "a" * 80),
        ("__x__.keras", "x"),
        ("'; drop.keras", "drop"),
    ],
)
def test_any_file_name_gives_an_id(tmp_path: Path, name: str, identity: str) -> None:
    assert id_of(tmp_path / name) == identity


def test_a_folder_with_a_number_takes_the_name_around_it(tmp_path: Path) -> None:
    (tmp_path / "flowers" / "1").mkdir(parents=True)
    assert id_of(tmp_path / "flowers" / "1") == "flowers"


def test_at_most_five_questions_are_asked_and_wrong_ones_again(tmp_path: Path) -> None:
    asked: list[str] = []
    replies = iter(["nonsense", "", "sideways", "-1..1"])

    def read(prompt: str) -> str:
        asked.append(prompt)
        return next(replies)

    said: list[str] = []
    out = tmp_path / "recipe.toml"
    make(Request(DIGITS / "digits.keras", out), asker(read, said.append), Reporter(quiet=True))
    assert tomllib.loads(out.read_text())["inputs"][0]["mean"] == [127.5]
    assert [prompt.split("[")[-1] for prompt in asked] == ["none]: ", "none]: ", "0..1]: ", "0..1]: "]
    assert said == ["  there is no such file or folder\n", "  one of: 0..255, 0..1, -1..1\n"]
    ask = asker(lambda _: "x", said.append)
    from kit.init.question import Question

    assert [ask(Question("q", "default")) for _ in range(7)] == ["x"] * 5 + ["default"] * 2


def test_names_in_a_model_cannot_write_lines_of_the_recipe(tmp_path: Path) -> None:
    from kit.init.toml import Key, Table, recipe_text

    name = 'a"\n[checks]\ngate = false\x7f\u2028\\'
    text = recipe_text([name], [Table("[[inputs]]", [name], [Key("name", name, name)])])
    assert tomllib.loads(text) == {"inputs": [{"name": name}]}


def test_equal_samples_stay_on_one_side_and_each_class_is_on_both() -> None:
    contents = [row // 2 for row in range(120)]
    calibration, checks = split(contents, [row // 40 for row in range(120)])
    assert not {contents[row] for row in calibration} & {contents[row] for row in checks}
    assert {row // 40 for row in calibration} == {row // 40 for row in checks} == {0, 1, 2}
    assert (len(calibration), len(checks)) == (42, 78) or abs(len(calibration) - 40) <= 4
    assert split(contents, [0] * 120) == split(contents, [0] * 120)


def test_the_words_for_a_program_name_the_recipe(tmp_path: Path) -> None:
    """test_six_models.py and project/test_tutorial.py build what init writes."""
    shutil.copy(DIGITS / "digits.keras", tmp_path / "my digits.keras")
    done = run_kit("init", "my digits.keras", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["recipe"] == "recipe.toml"


@pytest.mark.slow
def test_a_face_of_fer_goes_from_its_file_to_an_app(tmp_path: Path) -> None:
    shutil.copy(fetch("fer"), tmp_path / "emotion.hdf5")
    for arguments in (
        ("init", "emotion.hdf5", "--yes"),
        ("build", "recipe.toml", "--engine", "local"),
        ("emulate", "dist/emotion"),
        ("android", "dist/emotion"),
    ):
        done = run_kit(*arguments, cwd=tmp_path)
        assert done.returncode == 0, (arguments, done.stdout[-2000:], done.stderr)
