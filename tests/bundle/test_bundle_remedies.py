"""Bundles that are damaged, in the way or without their model: refused, followed by what the next step says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from worlds import DIGITS, run_kit

from kit.android.codegen.write_sources import _allowed
from kit.build.verify import _recipe, _source, find_models
from kit.bundle.golden_bin import golden_sections
from kit.bundle.layout import Bundle
from kit.bundle.manifest import BUNDLE, read_intact, read_manifest
from kit.bundle.signature import read_signature
from kit.errors import CheckError, KitError, ModelError, OutputError, RecipeError
from kit.files import check_place, replacing

TFLITE = "src/main/assets/digits/model.tflite"


@pytest.fixture
def bundle(digits_bundle: Path, tmp_path: Path) -> Path:
    """Give a copy of the digits bundle to spoil, in a folder of its own."""
    return Path(shutil.copytree(digits_bundle, tmp_path / "dist" / "digits"))


def change(bundle: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    """Edit bundle.json."""
    manifest = json.loads((bundle / "bundle.json").read_text("utf-8"))
    edit(manifest)
    (bundle / "bundle.json").write_text(json.dumps(manifest), "utf-8")


def flip(bundle: Path) -> None:
    """Change one byte of the model."""
    content = bytearray((bundle / TFLITE).read_bytes())
    content[20_000] ^= 1
    (bundle / TFLITE).write_bytes(content)


def put_built(bundle: Path, built: Path) -> None:
    """Put a bundle in the place as a build does it."""
    check_place(bundle, BUNDLE)
    with replacing(bundle, BUNDLE) as staging:
        shutil.copytree(built, staging, dirs_exist_ok=True)


def test_a_changed_bundle_is_whole_when_it_is_built_again(bundle: Path, tmp_path: Path) -> None:
    flip(bundle)
    done = run_kit("emulate", str(bundle))
    assert done.returncode == 4
    assert "next: build it again" in done.stderr
    built = run_kit("build", str(DIGITS), "--engine", "local", "--out", str(bundle.parent))
    assert built.returncode == 0, built.stderr
    assert run_kit("emulate", str(bundle)).returncode == 0


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (flip, "is not as it was built"),
        (lambda bundle: (bundle / TFLITE).unlink(), "missing: "),
        (lambda bundle: change(bundle, lambda m: m.update(format=2)), "its format is 2, and this dropkit knows 4"),
        (lambda bundle: change(bundle, lambda m: m.update(id="Digits")), "bundle.json is none that a build writes"),
        (lambda bundle: change(bundle, lambda m: m.pop("signature")), "bundle.json is none that a build writes"),
    ],
)
def test_a_place_with_a_damaged_bundle_takes_the_one_that_is_built_again(
    bundle: Path, digits_bundle: Path, spoil: Callable[[Path], object], says: str
) -> None:
    spoil(bundle)
    with pytest.raises(KitError, match=says) as error:
        read_intact(bundle)
    assert error.value.hint == "build it again"
    put_built(bundle, digits_bundle)
    assert read_intact(bundle)


def test_a_folder_that_is_no_bundle_has_to_name_one(bundle: Path) -> None:
    with pytest.raises(RecipeError, match="no bundle") as error:
        read_manifest(bundle.parent)
    assert error.value.hint == "name a folder that `build` wrote"
    assert read_manifest(bundle).id == "digits"


def test_a_file_of_the_users_own_is_moved_out(bundle: Path) -> None:
    (bundle / "mine.txt").write_text("mine")
    with pytest.raises(CheckError, match=r"not of the bundle: mine\.txt") as error:
        read_intact(bundle)
    assert error.value.hint == "move those files to another folder"
    with pytest.raises(OutputError, match=r"not replaced, .*: mine\.txt") as place:
        check_place(bundle, BUNDLE)
    assert place.value.hint == "move them to another folder, or choose another one with --out"
    check_place(bundle.parent / "other" / "digits", BUNDLE)
    (bundle / "mine.txt").rename(bundle.parent / "mine.txt")
    assert read_intact(bundle)
    check_place(bundle, BUNDLE)


def test_a_bundle_whose_manifest_is_lost_is_cleared_away_by_hand(bundle: Path, digits_bundle: Path) -> None:
    (bundle / "mine.txt").write_text("mine")
    (bundle / "bundle.json").write_text("{")
    with pytest.raises(OutputError, match=r"bundle\.json is damaged") as error:
        check_place(bundle, BUNDLE)
    assert error.value.hint == "move what is yours out of it, remove the folder, and make the bundle again"
    (bundle / "mine.txt").rename(bundle.parent / "mine.txt")
    shutil.rmtree(bundle)
    put_built(bundle, digits_bundle)
    assert read_intact(bundle)


@pytest.mark.parametrize("step", ["another folder with --out", "or another [model] id", "or remove it"])
def test_a_folder_of_something_else_is_left_and_the_bundle_goes_elsewhere(tmp_path: Path, step: str) -> None:
    thesis = tmp_path / "digits" / "thesis.tex"
    thesis.parent.mkdir()
    thesis.write_text("years of work")
    with pytest.raises(OutputError, match="something that is no bundle is in the way") as error:
        check_place(thesis.parent, BUNDLE)
    assert error.value.hint == "choose another folder with --out, or another [model] id, or remove it"
    if step == "or remove it":
        shutil.rmtree(thesis.parent)
    out = tmp_path / ("other" if "--out" in step else "")
    check_place(out / ("others" if "id" in step else "digits"), BUNDLE)
    assert step == "or remove it" or thesis.exists()


# ---------------------------------------------------------------- verify


def test_the_models_of_a_bundle_are_named_as_the_next_step_has_it(bundle: Path, tmp_path: Path) -> None:
    (bundle.parent / "digits.build.json").unlink(missing_ok=True)
    with pytest.raises(RecipeError, match=r"its source model digits\.keras is not at hand") as error:
        find_models(bundle, [])
    assert error.value.hint == "name it: --model path/to/digits.keras"
    assert find_models(bundle, [str(DIGITS / "digits.keras")]) == [DIGITS / "digits.keras"]
    with pytest.raises(RecipeError, match="it was made of 1 models, and 2 are named") as several:
        find_models(bundle, ["a", "b"])
    assert several.value.hint == "name each in its order: --model path/to/digits.keras"
    manifest = read_manifest(bundle)
    with pytest.raises(RecipeError, match="the source model cannot be read") as gone:
        _source([tmp_path / "none.keras"], manifest)
    assert gone.value.hint == "name it with --model"
    assert _source([DIGITS / "digits.keras"], manifest).holds


def test_a_recipe_in_a_bundle_that_is_none_is_one_when_it_is_built_again(bundle: Path, digits_bundle: Path) -> None:
    manifest = read_manifest(bundle)
    change(bundle, lambda raw: raw["recipe"]["model"].pop("path"))
    with pytest.raises(RecipeError, match=r"its recipe is none: model\.path") as error:
        _recipe(bundle, read_manifest(bundle), allow_code=False)
    assert error.value.hint == "build it again"
    put_built(bundle, digits_bundle)
    assert _recipe(bundle, manifest, allow_code=False).model.id == "digits"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"std": [0.0]}, r"std is \[0.0\], and pixels are divided by it"),
        ({"mean": [0.0, 0.0, 0.0]}, r"mean is \[0.0, 0.0, 0.0\], and the image has 1 channels"),
        ({"std": [None]}, r"std is \[None\], and the image has 1 channels"),
        ({"shape": [1, 8, 8]}, r"shape is \[1, 8, 8\], and its kind is image"),
    ],
)
def test_a_signature_whose_image_cannot_be_normalized_is_refused(
    bundle: Path, digits_bundle: Path, change: dict[str, Any], why: str
) -> None:
    path = Bundle(bundle, "digits").signature
    document = json.loads(path.read_text("utf-8"))
    document["inputs"][0].update(change)
    path.write_text(json.dumps(document), "utf-8")
    with pytest.raises(RecipeError, match=why) as error:
        read_signature(path)
    assert error.value.hint == "build the bundle again"
    put_built(bundle, digits_bundle)
    assert read_signature(path).main.inputs


# ---------------------------------------------------------------- golden vectors


def test_golden_vectors_that_do_not_fit_do_when_the_bundle_is_built_again(bundle: Path, digits_bundle: Path) -> None:
    golden = Bundle(bundle, "digits").golden_npz
    signature = read_signature(Bundle(bundle, "digits").signature)
    golden.write_text("none")
    with pytest.raises(ModelError, match="the golden vectors cannot be read") as error:
        _allowed(signature, golden)
    assert error.value.hint == "build the bundle again"
    put_built(bundle, digits_bundle)
    assert _allowed(signature, golden)
    with np.load(golden) as archive:
        arrays = {name: archive[name] for name in archive.files}
    with pytest.raises(ModelError, match=r"a call(.|\n)*build the bundle again"):
        golden_sections(signature, arrays | {"input/image": np.zeros(())})
    assert golden_sections(signature, arrays)
