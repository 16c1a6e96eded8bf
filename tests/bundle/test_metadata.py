"""Metadata inside the model file: what stands in there, what stays untouched, and what a swap of it looks like."""

from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import pytest
from hostile_signature import signed
from worlds import run_kit, write_recipe

from kit.android.proof.check_metadata import metadata_step
from kit.build.bundle_signature import label_files, labels_of
from kit.bundle.metadata import About, describe
from kit.bundle.write_metadata import write_metadata
from kit.errors import ModelError
from kit.recipe.load import load_recipe
from kit.tflite.describe import describe as lines_of
from kit.tflite.metadata.attach import attach
from kit.tflite.metadata.decode import read_files, read_metadata
from kit.tflite.metadata.types import NAME
from kit.tflite.reader import read_tflite

ABOUT = About("digits", "1.2.3", "Reads a digit.", "A. Maker", "MIT", {"image": "a digit"}, {"digit": "which it is"})
LABELS = {"labels.txt": b"".join(b"%d\n" % i for i in range(10))}


@pytest.fixture
def signature(digits_bundle: Path) -> dict[str, Any]:
    """Give the digits' signature.json."""
    return dict(json.loads((assets(digits_bundle) / "signature.json").read_text("utf-8")))


@pytest.fixture
def finished(digits_bundle: Path) -> bytes:
    """Give the digits' model with its metadata, as the build wrote it."""
    return (assets(digits_bundle) / "model.tflite").read_bytes()


@pytest.fixture
def bare(finished: bytes) -> bytes:
    """Give the file as the converter wrote it: what lies between the new front and the archive."""
    with zipfile.ZipFile(io.BytesIO(finished)) as archive:
        end = min(entry.header_offset for entry in archive.infolist())
    # The front ends where the old file's header begins again, 64 bytes aligned.
    start = next(at for at in range(64, end, 64) if finished[at + 4 : at + 8] == b"TFL3")
    return finished[start:end]


@pytest.fixture
def bundle(digits_bundle: Path, tmp_path: Path) -> Path:
    """Give a copy of the bundle to spoil."""
    shutil.copytree(digits_bundle, tmp_path / "digits")
    return tmp_path / "digits"


def assets(bundle: Path) -> Path:
    return bundle / "src/main/assets/digits"


def change(bundle: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Edit signature.json."""
    path = assets(bundle) / "signature.json"
    signature = json.loads(path.read_text("utf-8"))
    edit(signature)
    path.write_text(json.dumps(signature), "utf-8")


# ---------------------------------------------------------------- what is written


def test_what_is_written_is_read_again(bare: bytes, signature: dict[str, Any]) -> None:
    model = write_metadata(bare, signed(signature), ABOUT, LABELS)
    found = read_metadata(model)
    assert found is not None
    assert (found.name, found.version, found.author, found.license) == ("digits", "1.2.3", "A. Maker", "MIT")
    (graph,) = found.subgraphs
    (image,), (digit,) = graph.inputs, graph.outputs
    assert (image.name, image.description, image.color, image.size) == ("image", "a digit", "grayscale", (8, 8))
    assert (image.mean, image.std, image.low, image.high) == ((0.0,), (255.0,), (0.0,), (255.0,))
    assert (digit.name, digit.description) == ("digit", "which it is")
    assert [(each.name, each.kind) for each in digit.files] == [("labels.txt", "labels")]
    assert read_files(model) == LABELS
    assert found == describe(read_tflite(bare), signed(signature), ABOUT)


def test_the_converters_bytes_stay_as_they_are_and_aligned(bare: bytes, signature: dict[str, Any]) -> None:
    for length in range(0, 64, 4):  # of what stands in front
        model = write_metadata(bare, signed(signature), About("digits", "1.0.0", "d" * length), LABELS)
        assert model.find(bare) % 64 == 0
    before, after = read_tflite(bare), read_tflite(model)
    assert (after.subgraphs, after.signatures) == (before.subgraphs, before.signatures)
    assert after.metadata[:-1] == before.metadata
    assert [each.name for each in after.metadata].count(NAME) == 1
    moved = [new.offset - old.offset for old, new in zip(before.buffers, after.buffers, strict=False) if old.size]
    assert set(moved) == {model.find(bare)}


def test_the_same_arguments_give_the_same_bytes(bare: bytes, signature: dict[str, Any]) -> None:
    assert write_metadata(bare, signed(signature), ABOUT, LABELS) == write_metadata(
        bare, signed(dict(signature)), ABOUT, dict(LABELS)
    )
    with zipfile.ZipFile(io.BytesIO(write_metadata(bare, signed(signature), ABOUT, LABELS))) as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


def test_metadata_that_was_there_is_replaced(bare: bytes, signature: dict[str, Any]) -> None:
    once = write_metadata(bare, signed(signature), About("old", "0.0.1"), {"labels.txt": b"old\n"})
    twice = write_metadata(once, signed(signature), ABOUT, LABELS)
    assert [each.name for each in read_tflite(twice).metadata].count(NAME) == 1
    found = read_metadata(twice)
    assert (found and found.name, read_files(twice)) == ("digits", LABELS)


@pytest.mark.parametrize(("activation", "written"), [("none", True), ("sigmoid", True), ("softmax", False)])
def test_a_threshold_is_written_where_readers_hold_it_against_the_apps_own_scores(
    bare: bytes, signature: dict[str, Any], activation: str, written: bool
) -> None:
    signature["outputs"][0] |= {"activation": activation, "threshold": 0.25}
    model = write_metadata(bare, signed(signature), ABOUT, LABELS)
    found = read_metadata(model)
    assert found is not None
    digit = found.subgraphs[0].outputs[0]
    assert digit.threshold == (0.25 if written else None)
    assert digit.sigmoid == (activation == "sigmoid")
    calibration = read_files(model).get("calibration_labels.txt")
    assert calibration == (b"\n".join([b"1,1,0"] * 10) if activation == "sigmoid" else None)


def test_a_colour_that_the_format_does_not_have_is_unknown_and_float_ends_are_normalized(
    bare: bytes, signature: dict[str, Any]
) -> None:
    signature["inputs"][0] |= {"color": "bgr", "dtype": "float32", "scale": None, "mean": [127.5], "std": [-127.5]}
    found = read_metadata(write_metadata(bare, signed(signature), ABOUT, LABELS))
    assert found is not None
    image = found.subgraphs[0].inputs[0]
    assert (image.color, image.low, image.high) == ("", (-1.0,), (1.0,))


def test_text_in_any_language_survives(bare: bytes, signature: dict[str, Any]) -> None:
    about = About("digits", "1.0.0", "Erkennt Ziffern: größer, 数字, 🙂\n\x1b[31m", inputs={"image": "\u202e"})
    model = write_metadata(bare, signed(signature), about, {"labels.txt": "ä\n字\n".encode()})
    found = read_metadata(model)
    assert found is not None
    assert found.description == about.description
    assert not [line for line in lines_of(read_tflite(model)) if "\x1b" in line], "safe for a terminal"


def test_a_file_whose_constants_lie_behind_its_tables_keeps_them(toolchain_python: Path, tmp_path: Path) -> None:
    """As the converter writes what is too large for offsets of 32 bits: those count from the file's begin."""
    code = """
import sys, numpy as np, tensorflow as tf
w = tf.constant(np.arange(64, dtype=np.float32).reshape(8, 8))
f = tf.function(lambda x: {"y": tf.matmul(x, w)}, input_signature=[tf.TensorSpec([1, 8], name="x")])
converter = tf.lite.TFLiteConverter.from_concrete_functions([f.get_concrete_function()])
converter._experimental_use_buffer_offset = True
open(sys.argv[1], "wb").write(converter.convert())
"""
    path = tmp_path / "offsets.tflite"
    subprocess.run([str(toolchain_python), "-c", code, str(path)], check=True, capture_output=True)
    before = read_tflite(path)
    after = read_tflite(attach(path.read_bytes(), b"\x08\0\0\0M001" + bytes(8), {}))
    assert any(buffer.offset > 1 and buffer.size == 256 for buffer in before.buffers)
    assert after.subgraphs == before.subgraphs, "the constants' digests are the same"


def test_a_file_with_what_is_newer_than_the_pinned_versions_is_converted_by_one_of_them(bare: bytes) -> None:
    """With one more field in its root: what later converters put constants in other files by."""
    builder = flatbuffers.Builder(64)
    builder.StartVector(4, 0, 4)
    groups = builder.EndVector()
    builder.StartObject(9)
    builder.PrependUint32Slot(0, 3, 0)
    builder.PrependUOffsetTRelativeSlot(8, groups, 0)
    builder.Finish(builder.EndObject(), b"TFL3")
    metadata = b"\x08\0\0\0M001" + bytes(8)
    with pytest.raises(ModelError, match="it holds constants in other files, or what is newer than them") as error:
        attach(bytes(builder.Output()), metadata, {})
    assert error.value.hint == "convert it with a TensorFlow that `kit toolchains` lists"
    assert attach(bare, metadata, {})


# ---------------------------------------------------------------- damage


def test_a_model_with_metadata_of_another_format_or_damaged_is_refused_by_name(
    bare: bytes, finished: bytes, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="not marked M001"):
        read_metadata(attach(bare, b"\x08\0\0\0M999" + bytes(8), {}))
    at = finished.index(b"M001")
    for root in (0x7FFFFFFF, 0xFFFFFFF0):  # where the first table is said to be
        spoiled = bytearray(finished)
        struct.pack_into("<I", spoiled, at - 4, root)
        with pytest.raises(ModelError, match="damaged"):
            read_metadata(bytes(spoiled))
    shown = lines_of(read_tflite(attach(bare, b"\x08\0\0\0M999" + bytes(8), {})))
    assert any("not marked M001" in line for line in shown), "inspect still shows the rest"


def test_no_damaged_byte_of_the_metadata_raises_anything_but_a_model_error(finished: bytes) -> None:
    at = finished.index(b"M001") - 4
    refused = 0
    for where in range(at, at + 530):
        spoiled = bytearray(finished)
        spoiled[where] ^= 0xFF if where % 2 else 0x81
        try:
            read_metadata(bytes(spoiled))
        except ModelError:
            refused += 1
    # The others change a text or a number, which no reader can know for wrong.
    assert 100 < refused < 530


def test_a_file_that_is_no_model_is_refused(signature: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=r"not a \.tflite file"):
        write_metadata(b"nothing", signed(signature), ABOUT, LABELS)


# ---------------------------------------------------------------- the build


def test_a_build_writes_what_the_recipe_says_of_the_model(digits_bundle: Path, tmp_path: Path) -> None:
    recipe = write_recipe(
        tmp_path / "r",
        model_description="'Reads digits.'",
        model_author="'Ada'",
        model_license="'MIT'",
        inputs_description="'one digit'",
        outputs_threshold="0.5",
        checks_max_bytes="40_000",
    )
    done = run_kit("build", str(recipe), "--engine", "local", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    found = read_metadata(assets(tmp_path / "digits") / "model.tflite")
    assert found is not None
    assert (found.description, found.author, found.license) == ("Reads digits.", "Ada", "MIT")
    assert found.subgraphs[0].inputs[0].description == "one digit"
    assert found.subgraphs[0].outputs[0].threshold == 0.5
    manifest = json.loads((tmp_path / "digits" / "bundle.json").read_text("utf-8"))
    (weighed,) = [each for each in manifest["checks"] if each["name"] == "max_bytes"]
    assert weighed["value"] == f"{(assets(tmp_path / 'digits') / 'model.tflite').stat().st_size:,} B"
    same = [read_tflite(assets(each) / "model.tflite").subgraphs for each in (digits_bundle, tmp_path / "digits")]
    assert same[0] == same[1], "the worker's product is the same"
    done = run_kit("diff", str(digits_bundle), str(tmp_path / "digits"))
    assert done.returncode == 6
    assert "only in B: model author 'Ada'" in done.stdout
    assert "the same structure" in done.stdout


def test_labels_in_the_model_are_the_labels_beside_it(digits_bundle: Path, tmp_path: Path) -> None:
    (name,) = label_files(labels_of(load_recipe(write_recipe(tmp_path))))
    inside = read_files(assets(digits_bundle) / "model.tflite")
    assert inside[name] == (assets(digits_bundle) / name).read_bytes()


# ---------------------------------------------------------------- the step of the proof


def test_the_step_passes_a_fresh_bundle_and_says_what_it_read(bundle: Path) -> None:
    step = metadata_step(bundle)
    assert step.verdict == "pass", step.detail
    assert "2 inputs and outputs" in step.detail
    assert "labels.txt" in step.detail


def test_the_step_finds_a_swapped_labels_file_and_shows_both(bundle: Path) -> None:
    path = assets(bundle) / "labels.txt"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    step = metadata_step(bundle)
    assert step.verdict == "fail"
    assert "'0', '1', '2', ... in the model, 10 lines '9', '8', '7', ... beside it" in step.detail
    assert step.hint


def test_the_step_finds_a_wrong_mean_and_names_both_values(bundle: Path) -> None:
    change(bundle, lambda signature: signature["inputs"][0].update(mean=[127.5]))
    step = metadata_step(bundle)
    assert step.verdict == "fail"
    assert "image: mean [0] in the metadata, [127.5] in signature.json" in step.detail


def test_the_step_finds_a_mean_that_is_wrong_in_both_by_the_recipe(bundle: Path, bare: bytes) -> None:
    change(bundle, lambda signature: signature["inputs"][0].update(mean=[127.5]))
    signature = json.loads((assets(bundle) / "signature.json").read_text("utf-8"))
    about = About("digits", "1.0.0")
    (assets(bundle) / "model.tflite").write_bytes(write_metadata(bare, signed(signature), about, LABELS))
    step = metadata_step(bundle)
    assert step.verdict == "fail"
    assert "image: mean [127.5] in the metadata, [0] in the recipe" in step.detail


def test_the_step_finds_a_model_without_metadata_and_one_without_its_labels(
    bundle: Path, bare: bytes, signature: dict[str, Any]
) -> None:
    model = assets(bundle) / "model.tflite"
    model.write_bytes(bare)
    assert metadata_step(bundle).detail == "model.tflite has no metadata"
    model.write_bytes(write_metadata(bare, signed(signature), About("digits", "1.0.0"), {}))
    assert "labels.txt: none in the model" in metadata_step(bundle).detail
    model.write_bytes(b"gone")
    assert metadata_step(bundle).verdict == "fail"
    model.unlink()
    assert metadata_step(bundle).verdict == "fail"
