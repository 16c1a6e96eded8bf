"""Bundles that a broken build left, each digest made to fit: `emulate` says what is off, how far, and what it may be.

A changed file under the old digests is named by its digest, whatever is in it: tests/builds/test_verify.py.
"""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from worlds import run_kit

from kit.bundle.layout import Bundle
from kit.files import sha256_file, tree_digests
from kit.tflite.reader import read_tflite


@pytest.fixture
def bundle(digits_bundle: Path, tmp_path: Path) -> Bundle:
    shutil.copytree(digits_bundle, tmp_path / "digits")
    return Bundle(tmp_path / "digits", "digits")


def seal(bundle: Bundle) -> None:
    """Write bundle.json's digests anew, as a build does that went wrong before."""
    manifest = json.loads(bundle.manifest.read_text("utf-8"))
    bundle.manifest.unlink()
    manifest["files"] = tree_digests(bundle.folder)
    manifest["model"]["sha256"] = sha256_file(bundle.model)
    bundle.manifest.write_text(json.dumps(manifest), "utf-8")


def broken(bundle: Bundle, code: int = 4) -> str:
    """Return what `emulate` says of it on both streams."""
    seal(bundle)
    done = run_kit("emulate", str(bundle.folder))
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def change_signature(bundle: Bundle, change: Callable[[Any], object]) -> None:
    document = json.loads(bundle.signature.read_text("utf-8"))
    change(document)
    bundle.signature.write_text(json.dumps(document), "utf-8")
    manifest = json.loads(bundle.manifest.read_text("utf-8"))
    change(manifest["signature"])
    bundle.manifest.write_text(json.dumps(manifest), "utf-8")


def test_a_flipped_weight(bundle: Bundle) -> None:
    content = bytearray(bundle.model.read_bytes())
    content[20_000] ^= 0x40
    bundle.model.write_bytes(bytes(content))
    said = broken(bundle)
    assert "output digit: max difference " in said
    assert "of 8 vectors are off, worst vector" in said
    assert "model.tflite is not the file that these vectors are of (a weight or a scale is another one)" in said


def test_a_wrong_scale_inside_of_the_model(bundle: Bundle) -> None:
    content, (graph,) = bundle.model.read_bytes(), read_tflite(bundle.model).subgraphs
    ends = {*graph.inputs, *graph.outputs}
    scales = [t.quantization.scales for i, t in enumerate(graph.tensors) if t.quantization and i not in ends]
    raws = [struct.pack("<f", each[0]) for each in scales if len(each) == 1]
    raw = next(raw for raw in raws if content.count(raw) == 1)
    bundle.model.write_bytes(content.replace(raw, struct.pack("<f", 4 * struct.unpack("<f", raw)[0])))
    said = broken(bundle)
    assert "output digit: max difference " in said
    assert "model.tflite is not the file that these vectors are of (a weight or a scale is another one)" in said


def test_a_wrong_scale_in_signature_json(bundle: Bundle) -> None:
    change_signature(bundle, lambda signature: signature["outputs"][0].update(scale=1 / 128))
    said = broken(bundle)
    assert "digit has scale 0.0078125 in signature.json, and 0.00390625 in model.tflite: an app would take its" in said
    assert "real values 2 times as large" in said


def test_a_wrong_zero_point_in_signature_json(bundle: Bundle) -> None:
    change_signature(bundle, lambda signature: signature["outputs"][0].update(zero_point=3))
    said = broken(bundle)
    assert "digit has zero point 3 in signature.json, and 0 in model.tflite: an app would take its real" in said
    assert "values -3 steps off" in said


def test_another_normalization_than_in_the_metadata(bundle: Bundle) -> None:
    change_signature(bundle, lambda signature: signature["inputs"][0].update(std=[127.5]))
    assert "image: std [255] in the metadata, [127.5] in signature.json" in broken(bundle)


def test_labels_that_are_shifted_by_one(bundle: Bundle) -> None:
    path = bundle.labels("labels.txt")
    first, *rest = path.read_text("utf-8").splitlines()
    path.write_text("".join(f"{label}\n" for label in (*rest, first)), "utf-8")
    said = broken(bundle)
    assert f"labels.txt is not the labels in the model's metadata: line 1 is '{rest[0]}', and '{first}' there" in said
    assert "10 of 10 lines differ, they are shifted by 1: each class would get another one's name" in said


def test_labels_of_which_one_is_missing(bundle: Bundle) -> None:
    path = bundle.labels("labels.txt")
    path.write_text("".join(f"{label}\n" for label in path.read_text("utf-8").splitlines()[:-1]), "utf-8")
    said = broken(bundle)
    assert "line 10 is nothing, and '9' there; 1 of 10 lines differ, classes would be misnamed" in said
    assert "labels.txt has 9 labels, and 'digit' has 10 classes" in said


def test_edge_vectors_that_are_off(bundle: Bundle) -> None:
    import numpy as np

    with np.load(bundle.golden_npz) as arrays:
        golden = dict(arrays)
    golden["edge_output/digit"][1, 3] ^= 0x80
    np.savez(bundle.golden_npz, **golden)
    said = broken(bundle)
    assert "output digit on 4 edge vectors: max difference 128 steps (1 allowed, 1 of 4 vectors are off" in said
