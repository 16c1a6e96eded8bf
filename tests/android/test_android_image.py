"""The generated pre-processing of bitmaps against preprocess.py and Pillow: every byte, over many sizes, on a JVM."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hostile_signature import signed
from PIL import Image
from worlds import SUPPORT

from kit.android.codegen.app_model import AppModel
from kit.android.codegen.write_sources import render_bindings
from kit.shared.npz import save_npz
from kit.shared.preprocess import load_image

kotlin = pytest.importorskip("kit.android.proof.kotlin_compiler", reason="the proof's Kotlin compiler is not here")

COLORS = ("grayscale", "rgb", "bgr")
SIZES = [(1, 1), (1, 9), (8, 8), (7, 5), (16, 3), (33, 64), (31, 17), (64, 48), (201, 131), (3, 240), (480, 270)]
TARGETS = [(8, 8), (1, 1), (5, 13), (32, 24), (96, 96), (224, 17)]
IMAGE = {
    "name": "image",
    "shape": [1, 8, 8, 1],
    "dtype": "float32",
    "kind": "image",
    "mean": [0.0],
    "std": [1.0],
    "color": "grayscale",
    "resize": "stretch",
}
SIGNATURE = {
    "signature": "s",
    "inputs": [IMAGE],
    "outputs": [{"name": "y", "shape": [1, 2], "dtype": "float32", "kind": "tensor"}],
}

Case = tuple[np.ndarray, tuple[int, int], int, int, int]  # RGBA, (width, height), colour, crop, rotation


def cases() -> list[Case]:
    """Give images of every size for targets, colours, crops and turns in turn; a third of them is transparent."""
    rng = np.random.default_rng(11)
    made: list[Case] = []
    for width, height in SIZES:
        for target in TARGETS:
            for crop in (0, 1):
                number = len(made)
                pixels = rng.integers(0, 256, (height, width, 4), dtype=np.uint8)
                if number % 3:
                    pixels[..., 3] = 255
                made.append((pixels, target, number // 2 % 3, crop, number // 5 % 4 * 90))
    # Every value on every alpha.
    values, alphas = np.meshgrid(np.arange(256), np.arange(256))
    every = np.stack([values, values[:, ::-1], values, alphas], -1).astype(np.uint8)
    return [*made, (every, (256, 256), 1, 0, 0), (every, (256, 256), 0, 0, 270)]


def packed(case: Case) -> bytes:
    pixels, (width, height), color, crop, rotation = case
    red, green, blue, alpha = (pixels[..., i].astype(np.uint32) for i in range(4))
    argb = alpha << 24 | red << 16 | green << 8 | blue
    head = struct.pack(">7i", pixels.shape[1], pixels.shape[0], width, height, color, crop, rotation)
    return head + argb.astype(">u4").tobytes()


def expected(case: Case, folder: Path) -> bytes:
    pixels, (width, height), color, crop, rotation = case
    path = folder / "image.png"
    # Pillow turns against the clock.
    Image.fromarray(np.rot90(pixels, -rotation // 90)).save(path)
    shape = (height, width) if color == 0 else (height, width, 3)
    return load_image(path, shape, COLORS[color], "crop" if crop else "stretch").tobytes()


def on_the_jvm(all_cases: list[Case], folder: Path) -> bytes:
    """Return the pixels of all cases, one behind the other."""
    from kit.android.proof.tools import find_java
    from kit.android.proof.tools import kotlin as kotlin_tool

    save_npz(folder / "golden.npz", {"tolerance/y": np.array(0.0)})
    render_bindings(folder, AppModel(signed(SIGNATURE, "p"), "litert:1.4.0"), "interpreter", folder / "golden.npz")
    text = (SUPPORT / "android" / "Images.kt").read_text("utf-8")
    (folder / "Images.kt").write_text(text.replace("PACKAGE", "com.example.p").replace("MODEL", "P"), "utf-8")
    jars = kotlin.desktop_classpath(print)
    classes = folder / "classes"
    kotlin.compile_kotlin([folder / "src" / "main" / "kotlin", folder / "Images.kt"], jars, classes, print)
    (folder / "in").write_bytes(struct.pack(">i", len(all_cases)) + b"".join(map(packed, all_cases)))
    tool = kotlin_tool(print)
    path = ":".join(map(str, [classes, *jars, tool.stdlib, tool.coroutines]))
    argv = [str(find_java()), "-cp", path, "ImagesKt", str(folder / "in"), str(folder / "out")]
    subprocess.run(argv, check=True, capture_output=True, text=True)
    return (folder / "out").read_bytes()


def test_a_bitmap_becomes_the_very_pixels_that_pillow_makes(tmp_path: Path) -> None:
    all_cases = cases()
    found = on_the_jvm(all_cases, tmp_path)
    place = 0
    for case in all_cases:
        wanted = expected(case, tmp_path)
        got = found[place : place + len(wanted)]
        assert got == wanted, f"{case[0].shape} to {case[1:]}: {sum(a != b for a, b in zip(got, wanted, strict=True))}"
        place += len(wanted)
    assert place == len(found)
