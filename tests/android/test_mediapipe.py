"""MediaPipe Tasks reads the bundle's model as an app's would: labels and normalization from the file alone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_signature import signed
from models import keras3_model
from worlds import DIGITS, run_kit, write_recipe

from kit.android.proof.check_mediapipe import check_mediapipe, classify, find_misfit, mediapipe_step
from kit.android.proof.step import MissingToolError
from kit.bundle.metadata import About
from kit.bundle.write_metadata import write_metadata
from kit.errors import CheckError
from kit.tflite.metadata.decode import read_files
from kit.tflite.model import TfliteFile
from kit.tflite.reader import read_tflite


def quiet(_line: str) -> None:
    """Take a line of progress and drop it."""


@dataclass(frozen=True)
class World:
    """The digits in colour: how to build them in a scheme, and 50 of them with the right outputs."""

    build: Callable[..., Path]
    pixels: np.ndarray  # uint8 [50, 8, 8, 3]
    right: list[str]


@pytest.fixture(scope="session")
def digits_rgb(toolchain_python: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give the world of digits in colour."""
    folder = tmp_path_factory.mktemp("rgb")
    model = keras3_model(toolchain_python, folder / "digits.keras", "digits_rgb")
    for name in ("samples", "test"):
        with np.load(DIGITS / f"{name}.npz") as gray:
            arrays = {key: gray[key].repeat(3, axis=-1) if key == "image" else gray[key] for key in gray.files}
        np.savez(folder / f"{name}.npz", **arrays)
    with np.load(folder / "test.npz") as test:
        pixels, right = test["image"][:50], [str(y) for y in test["y"][:50]]

    def build(name: str, **changes: str) -> Path:
        recipe = write_recipe(
            folder / name,
            model_path=f"'{model}'",
            outputs_name="'digit_of_rgb'",
            checks_data=f"'{folder / 'test.npz'}'",
            quantize_representative=f"'{folder / 'samples.npz'}'",
            **changes,
        )
        done = run_kit("build", str(recipe), "--engine", "local", "--out", str(folder / name / "dist"))
        assert done.returncode == 0, done.stderr
        return folder / name / "dist" / "digits"

    return World(build, pixels, right)


@pytest.fixture(scope="session")
def uint8_bundle(digits_rgb: World) -> Path:
    """Give the digits in colour as an int8 model that takes and gives uint8."""
    return digits_rgb.build("uint8")


@pytest.fixture
def bundle(uint8_bundle: Path, tmp_path: Path) -> Path:
    """Give a copy of it to spoil."""
    shutil.copytree(uint8_bundle, tmp_path / "digits")
    return tmp_path / "digits"


def model_of(bundle: Path) -> Path:
    return bundle / "src/main/assets/digits/model.tflite"


def signature_of(bundle: Path) -> dict[str, Any]:
    return dict(json.loads((model_of(bundle).parent / "signature.json").read_text("utf-8")))


def right_of(bundle: Path, world: World) -> float:
    predictions = classify(model_of(bundle), world.pixels, quiet)
    assert len(predictions) == 50
    return float(
        np.mean([categories[0].label == right for categories, right in zip(predictions, world.right, strict=True)])
    )


def rewrite(bundle: Path, signature: dict[str, Any], labels: dict[str, bytes]) -> None:
    """Give the model other metadata."""
    path = model_of(bundle)
    path.write_bytes(write_metadata(path.read_bytes(), signed(signature, "digits"), About("digits", "1.0.0"), labels))


# ---------------------------------------------------------------- what MediaPipe says


def test_it_labels_digits_right_from_the_metadata_of_a_uint8_file(uint8_bundle: Path, digits_rgb: World) -> None:
    assert right_of(uint8_bundle, digits_rgb) >= 0.95
    step = mediapipe_step(uint8_bundle)
    assert (step.verdict, step.name) == ("pass", "MediaPipe"), step.detail
    assert "labels 8 images as the harness does" in step.detail


@pytest.mark.slow
def test_it_labels_digits_right_from_the_normalization_of_a_float_file(digits_rgb: World, tmp_path: Path) -> None:
    float32 = digits_rgb.build("float32", quantize_scheme="'float32'", quantize_io="'float32'")
    assert right_of(float32, digits_rgb) >= 0.95
    assert "labels 8 images as the harness does" in check_mediapipe(float32, quiet)
    spoiled = tmp_path / "digits"
    shutil.copytree(float32, spoiled)
    signature = signature_of(spoiled)
    signature["inputs"][0] |= {"mean": [255.0], "std": [64.0]}
    rewrite(spoiled, signature, read_files(model_of(spoiled)))
    step = mediapipe_step(spoiled)
    assert step.verdict == "fail", "the normalization comes from the metadata"
    assert "MediaPipe says" in step.detail


def test_other_labels_in_the_file_are_found_and_both_are_named(bundle: Path) -> None:
    names = b"".join(b"%d\n" % i for i in reversed(range(10)))
    rewrite(bundle, signature_of(bundle), {"labels.txt": names})
    step = mediapipe_step(bundle)
    assert step.verdict == "fail"
    assert "MediaPipe calls class" in step.detail
    assert step.hint


def test_scores_below_zero_and_below_the_threshold_are_outputs_too(bundle: Path, digits_rgb: World) -> None:
    signature = signature_of(bundle)
    signature["outputs"][0]["threshold"] = 0.5
    rewrite(bundle, signature, read_files(model_of(bundle)))
    predictions = classify(model_of(bundle), digits_rgb.pixels[:5], quiet)
    assert {len(categories) for categories in predictions} == {10}, (
        "the step compares scores; what an app keeps is its own matter"
    )
    assert mediapipe_step(bundle).verdict == "pass"


def test_a_sigmoid_is_applied_by_the_score_calibration_in_the_metadata(bundle: Path, digits_rgb: World) -> None:
    plain = classify(model_of(bundle), digits_rgb.pixels[:5], quiet)
    signature = signature_of(bundle)
    signature["outputs"][0]["activation"] = "sigmoid"
    rewrite(bundle, signature, {"labels.txt": read_files(model_of(bundle))["labels.txt"]})
    (model_of(bundle).parent / "signature.json").write_text(json.dumps(signature))
    bent = classify(model_of(bundle), digits_rgb.pixels[:5], quiet)
    tops = [(a[0].score, b[0].score) for a, b in zip(plain, bent, strict=True)]
    assert all(abs(1 / (1 + np.exp(-before)) - after) < 1e-5 for before, after in tops)
    assert mediapipe_step(bundle).verdict == "pass"


def test_a_model_that_mediapipe_refuses_is_reported_with_its_words(bundle: Path) -> None:
    signature = signature_of(bundle)
    signature["inputs"][0]["color"] = "bgr"  # the metadata says unknown
    rewrite(bundle, signature, read_files(model_of(bundle)))
    with pytest.raises(CheckError, match="Only RGB color space is supported"):
        check_mediapipe(bundle, quiet)


def test_a_missing_library_of_the_system_is_reported_with_the_way_to_get_it(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "libEGL.so.1").write_bytes(b"")
    monkeypatch.setenv("LD_LIBRARY_PATH", os.fspath(tmp_path / "broken"))
    step = mediapipe_step(bundle)
    assert (step.verdict, step.hint) == ("missing", "apt-get install libegl1 libgles2")
    assert "libEGL.so.1" in step.detail
    with pytest.raises(MissingToolError):
        check_mediapipe(bundle, quiet)
    monkeypatch.delenv("LD_LIBRARY_PATH")  # with the one that the package brings
    assert mediapipe_step(bundle).verdict == "pass"


def test_a_mediapipe_that_is_slow_is_tried_again_or_left_out(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as busy:
        busy.setattr("kit.android.proof.check_mediapipe._LIMIT", 0.01)
        with pytest.raises(CheckError, match="MediaPipe gave no result in") as error:
            check_mediapipe(bundle, quiet)
    assert error.value.hint == "try again on a free machine; the other steps of `kit android` do not need MediaPipe"
    assert mediapipe_step(bundle).verdict == "pass"


# ---------------------------------------------------------------- where no task fits


def test_an_image_in_gray_has_no_task_and_the_step_says_so(digits_bundle: Path) -> None:
    step = mediapipe_step(digits_bundle)
    assert step.verdict == "pass"
    assert step.detail == "no task fits: the image is grayscale, and MediaPipe feeds RGB"


@pytest.fixture(scope="session")
def file(digits_bundle: Path) -> TfliteFile:
    """Give a file with one graph."""
    return read_tflite(model_of(digits_bundle))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, None),
        ({"inputs.0.kind": "tensor"}, "no classifier of one image"),
        ({"inputs.0.color": "bgr"}, "the image is bgr"),
        ({"inputs.0.shape": [1, -1, -1, 3]}, "one of fixed size"),
        ({"inputs.0.shape": [4, 8, 8, 3]}, "one of fixed size"),
        ({"inputs.0.dtype": "int8"}, "the image is int8"),
        ({"inputs.0.zero_point": 3}, "up to 3 steps from what this model reads"),
        ({"inputs.0.scale": 1 / 127.5}, "up to 128 steps"),
        ({"inputs.0.dtype": "float32"}, None),
        ({"inputs.0.dtype": "float32", "inputs.0.std": [-255.0]}, "std is below 0"),
        ({"inputs.0.dtype": "float32", "inputs.0.mean": [0.0, 1.0, 2.0]}, "a mean and std of its own"),
        ({"outputs.0.labels": None}, "does not give one list of scores with labels"),
        ({"outputs.0.dtype": "int8"}, "its scores are int8"),
        ({"outputs.0.shape": [1, 4, 10]}, "reads one list"),
        ({"flex": ["FlexErf"]}, "TensorFlow's own kernels"),
    ],
)
def test_each_reason_why_no_task_fits_is_its_own_sentence(
    file: TfliteFile, change: dict[str, Any], why: str | None
) -> None:
    signature: dict[str, Any] = {
        "inputs": [{"name": "i", "kind": "image", "color": "rgb", "shape": [1, 8, 8, 3], "dtype": "uint8"}],
        "outputs": [{"name": "o", "kind": "classes", "labels": "labels.txt", "shape": [1, 10], "dtype": "uint8"}],
    }
    signature["inputs"][0] |= {"mean": [0.0], "std": [255.0], "scale": 1 / 255, "zero_point": 0}
    for place, value in change.items():
        table: Any = signature
        *parts, last = place.split(".")
        for part in parts:
            table = table[int(part) if part.isdigit() else part]
        table[last] = value
    found = find_misfit(signed(signature), file)
    assert (found is None) == (why is None)
    assert why is None or why in str(found)
