"""Each kind of output is gated by its own metric: real models with truth, and a file of each that fails."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from vision_world import HEADS, IMAGE, INT8, World
from worlds import DIGITS, run_kit, write_recipe

from kit.bundle.manifest import read_manifest
from kit.metrics.scorer import MetricMeasure

DARK = INT8.replace("calibration.npz", "dark.npz")  # ranges of black images: no other fits into them


@dataclass(frozen=True)
class Held:
    """A model with held-out images and their truth, and builds of it."""

    world: World

    @property
    def folder(self) -> Path:
        """Return the folder with all of it."""
        return self.world.folder

    def build(
        self, output: str, checks: str, quantize: str = "", *, gate: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Write a recipe and build it; without the gate, what refuses is a metric."""
        model = "[model]\npath = 'model.keras'\nid = 'm'\n[toolchain]\ntensorflow = '2.19.1'\n"
        recipe = self.folder / "r.toml"
        head = f"{model}{quantize}{IMAGE}[[outputs]]\n{output}"
        recipe.write_text(f"{head}[checks]\ngate = {str(gate).lower()}\n{checks}", "utf-8")
        return run_kit("build", str(recipe), "--engine", "local", "--out", str(self.folder / "dist"))

    def metrics(self, output: str, checks: str, quantize: str = "") -> dict[str, MetricMeasure]:
        """Build, and return what the bundle says of each metric of its first output."""
        done = self.build(output, checks, quantize)
        assert done.returncode == 0, done.stdout + done.stderr
        measures = read_manifest(self.folder / "dist" / "m").measures
        assert measures is not None
        return {metric.name: metric for metric in measures.outputs[0].metrics}

    def refused(self, output: str, checks: str, quantize: str, words: str) -> str:
        """Build what a metric refuses, by these words; return all that it says."""
        done = self.build(output, checks, quantize)
        assert done.returncode == 4, done.stdout + done.stderr
        assert words in done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def held(tmp_path: Path, toolchain_python: Path, runtime_python: Path) -> Held:
    """Give an empty world."""
    return Held(World(tmp_path, toolchain_python, runtime_python))


def images(held: Held) -> np.ndarray:
    """Return the images that are shown, uint8 [N, 64, 64, 1]; write them as a folder, and black ones for int8."""
    with np.load(held.folder / "shown.npz") as archive:
        pixels: np.ndarray = archive["image"]
    (held.folder / "held" / "more").mkdir(parents=True)
    for index, image in enumerate(pixels):
        Image.fromarray(image[..., 0]).save(held.folder / "held" / names(len(pixels))[index])
    np.savez(held.folder / "dark.npz", image=np.zeros((20, 64, 64, 1), np.uint8))
    return pixels


def names(count: int) -> list[str]:
    """Return the images' files, below the folder of the data."""
    return [f"{'more/' if index % 2 else ''}{index}.png" for index in range(count)]


def coco(held: Held, count: int) -> dict[str, Any]:
    """Return COCO's JSON of the digits in each image: its ids are none of the classes, nor in their order."""
    annotations = [
        {"id": 100 * index + place, "image_id": 50 - index, "category_id": 90 - int(row[0]), "iscrowd": 0}
        | {"bbox": [*row[1:3], *(row[3:] - row[1:3])], "area": float(np.prod(row[3:] - row[1:3]))}
        for index in range(count)
        for place, row in enumerate(held.world.truth(str(index)))
    ]
    listed = [
        {"id": 50 - index, "file_name": name, "width": 64, "height": 64} for index, name in enumerate(names(count))
    ]
    categories = [{"id": 90 - number, "name": f"digit {number}"} for number in range(10)]
    return {"images": listed, "annotations": annotations, "categories": categories}


def rows_of_boxes(held: Held, count: int) -> np.ndarray:
    """Return the same as an array [N, M, 5] in pixels, with rows of class -1 where an image has fewer."""
    rows = np.full((count, 5, 5), -1.0)
    for index in range(count):
        true = held.world.truth(str(index))
        rows[index, : len(true)] = true
    return rows


BOXES = "[[checks.metrics]]\noutput = 'found'\nmetric = 'map'\nmin = 0.3\nmax_drop = 0.05\n"


def test_boxes_are_gated_by_map(held: Held) -> None:
    held.world.made("yolo")
    pixels = images(held)
    (held.folder / "boxes.json").write_text(json.dumps(coco(held, len(pixels))), "utf-8")
    folder = "data = 'held'\ntruth = {found = 'boxes.json'}\n"
    found = held.metrics(HEADS["yolo"], folder + BOXES)["map"]
    assert found.before is not None and found.before > 0.3, found
    assert found.samples == 12 and found.low is not None and found.high is not None
    assert found.low <= found.before - (found.after or 0) <= found.high
    np.savez(held.folder / "held.npz", image=pixels, **{"y/found": rows_of_boxes(held, len(pixels))})  # type: ignore[arg-type]
    # 64 pixels and a score below 1 in 256 steps: a score is 0, 0.25 and so on, and the best boxes are not first.
    words = "max_drop of mAP@[.5:.95] (found) is"
    said = held.refused(HEADS["yolo"], "data = 'held.npz'\n" + BOXES, INT8, words)
    assert f"{found.before:.4g} before -> " in said, "an array says of the float model what COCO's JSON does"


MISREAD = {
    "write units = 'pixels'; or, if that is as it should be: [checks] gate = false": "half of the float model's best "
    "boxes go to ",
    "write format = 'cxcywh', units = 'pixels'; or, if that is as it should be: [checks] gate = false": "the float "
    "model's boxes are not those of the data: mAP 0.0",
}


def test_boxes_that_are_read_in_other_units_or_another_format_are_refused_with_the_keys_to_write(held: Held) -> None:
    held.world.made("yolo")
    pixels = images(held)
    np.savez(held.folder / "held.npz", image=pixels, **{"y/found": rows_of_boxes(held, len(pixels))})  # type: ignore[arg-type]
    right = HEADS["yolo"]
    wrong = [right.replace("units = 'pixels'\n", ""), right + "format = 'xyxy'\n"]
    for output, (keys, words) in zip(wrong, MISREAD.items(), strict=True):
        assert output != right
        done = held.build(output, "data = 'held.npz'\n", gate=True)
        assert done.returncode == 2, done.stdout + done.stderr
        assert words in done.stderr and f"next: {keys}\n" in done.stderr, done.stderr
    done = held.build(right, "data = 'held.npz'\n", gate=True)
    assert done.returncode == 0, "what is read rightly is built: " + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["anchored", "ssd"])
def test_boxes_of_several_tensors_are_gated_by_map(held: Held, kind: str) -> None:
    held.world.made(kind)
    output = HEADS[kind]
    name = output.split("'")[1]
    rows = rows_of_boxes(held, 12)
    rows[..., 1:] /= 64  # normalized, as these heads are
    np.savez(held.folder / "held.npz", image=images(held), **{f"y/{name}": rows})  # type: ignore[arg-type]
    asked = "data = 'held.npz'\n" + BOXES.replace("found", name)
    found = held.metrics(output, asked)["map"]
    assert found.before is not None and found.before > 0.3, found
    held.refused(output, asked, DARK, f"max_drop of mAP@[.5:.95] ({name}) is")


INK = "[[checks.metrics]]\noutput = 'ink'\nmetric = 'mean_iou'\nmax_drop = 0.05\n"


@pytest.mark.slow
def test_masks_are_gated_by_mean_iou(held: Held) -> None:
    held.world.made("mask")
    pixels = images(held)
    truth = held.world.truth("mask")
    (held.folder / "masks" / "more").mkdir(parents=True)
    for index, name in enumerate(names(len(pixels))):
        mask = Image.fromarray(truth[index].astype(np.uint8), "P")
        mask.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
        mask.save(held.folder / "masks" / name)
    folder = "data = 'held'\ntruth = {ink = 'masks'}\n"
    found = held.metrics(HEADS["mask"], folder + INK)["mean_iou"]
    assert found.before is not None and found.before > 0.5, found
    np.savez(held.folder / "held.npz", image=pixels, **{"y/ink": truth})
    again = held.metrics(HEADS["mask"], "data = 'held.npz'\n")["mean_iou"]
    assert again.before == pytest.approx(found.before), "an array says the same, in another order"
    held.refused(HEADS["mask"], folder + INK, DARK, "max_drop of mean IoU (ink) is")


JOINTS = "name = 'joints'\n"
NUMBERS = "[[checks.metrics]]\noutput = 'joints'\nmetric = '{}'\nmax_drop = 0.05\n"


@pytest.mark.slow
def test_numbers_are_gated_by_their_errors(held: Held) -> None:
    held.world.made("coordinates")
    truth = held.world.truth("joints") / 64
    np.savez(held.folder / "held.npz", image=images(held), **{"y/joints": truth})
    found = held.metrics(JOINTS, "data = 'held.npz'\n" + NUMBERS.format("spearman"))
    assert list(found) == ["spearman", "r2", "mae"]
    assert all(metric.before is not None and metric.after is not None for metric in found.values())
    head = ",".join(["file", *(f"joints_{index}" for index in range(6))])
    lines = [f"{name},{','.join(map(str, row))}" for name, row in zip(names(12), truth.reshape(12, 6), strict=True)]
    (held.folder / "truth.csv").write_text("\n".join([head, *reversed(lines)]) + "\n", "utf-8")
    folder = "data = 'held'\ntruth = {joints = 'truth.csv'}\n"
    again = held.metrics(JOINTS, folder)["mae"]
    assert again.before == pytest.approx(found["mae"].before), "a .csv in another order says the same"
    for metric, words in (("mae", "max_drop of MAE (joints) is"), ("r2", "max_drop of R2 (joints) is")):
        held.refused(JOINTS, folder + NUMBERS.format(metric), DARK, words)


VECTOR = "[[checks.metrics]]\noutput = 'vector'\nmetric = '{}'\n{}\n"


@pytest.mark.slow
def test_embeddings_are_gated_by_recall_and_cosine(held: Held) -> None:
    held.world.made("embedding")
    with np.load(DIGITS / "test.npz") as archive:
        pixels, truth = archive["image"][-100:].repeat(8, 1).repeat(8, 2), archive["y"][-100:]
    images(held)
    np.savez(held.folder / "held.npz", image=pixels, y=truth)
    data = "data = 'held.npz'\n"
    asked = VECTOR.format("recall_at_k", "k = 3\nmax_drop = 0.05") + VECTOR.format("cosine", "min = 0.99")
    found = held.metrics(HEADS["embedding"], data + asked)
    assert found["recall_at_k"].before is not None and found["recall_at_k"].before > 0.8, found
    assert found["cosine"].before is None and (found["cosine"].after or 0) > 0.999
    said = held.refused(HEADS["embedding"], data + asked, DARK, "max_drop of recall@3 (vector) is")
    assert "cosine (vector) is" in said


@pytest.mark.slow
def test_classes_are_gated_by_the_metrics_that_the_recipe_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "dark.npz", image=np.zeros((20, 8, 8, 1), np.uint8))
    asked = "".join(
        f"[[checks.metrics]]\noutput = 'digit'\nmetric = '{name}'\nmax_drop = 0.02\n"
        for name in ("auc", "log_loss", "f1_macro", "balanced_accuracy", "average_precision", "top_k")
    )
    asked += "[[checks.metrics]]\noutput = 'digit'\nmetric = 'snr'\nmin = 10\n"
    path = write_recipe(tmp_path)
    path.write_text(path.read_text("utf-8") + asked, "utf-8")
    done = run_kit("build", str(path), "--engine", "local", "--out", str(tmp_path / "dist"))
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = read_manifest(tmp_path / "dist" / "digits")
    assert manifest.measures is not None
    found = {metric.name: metric for metric in manifest.measures.outputs[0].metrics}
    assert list(found)[-1] == "accuracy" and len(found) == 8
    assert found["auc"].before is not None and found["auc"].before > 0.99
    assert "max_drop of ROC AUC (digit)" in {check.name for check in manifest.checks}
    assert "95 % interval" in done.stdout
    readme = (tmp_path / "dist" / "digits" / "README.md").read_text("utf-8")
    assert "On 360 samples, litert:2.3.0; before is the float model" in readme
    assert "\n- ROC AUC (digit): " in readme and "\n- SNR in dB (digit): " in readme
    path = write_recipe(tmp_path, quantize_representative="'dark.npz'", checks_gate="false")
    path.write_text(path.read_text("utf-8") + asked, "utf-8")
    done = run_kit("build", str(path), "--engine", "local", "--out", str(tmp_path / "dark"))
    assert done.returncode == 4, done.stdout + done.stderr
    for words in ("max_drop of ROC AUC (digit) is", "max_drop of log loss (digit) is", "SNR in dB (digit) is"):
        assert words in done.stderr
