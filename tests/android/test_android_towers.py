"""A model of two images and numbers: each image of any size, one of them in a letterbox, through proof and class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import vision_models
from android_world import quiet, rerun_kotlin
from desk import Desk
from PIL import Image
from source_models import written
from worlds import run_kit

from kit.android.codegen.runtime_api import Api
from kit.android.proof.alternate_api import render_other
from kit.android.proof.kotlin_compiler import compile_kotlin, desktop_classpath
from kit.android.proof.kotlin_sources import find_bindings
from kit.android.proof.run import prove
from kit.bundle.layout import Bundle
from kit.bundle.manifest import read_manifest
from kit.shared.preprocess import load_image

RECIPE = """
[model]
path = 'model.keras'
id = 'm'

[toolchain]
tensorflow = '2.19.1'

[quantize]
scheme = 'int8'
representative = 'calibration.npz'

[[inputs]]
name = 'left'
kind = 'image'
mean = [0.0]
std = [255.0]
resize = 'letterbox'
pad_color = [250, 20, 130]

[[inputs]]
name = 'right'
kind = 'image'
mean = [0.0]
std = [255.0]

[[inputs]]
name = 'light'

[[outputs]]
name = 'same'
kind = 'classes'
"""
PAD = (250, 20, 130)
PROGRAM = """
import android.graphics.Bitmap
import com.example.m.CLASS
import dropkit.desktop.DesktopContext
import java.io.DataInputStream
import java.io.File

private fun DataInputStream.bitmap(): Bitmap {
    val (width, height) = List(2) { readInt() }
    return Bitmap.createBitmap(IntArray(width * height) { readInt() }, width, height, Bitmap.Config.ARGB_8888)
}

fun main(args: Array<String>) {
    CLASS.create(DesktopContext("dropkit.assets")).use { model ->
        DataInputStream(File(args[0]).inputStream().buffered()).use { input ->
            repeat(input.readInt()) {
                val (left, right) = List(2) { input.bitmap() }
                val light = CLASS.quantizeLight(FloatArray(2) { input.readFloat() })
                println(model.classify(left, right, light).sameScores().joinToString(" "))
            }
        }
    }
}
"""
PAIRS = (((48, 48), (32, 32)), ((96, 30), (32, 64)), ((17, 90), (100, 41)))  # width and height of left and right


@pytest.mark.slow
@pytest.mark.parametrize("api", ["compiled-model", "interpreter"])
def test_two_images_of_any_size_give_what_the_harness_gives(
    tmp_path: Path, toolchain_python: Path, runtime_python: Path, android_tools: None, api: Api
) -> None:
    written(toolchain_python, "towers", tmp_path, Path(vision_models.__file__))
    (tmp_path / "r.toml").write_text(RECIPE, "utf-8")
    done = run_kit("build", str(tmp_path / "r.toml"), "--engine", "local", "--out", str(tmp_path / "dist"))
    assert done.returncode == 0, done.stdout + done.stderr
    bundle = tmp_path / "dist" / "m"
    proof = prove(bundle, quiet, api=api)
    assert {step.name: (step.verdict, step.detail) for step in proof.steps if step.verdict != "pass"} == {}
    packed, desk = [], Desk(runtime_python, bundle, tmp_path)
    samples = []
    for index, sizes in enumerate(PAIRS):
        light = np.array([0.75, 0.5], np.float32)
        paths = [_image(tmp_path / f"{index}-{side}.png", size) for side, size in enumerate(sizes)]
        packed += [*map(_packed, paths), light.astype(">f4").tobytes()]
        left = load_image(paths[0], (48, 48, 3), "rgb", "letterbox", PAD)
        right = load_image(paths[1], (32, 32, 1), "grayscale", "stretch")
        samples.append(desk.save(f"{index}.npz", left=left, right=right, light=light))
    (tmp_path / "pairs").write_bytes(len(PAIRS).to_bytes(4, "big") + b"".join(packed))
    printed = _on_the_jvm(tmp_path, bundle, api)
    results = desk.report(*samples)["results"]
    assert len(printed) == len(results) == len(PAIRS)
    scores = [[each["score"] for each in sorted(_top(result), key=lambda each: each["index"])] for result in results]
    assert np.allclose([[float(score) for score in line.split()] for line in printed], scores, atol=1e-6)
    assert len({tuple(each) for each in scores}) == len(PAIRS)


def _top(result: dict) -> list:  # type: ignore[type-arg]
    return result["outputs"]["same"]["top"]  # type: ignore[no-any-return]


def _image(path: Path, size: tuple[int, int]) -> Path:
    """Write an image whose right half is lighter, with noise."""
    pixels = np.random.default_rng(size[0]).integers(0, 100, (size[1], size[0], 3)).astype(np.uint8)
    pixels[:, size[0] // 2 :] += 100
    Image.fromarray(pixels).save(path)
    return path


def _packed(path: Path) -> bytes:
    with Image.open(path) as image:
        red, green, blue = np.moveaxis(np.asarray(image).astype(np.uint32), -1, 0)
    colors = np.uint32(255) << 24 | red << 16 | green << 8 | blue
    return bytes(np.array(colors.shape[::-1], ">i4").tobytes()) + bytes(colors.astype(">u4").tobytes())


def _on_the_jvm(folder: Path, bundle: Path, api: Api) -> list[str]:
    """Return the scores that the class gives for each pair."""
    kotlin = render_other(Bundle(bundle, "m"), read_manifest(bundle), api, folder / "kotlin")
    bindings = find_bindings(bundle, kotlin)
    (folder / "Program.kt").write_text(PROGRAM.replace("CLASS", bindings.model), "utf-8")
    sources = [*bindings.sources, folder / "Program.kt"]
    compile_kotlin(sources, desktop_classpath(quiet), folder / "classes", quiet)
    assets = {"dropkit.assets": str(bindings.assets[0])}
    return rerun_kotlin(folder, str(folder / "pairs"), properties=assets).splitlines()
