"""The app's pre-processing of images and camera frames, compiled alone, against preprocess.py: every byte, on a JVM."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from android_world import quiet
from numpy.typing import NDArray
from worlds import ROOT, SUPPORT

from kit.android.codegen.runtime_files import FRAME_FILES
from kit.android.proof.kotlin_compiler import compile_kotlin, desktop_jar
from kit.android.proof.tools import find_java, kotlin
from kit.process import Command, run, tail
from kit.shared.preprocess import (
    COLORS,
    RESIZES,
    YUV,
    ImageSpec,
    Plane,
    View,
    image_pixels,
    placement,
    rgba_to_rgb,
    yuv_to_rgb,
)

pytestmark = pytest.mark.usefixtures("android_tools")

FILES = [ROOT / "templates" / "android" / "runtime" / name for name in FRAME_FILES]
BITMAP, OPAQUE, HARDWARE, CAMERA, RGBA = range(5)
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Case:
    """A frame, what the model takes of it, and the source's bytes as Frames.kt reads them."""

    pixels: Pixels  # what preprocess.py sees: RGB or RGBA
    spec: ImageSpec
    view: View
    kind: int
    source: bytes

    def packed(self) -> bytes:
        """Return the case as Frames.kt reads it."""
        spec, region = self.spec, self.view.region or ()
        numbers = [spec.width, spec.height, COLORS.index(spec.color), RESIZES.index(spec.resize)]
        numbers += [len(spec.pad_color), *spec.pad_color, self.view.rotation, self.view.mirror, len(region), *region]
        numbers += [self.kind, self.pixels.shape[1], self.pixels.shape[0]]
        return struct.pack(f">{len(numbers)}i", *numbers) + self.source

    def expected(self) -> tuple[bytes, tuple[float, ...]]:
        """Return the model's pixels and the placement that preprocess.py gives."""
        size = (self.pixels.shape[1], self.pixels.shape[0])
        return image_pixels(self.pixels, self.spec, self.view).tobytes(), placement(size, self.spec, self.view)


def bitmap(rng: np.random.Generator, size: tuple[int, int], kind: int) -> tuple[Pixels, bytes]:
    """Return RGBA pixels, of OPAQUE RGB, uint8 [H, W, C], and the same as a bitmap's colours."""
    pixels = rng.integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    if rng.random() < 0.3:
        pixels[..., 3] = 255
    red, green, blue, alpha = (pixels[..., i].astype(np.uint32) for i in range(4))
    argb = (alpha << 24 | red << 16 | green << 8 | blue).astype(">u4").tobytes()
    return (pixels[..., :3] if kind == OPAQUE else pixels), argb


def plane(rng: np.random.Generator, size: tuple[int, int], strides: tuple[int, int]) -> tuple[Plane, bytes]:
    """Return a random plane of (width, height) whose last row ends with its last pixel, and the same for Frames.kt."""
    row, pixel = strides
    data = rng.integers(0, 256, (size[1] - 1) * row + (size[0] - 1) * pixel + 1, dtype=np.uint8)
    return Plane(data, row, pixel), struct.pack(">3i", row, pixel, data.size) + data.tobytes()


def camera(rng: np.random.Generator, size: tuple[int, int]) -> tuple[Pixels, bytes]:
    """Return RGB, uint8 [H, W, 3], of a YUV frame of random strides and standard, and the frame's bytes."""
    standard, pixel = int(rng.integers(len(YUV))), int(rng.integers(1, 4))
    half = ((size[0] + 1) // 2, (size[1] + 1) // 2)
    pads = rng.integers(0, 9, 3) * rng.integers(0, 2)
    strides = [(size[0] + int(pads[0]), 1), *(((half[0] - 1) * pixel + 1 + int(pad), pixel) for pad in pads[1:])]
    planes = [plane(rng, at, stride) for at, stride in zip((size, half, half), strides, strict=True)]
    pixels = yuv_to_rgb(size, [each for each, _ in planes], list(YUV)[standard])
    return pixels, struct.pack(">i", standard) + b"".join(packed for _, packed in planes)


def rgba(rng: np.random.Generator, size: tuple[int, int]) -> tuple[Pixels, bytes]:
    """Return RGB, uint8 [H, W, 3], of an RGBA frame with padding, and the frame's bytes."""
    row = 4 * size[0] + int(rng.integers(0, 9))
    data = rng.integers(0, 256, (size[1] - 1) * row + 4 * size[0], dtype=np.uint8)
    return rgba_to_rgb(size, Plane(data, row)), struct.pack(">2i", row, data.size) + data.tobytes()


def case(rng: np.random.Generator, size: tuple[int, int], spec: ImageSpec, view: View, kind: int) -> Case:
    """Return a random frame of (width, height)."""
    sources = {CAMERA: camera, RGBA: rgba}
    pixels, source = sources[kind](rng, size) if kind in sources else bitmap(rng, size, kind)
    return Case(pixels, spec, view, kind, source)


def cases(seed: int, most: int) -> Iterator[Case]:
    """Yield every resize, colour, turn and mirror, with and without a region, of each kind, in sizes up to most."""
    rng = np.random.default_rng(seed)
    targets = [(int(height), int(width)) for height, width in rng.integers(1, most // 2, (12, 2))]
    turns = (0, 90, 180, 270, -90, 360, 450, -630)
    combinations = product(RESIZES, COLORS, turns, (False, True), (False, True), range(5))
    for resize, color, rotation, mirror, cut, kind in combinations:
        width, height = (int(side) for side in rng.integers(1, most, 2))
        # Tall and wide ones: the order of Pillow's passes is another there.
        width, height = [(width, height), (width // 8 + 1, height), (width, height // 8 + 1)][int(rng.integers(3))]
        turned = (height, width) if rotation % 180 else (width, height)
        pad = (114,) if color == "grayscale" else ((1, 2, 3), (9,))[int(rng.integers(2))]
        high, wide = targets[int(rng.integers(len(targets)))]
        spec = ImageSpec(high, wide, color, resize, pad)
        view = View(rotation, mirror, region(rng, turned) if cut else None)
        yield case(rng, (width, height), spec, view, kind)


def region(rng: np.random.Generator, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return a random part of (width, height): left, top, width, height."""
    left, top = (int(rng.integers(side)) for side in size)
    return left, top, int(rng.integers(size[0] - left)) + 1, int(rng.integers(size[1] - top)) + 1


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory, android_tools: None) -> Path:
    """Give the runtime's files and what runs them, compiled in explicit API mode, with warnings as errors."""
    folder = tmp_path_factory.mktemp("frames")
    (folder / "arguments").write_text("-Xexplicit-api=strict", "utf-8")
    explicit = Path(f"@{folder / 'arguments'}")  # as the compiler reads more arguments
    programs = [SUPPORT / "android" / name for name in ("Frames.kt", "FrameChecks.kt")]
    compile_kotlin([explicit, *FILES, *programs], [desktop_jar(quiet)], folder / "classes", quiet)
    return folder / "classes"


def on_the_jvm(program: Path, folder: Path, all_cases: Sequence[Case], *options: str) -> bytes:
    """Return pixels and placements of all cases, one behind the other."""
    with (folder / "in").open("wb") as file:
        file.write(struct.pack(">i", len(all_cases)))
        for each in all_cases:
            file.write(each.packed())
    start(program, folder, ["dropkit.FramesKt", str(folder / "in"), str(folder / "out")], *options)
    return (folder / "out").read_bytes()


def start(program: Path, folder: Path, main: Sequence[str], *options: str) -> list[str]:
    """Run a class of the program on a JVM with these options; return the lines that it printed."""
    jars = [program, desktop_jar(quiet), kotlin(quiet).stdlib]
    argv = [str(find_java()), *options, "-cp", os.pathsep.join(map(str, jars)), *main]
    lines: list[str] = []
    ended = run(Command(argv, os.environ, folder), log=folder / "log", on_line=lines.append, timeout=300)
    assert ended.status == 0, f"{ended.cause}\n{tail(folder / 'log', 30)}"
    return lines


def compare(found: bytes, all_cases: Sequence[Case]) -> None:
    """Assert that pixels are those of preprocess.py, and placements within 1e-9."""
    at = 0
    for each in all_cases:
        pixels, place = each.expected()
        got = found[at : at + len(pixels)]
        different = sum(a != b for a, b in zip(got, pixels, strict=True))
        what = f"kind {each.kind}, {each.pixels.shape}, {each.spec}, {each.view}"
        assert different == 0, f"{what}: {different} of {len(pixels)} bytes differ"
        at += len(pixels)
        np.testing.assert_allclose(struct.unpack_from(">6d", found, at), place, rtol=0, atol=1e-9, err_msg=what)
        at += 48
    assert at == len(found)


def test_images_and_frames_become_the_pixels_that_the_python_makes(program: Path, tmp_path: Path) -> None:
    all_cases = list(cases(seed=1, most=40))
    compare(on_the_jvm(program, tmp_path, all_cases), all_cases)
    assert len(all_cases) == 3 * 3 * 8 * 2 * 2 * 5


def test_the_pad_is_there_again_behind_a_frame_that_filled_it(program: Path, tmp_path: Path) -> None:
    rng, spec = np.random.default_rng(3), ImageSpec(9, 9, "bgr", "letterbox", (1, 2, 3))
    sizes = [(20, 10), (10, 10), (20, 10), (10, 20), (9, 9), (20, 10), (3, 40)]
    all_cases = [case(rng, size, spec, View(), BITMAP) for size in sizes]
    compare(on_the_jvm(program, tmp_path, all_cases), all_cases)


def test_every_value_on_every_alpha_and_every_gray(program: Path, tmp_path: Path) -> None:
    values, alphas = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    every = np.stack([values, values[:, ::-1], values.T, alphas], -1)
    red, green, blue, alpha = (every[..., i].astype(np.uint32) for i in range(4))
    argb = (alpha << 24 | red << 16 | green << 8 | blue).astype(">u4").tobytes()
    all_cases = [Case(every, ImageSpec(256, 256, color), View(), BITMAP, argb) for color in COLORS]
    compare(on_the_jvm(program, tmp_path, all_cases), all_cases)


def test_a_frame_of_a_size_that_was_seen_makes_no_garbage(program: Path, tmp_path: Path) -> None:
    # Compiling on the way, the JVM itself makes some bytes at any time.
    lines = start(program, tmp_path, ["dropkit.FrameChecksKt", "garbage"], "-Xint")
    assert len(lines) == 3 * 2 * 3, "sources, colours, resizes"
    assert [line for line in lines if not line.endswith(" 0 bytes")] == []


def test_what_is_no_frame_is_refused_with_what_to_give(program: Path, tmp_path: Path) -> None:
    lines = start(program, tmp_path, ["dropkit.FrameChecksKt", "refusals"])
    assert lines == [
        "the rotation is 45 degrees: give a multiple of 90",
        "the rotation is -91 degrees: give a multiple of 90",
        "the region (left 3, top 0, 2 x 2) is not inside the turned frame of 4 x 6 pixels: give a part of that",
        "the region (left 0, top 5, 2 x 2) is not inside the turned frame of 4 x 6 pixels: give a part of that",
        "the region (left -1, top 0, 2 x 2) is empty or begins outside: give a part of the frame",
        "the region (left 0, top 0, 0 x 2) is empty or begins outside: give a part of the frame",
        "the bitmap is recycled: give it before",
        "Y has 23 bytes, and 6 x 4 pixels need 24: give the whole buffer, from its beginning",
        "V has 5 bytes, and 3 x 2 pixels need 6: give the whole buffer, from its beginning",
        "U: strides of 4 and 2 bytes hold no 3 x 2 pixels: give the plane's own",
        "the frame: strides of 16 and 4 bytes hold no 6 x 4 pixels: give the plane's own",
        "the frame has 0 x 4 pixels: give the size of the image",
    ]


@pytest.mark.parametrize("rotation", [0, 90])
def test_an_image_of_50_million_pixels_needs_little_more_than_itself(
    program: Path, tmp_path: Path, rotation: int
) -> None:
    """The bitmap alone takes 200 MB of the heap's 250."""
    options = ("-Xmx250m", "-Xmn8m", "-XX:+UseSerialGC")
    main = ["dropkit.FrameChecksKt", "large", str(rotation), str(tmp_path / "out")]
    start(program, tmp_path, main, *options)
    rows, columns = np.ogrid[:6120, :8160]
    frame = (columns * 31 + rows * 17 + columns * rows % 13).astype(np.uint8)
    wanted = image_pixels(frame, ImageSpec(224, 224, "grayscale", "crop"), View(rotation))
    assert (tmp_path / "out").read_bytes() == wanted.tobytes()


def test_each_file_begins_with_the_package_that_a_bundle_replaces() -> None:
    files = sorted((ROOT / "templates" / "android" / "runtime").glob("*.kt"))
    assert {file.name for file in FILES} < {file.name for file in files}
    assert [file.name for file in files if not file.read_text("utf-8").startswith("package dropkit\n")] == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_larger_ones_do_so_too(program: Path, tmp_path: Path, seed: int) -> None:
    all_cases = list(cases(seed, most=300))
    compare(on_the_jvm(program, tmp_path, all_cases), all_cases)
