"""Detectors, masks, keypoints and embeddings as users train them: built, run, held against the truth."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from desk import Desk
from PIL import Image
from vision_world import HEADS, INT8, World
from worlds import run_kit

NOTES = {
    "yolo": "head = 'yolo': one tensor [14, 64] has 4 values and 10 scores for each box, as many as labels",
    "yolo_objectness": "head = 'yolo-objectness': one tensor [64, 15] has 5 values and 10 scores",
    "anchored": "head = 'anchors': it has anchors",
    "ssd": "scores = 'scores', classes = 'classes', count = 'count': 'scores' has one score for each of 20 boxes",
}


@pytest.fixture
def world(tmp_path: Path, toolchain_python: Path, runtime_python: Path) -> World:
    """Give an empty world."""
    return World(tmp_path, toolchain_python, runtime_python)


def overlap(box: dict[str, Any], truth: np.ndarray) -> float:
    """Return intersection over union of a box with one of the truth, float64 [5]: class, left, top, right, bottom."""
    across = min(box["right"], truth[3]) - max(box["left"], truth[1])
    down = min(box["bottom"], truth[4]) - max(box["top"], truth[2])
    shared = max(across, 0) * max(down, 0)
    areas = (box["right"] - box["left"]) * (box["bottom"] - box["top"]) + (truth[3] - truth[1]) * (truth[4] - truth[2])
    return float(shared / (areas - shared))


def hits(world: World, found: list[dict[str, Any]]) -> tuple[int, int, int]:
    """Return how many digits were found in their place, how many there are, and how many boxes are none's."""
    hit = there = none = 0
    for index, output in enumerate(found):
        truth = world.truth(str(index))
        matched = [
            max((overlap(box, digit) * (box["index"] == digit[0]) for box in output["boxes"]), default=0)
            for digit in truth
        ]
        hit, there = hit + sum(share > 0.5 for share in matched), there + len(truth)
        none += sum(all(overlap(box, digit) < 0.3 for digit in truth) for box in output["boxes"])
        assert all(box["label"] == f"digit {box['index']}" for box in output["boxes"])
    return hit, there, none


@pytest.mark.parametrize(
    "kind", ["yolo", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("yolo_objectness", "anchored", "ssd"))]
)
def test_a_detector_finds_digits_where_they_are(world: World, kind: str) -> None:
    name = re.findall("'(.*?)'", HEADS[kind])[0]
    world.made(kind).build(HEADS[kind])
    assert NOTES[kind] in world.notes()
    if kind == "yolo":  # one of the produced file, which knows no labels
        inspected = run_kit("inspect", str(world.desk.assets / "model.tflite")).stdout
        assert "output 'found' is read with head = 'yolo': one tensor [14, 64] has the scores behind" in inspected
    hit, there, none = hits(world, world.found(name))
    assert hit > 0.7 * there and none < 0.2 * there, (hit, there, none)
    if kind == "yolo":
        _follows_the_frame(world)
    if kind == "ssd":
        return  # sorting is of floats
    world.build(HEADS[kind], INT8)
    if kind.startswith("yolo"):
        # 64 pixels and a score below 1 in 256 steps: no score is left, and a note says so.
        assert "has coordinates and scores in one tensor whose step is 0.2" in world.notes()
        return
    hit, there, none = hits(world, world.found(name))
    assert hit > 0.7 * there, (hit, there, none)
    if kind == "anchored":
        verified = run_kit("verify", str(world.folder / "dist" / "m"), "--engine", "local")
        assert verified.returncode == 0, verified.stdout + verified.stderr


def _follows_the_frame(world: World) -> None:
    """Hold boxes of a wide image against those of the same one as the model has it, and look at what is drawn."""
    with Image.open(world.folder / "0.png") as image:
        image.resize((192, 64), Image.Resampling.NEAREST).save(world.folder / "wide.png")
    report = world.desk.report(
        world.folder / "0.png", world.folder / "wide.png", "--save-images", world.folder / "drawn"
    )
    one, wide = report["results"]
    assert (one["frame"], wide["frame"]) == ([64, 64], [192, 64])
    assert one["outputs"]["found"]["boxes"]
    for narrow in one["outputs"]["found"]["boxes"]:  # what is enlarged and reduced again is a little blurred
        wanted = np.array([0, 3 * narrow["left"], narrow["top"], 3 * narrow["right"], narrow["bottom"]])
        assert max(overlap(box, wanted) for box in wide["outputs"]["found"]["boxes"]) > 0.7
    with Image.open(wide["image"]) as drawn:
        assert drawn.size == (576, 192)
        box = wide["outputs"]["found"]["boxes"][0]
        pixels = np.asarray(drawn).astype(int)
        middle, bottom = round(1.5 * (box["left"] + box["right"])), min(round(3 * box["bottom"]), 191)
        assert np.ptp(pixels[bottom - 3 : bottom + 4, middle], axis=-1).max() > 50  # colour on a grey image
    said = world.desk.run(world.folder / "0.png").stdout
    assert re.search(r"found: \d box(es)?\n +0\.\d+ +digit \d: .* \(left, top, right, bottom\)", said)
    values = np.load(world.folder / "shown.npz")["image"][:1]
    np.savez(world.folder / "one.npz", image=values)
    (same,) = world.desk.report(world.folder / "one.npz")["results"]
    assert same["outputs"] == one["outputs"]


def test_a_mask_has_its_classes_where_they_are(world: World) -> None:
    world.made("mask").build(HEADS["mask"])
    truth, right = world.truth("mask"), []
    for index, output in enumerate(world.found("ink", "--save-images", world.folder / "drawn")):
        assert next(each["label"] for each in output["classes"]) == "paper"
        assert sum(each["pixels"] for each in output["classes"]) == 64 * 64
        given = np.array(output["values"])
        right.append(np.mean(given == truth[index].reshape(-1)[: len(given)]))
    assert np.mean(right) > 0.9, right
    done = world.desk.run(world.folder / "0.png", "--save-images", world.folder / "ink.txt")
    assert done.returncode == 2
    assert "images cannot be written" in done.stderr
    assert "name a folder that can be written: --save-images FOLDER" in done.stderr
    with Image.open(world.folder / "drawn" / "0.png") as drawn, Image.open(world.folder / "0.png") as plain:
        gray = np.asarray(drawn).astype(int)[4::8, 4::8]
        colored = np.ptp(gray, axis=-1) > 40
        assert np.mean(colored == (truth[0] > 0)) > 0.7 and plain.size == (64, 64)


@pytest.mark.parametrize("kind", ["heatmap", pytest.param("coordinates", marks=pytest.mark.slow)])
def test_keypoints_are_near_the_joints(world: World, kind: str) -> None:
    world.made(kind).build(HEADS[kind], INT8)
    assert f"read as head = '{kind}'" in world.notes()
    off = []
    for joints, output in zip(world.truth("joints"), world.found("joints", "--save-images", "drawn"), strict=True):
        assert [point["label"] for point in output["points"]] == ["left", "middle", "right"]
        off += [
            np.hypot(*(joint - (point["x"], point["y"]))) for joint, point in zip(joints, output["points"], strict=True)
        ]
    assert np.median(off) < 3, off


@pytest.mark.slow
def test_embeddings_of_one_digit_are_nearer_than_those_of_two(world: World) -> None:
    world.made("embedding").build(HEADS["embedding"])
    found, digits = world.found("vector"), world.truth("digits")
    assert all(abs(np.linalg.norm(output["values"]) - 1) < 1e-5 for output in found)
    likeness = np.array([output["similarity"] for output in found[1:]])
    alike = digits[1:] == digits[0]
    assert not alike.any() or likeness[alike].mean() > likeness[~alike].mean() + 0.2


def test_images_are_drawn_for_what_can_be_drawn_alone(
    digits_bundle: Path, runtime_python: Path, tmp_path: Path
) -> None:
    desk = Desk(runtime_python, digits_bundle, tmp_path)
    done = desk.run(tmp_path / "x.png", "--save-images", tmp_path)
    assert done.returncode == 2
    assert "boxes, a mask or keypoints to give; leave --save-images out" in done.stderr
    done = desk.run("--save-images", tmp_path)
    assert done.returncode == 2 and "--save-images" in done.stderr and "there is none" in done.stderr
