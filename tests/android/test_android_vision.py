"""Boxes, masks, keypoints and embeddings in the generated class: what the harness says of the same images, by bits."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from android_world import proved, quiet, rerun_kotlin
from PIL import Image
from vision_world import HEADS, INT8, World
from worlds import SUPPORT

from kit.android.codegen.runtime_api import Api
from kit.android.proof.alternate_api import render_other
from kit.android.proof.kotlin_compiler import compile_kotlin, desktop_classpath
from kit.android.proof.kotlin_sources import find_bindings
from kit.bundle.layout import Bundle
from kit.bundle.manifest import read_manifest

SUFFIX = {"boxes": "Boxes", "mask": "Mask", "keypoints": "Points", "embedding": "Embedding"}
SIZES = ((64, 64), (192, 64), (50, 131))
QUICK = ("yolo", "compiled-model", False)  # whose steps that compile are those of test_android_proof
KINDS = ("ssd", "anchored", "yolo_objectness", "mask", "heatmap", "coordinates", "embedding")
SLOW = [(kind, api, True) for kind in (*KINDS, "yolo") for api in ("compiled-model", "interpreter")]


@pytest.fixture
def world(tmp_path: Path, toolchain_python: Path, runtime_python: Path, android_tools: None) -> World:
    """Give an empty world."""
    return World(tmp_path, toolchain_python, runtime_python)


@pytest.mark.parametrize(
    ("kind", "api", "whole"), [QUICK, *(pytest.param(*each, marks=pytest.mark.slow) for each in SLOW)]
)
def test_the_class_gives_what_the_harness_says(world: World, kind: str, api: Api, whole: bool) -> None:
    # Class numbers and scores of one file have too unlike ranges for the head with NMS inside.
    world.made(kind).build(HEADS[kind], "" if kind == "ssd" else INT8)
    bundle = world.folder / "dist" / "m"
    proof = proved(bundle, api, whole=whole)
    assert {step.name: (step.verdict, step.detail) for step in proof.steps if step.verdict != "pass"} == {}
    images = _images(world)
    name, form = re.findall("'(.*?)'", HEADS[kind])[:2]
    printed = _on_the_jvm(world, bundle, api, images, f"{name}{SUFFIX[form]}")
    results = world.desk.report(*images)["results"]
    assert len(printed) == len(results) == len(images)
    for line, result in zip(printed, results, strict=True):
        _same(line, result["outputs"][name], result.get("frame"))


def _images(world: World) -> list[Path]:
    """Write the images that are shown in other sizes, too; return all."""
    made = []
    for index in range(4):
        with Image.open(world.folder / f"{index}.png") as image:
            for size in SIZES:
                made.append(world.folder / f"{index}-{size[0]}.png")
                image.resize(size, Image.Resampling.BILINEAR).convert("RGB").save(made[-1])
    return made


def _on_the_jvm(world: World, bundle: Path, api: Api, images: list[Path], function: str) -> list[str]:
    """Return what the class says of each image."""
    kotlin = render_other(Bundle(bundle, "m"), read_manifest(bundle), api, world.folder / "kotlin")
    bindings = find_bindings(bundle, kotlin)
    text = (SUPPORT / "android" / "Vision.kt").read_text("utf-8")
    there = {path.stem for path in bindings.sources}
    used = {"Box": "Boxes", "Keypoint": "Keypoints", "Mask": "Mask", "Embedding": "Embedding"}
    for word, file in used.items():
        if file not in there:  # the bundle has only what it needs
            text = re.sub(rf"import .*\.{word}\n|    is {word} ->(.|\n)*?(?=    is |    else)", "", text)
    program = world.folder / "Program.kt"
    program.write_text(text.replace("CLASS", bindings.model).replace("FUNCTION", function), "utf-8")
    compile_kotlin([*bindings.sources, program], desktop_classpath(quiet), world.folder / "classes", quiet)
    packed = world.folder / "bitmaps"
    packed.write_bytes(struct.pack(">i", len(images)) + b"".join(map(_packed, images)))
    assets = {"dropkit.assets": str(bindings.assets[0])}
    return rerun_kotlin(world.folder, str(packed), properties=assets).splitlines()


def _packed(path: Path) -> bytes:
    with Image.open(path) as image:
        red, green, blue = (channel.astype(np.uint32) for channel in np.moveaxis(np.asarray(image), -1, 0))
    colors = np.uint32(255) << 24 | red << 16 | green << 8 | blue
    return struct.pack(">2i", *colors.shape[::-1]) + bytes(colors.astype(">u4").tobytes())


def _same(line: str, output: dict[str, Any], frame: list[int] | None) -> None:
    """Hold a line of the program against the harness's JSON."""
    if output["kind"] in {"boxes", "keypoints"}:
        keys = ("left", "top", "right", "bottom", "score") if output["kind"] == "boxes" else ("x", "y", "score")
        found = output["boxes" if output["kind"] == "boxes" else "points"]
        wanted = [f"{_bits([each[key] for key in keys])} {each['label']}" for each in found]
        assert line == ";".join(wanted)
    elif output["kind"] == "mask":
        classes, _, on_frame = line.partition(" in ")
        given = list(map(int, classes.split()))
        assert given[: len(output["values"])] == output["values"]
        assert given.count(1) == next((each["pixels"] for each in output["classes"] if each["index"] == 1), 0)
        width, height, *pixels = map(int, on_frame.split())
        assert [width, height] == frame and len(pixels) == width * height
        assert set(pixels) <= set(given)
    else:
        values = line.split()
        assert " ".join(values[: len(output["values"])]) == _bits(output["values"])


def _bits(values: list[float]) -> str:
    """Return float32 values as the whole numbers of their bits."""
    return " ".join(map(str, np.array(values, np.float32).view(np.int32)))
