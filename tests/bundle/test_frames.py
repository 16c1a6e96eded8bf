"""Frames as a camera gives them: planes to colors, turns, mirrors, regions, letterbox, and the way back."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness.frame import open_image, upright_size
from numpy.typing import NDArray
from PIL import Image

from kit.shared.preprocess import (
    RESIZES,
    YUV,
    ImageSpec,
    Plane,
    View,
    image_pixels,
    load_image,
    placement,
    rgba_to_rgb,
    yuv_to_rgb,
)

Pixels = NDArray[np.uint8]


def frame(width: int, height: int, channels: int = 3) -> Pixels:
    """Return random pixels, uint8 [height, width, channels]."""
    return np.random.default_rng(7).integers(0, 256, (height, width, channels), dtype=np.uint8)


# ---------------------------------------------------------------- turned, mirrored, cut


@pytest.mark.parametrize(
    ("rotation", "mirror", "wanted"),
    [
        (0, False, ["ab", "cd", "ef"]),
        (90, False, ["eca", "fdb"]),
        (180, False, ["fe", "dc", "ba"]),
        (270, False, ["bdf", "ace"]),
        (-90, False, ["bdf", "ace"]),
        (360, False, ["ab", "cd", "ef"]),
        (450, False, ["eca", "fdb"]),
        (-630, False, ["eca", "fdb"]),
        (0, True, ["ba", "dc", "fe"]),
        (90, True, ["ace", "bdf"]),  # turned first, then mirrored
    ],
)
def test_a_frame_is_turned_clockwise_and_then_mirrored(rotation: int, mirror: bool, wanted: list[str]) -> None:
    gray = np.array([list(b"ab"), list(b"cd"), list(b"ef")], np.uint8)
    spec = ImageSpec(len(wanted), len(wanted[0]), "grayscale")
    pixels = image_pixels(gray, spec, View(rotation, mirror))
    assert [bytes(row.tolist()).decode() for row in pixels[..., 0]] == wanted


def test_a_region_is_one_of_the_turned_and_mirrored_frame() -> None:
    pixels = frame(9, 7)
    turned = np.rot90(pixels, -1)[:, ::-1]  # 7 wide, 9 high
    cut = image_pixels(pixels, ImageSpec(2, 3, "rgb"), View(90, mirror=True, region=(4, 6, 3, 2)))
    np.testing.assert_array_equal(cut, turned[6:8, 4:7])


@pytest.mark.parametrize("region", [(-1, 0, 2, 2), (0, 0, 0, 2), (0, -1, 2, 2), (6, 0, 2, 2), (0, 8, 2, 2)])
def test_a_region_that_is_not_inside_the_turned_frame_is_refused(region: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="is not inside the turned frame of 7 x 9 pixels"):
        image_pixels(frame(9, 7), ImageSpec(2, 2, "rgb"), View(90, region=region))


@pytest.mark.parametrize("rotation", [1, 45, -30])
def test_a_turn_that_is_no_quarter_is_refused(rotation: int) -> None:
    with pytest.raises(ValueError, match=f"the rotation is {rotation} degrees: give a multiple of 90"):
        View(rotation)


def test_what_is_no_frame_is_refused() -> None:
    bad_frames: list[Any] = [frame(4, 4, 2), frame(4, 4).astype(np.float32), frame(0, 4), np.zeros(4, np.uint8)]
    for bad in bad_frames:
        with pytest.raises(ValueError, match="is no frame"):
            image_pixels(bad, ImageSpec(2, 2, "rgb"))


EXIF = {1: View(), 2: View(0, True), 3: View(180), 4: View(180, True)}
EXIF |= {5: View(90, True), 6: View(90), 7: View(270, True), 8: View(270)}


@pytest.mark.parametrize("orientation", EXIF)
@pytest.mark.parametrize("resize", RESIZES)
def test_a_file_with_an_orientation_is_the_frame_with_that_turn(tmp_path: Path, orientation: int, resize: str) -> None:
    pixels, exif = frame(12, 9), Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    found = load_image(tmp_path / "a.png", (8, 5, 3), "rgb", resize)
    np.testing.assert_array_equal(found, image_pixels(pixels, ImageSpec(8, 5, "rgb", resize), EXIF[orientation]))


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tif", "bmp"])
@pytest.mark.parametrize("orientation", [0, *EXIF, 9])
def test_the_size_of_a_file_is_that_of_its_upright_image(tmp_path: Path, orientation: int, ending: str) -> None:
    path, exif = tmp_path / f"a.{ending}", Image.Exif()
    exif[0x0112] = orientation
    more: dict[str, Any] = {} if ending == "bmp" else {"exif": exif}
    Image.fromarray(frame(12, 9)).save(path, **more)
    assert upright_size(path) == open_image(path).size


# ---------------------------------------------------------------- letterbox


@pytest.mark.parametrize(
    ("size", "target", "box"),
    [
        ((640, 480), (320, 320), (0, 40, 320, 240)),
        ((480, 640), (320, 320), (40, 0, 240, 320)),
        ((100, 33), (10, 10), (0, 3, 10, 3)),  # 3.3 rows; the larger half of 7 is below
        ((4, 3), (2, 2), (0, 0, 2, 2)),  # 1.5 rows: halves up
        ((1000, 1), (10, 10), (0, 4, 10, 1)),  # at least one row
        ((5, 5), (20, 30), (0, 5, 20, 20)),  # small ones grow
        ((30, 20), (30, 20), (0, 0, 30, 20)),
    ],
)
def test_letterbox_keeps_the_proportions_and_the_middle(
    size: tuple[int, int], target: tuple[int, int], box: tuple[int, int, int, int]
) -> None:
    spec = ImageSpec(target[1], target[0], "rgb", "letterbox", (7, 8, 9))
    pixels = image_pixels(np.full((size[1], size[0], 3), 200, np.uint8), spec)
    left, top, width, height = box
    inside = np.zeros(pixels.shape[:2], bool)
    inside[top : top + height, left : left + width] = True
    assert (pixels[inside] == 200).all()
    assert (pixels[~inside] == (7, 8, 9)).all()


def test_letterbox_scales_as_stretch_to_that_size_does() -> None:
    pixels = frame(50, 31)
    boxed = image_pixels(pixels, ImageSpec(24, 24, "rgb", "letterbox"))
    np.testing.assert_array_equal(boxed[4:19], image_pixels(pixels, ImageSpec(15, 24, "rgb")))


@pytest.mark.parametrize(
    ("color", "pad", "found"),
    [
        ("rgb", (1, 2, 3), [1, 2, 3]),
        ("bgr", (1, 2, 3), [3, 2, 1]),
        ("rgb", (114,), [114] * 3),
        ("grayscale", (5,), [5]),
    ],
)
def test_the_pad_color_is_red_green_blue_whatever_the_model_reads(
    color: str, pad: tuple[int, ...], found: list[int]
) -> None:
    pixels = image_pixels(frame(8, 4), ImageSpec(8, 8, color, "letterbox", pad))
    assert pixels[0, 0].tolist() == found


@pytest.mark.parametrize(("color", "pad"), [("grayscale", (1, 2, 3)), ("rgb", (1, 2)), ("rgb", (256,)), ("bgr", ())])
def test_a_pad_color_that_is_none_is_refused(color: str, pad: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="is no color"):
        ImageSpec(8, 8, color, "letterbox", pad)


# ---------------------------------------------------------------- the way back


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("region", [None, (4, 8, 20, 12)])
def test_placement_leads_from_a_pixel_of_the_model_to_its_place_in_the_frame(
    resize: str, rotation: int, mirror: bool, region: tuple[int, int, int, int] | None
) -> None:
    """One white pixel in the frame: its brightest pixel in the model's image leads back to it."""
    spec, view = ImageSpec(64, 80, "grayscale", resize), View(rotation, mirror, region)
    for x, y in ((16, 15), (17, 16)):
        gray = np.zeros((30, 33), np.uint8)
        gray[y, x] = 255
        pixels = image_pixels(gray, spec, view)[..., 0].astype(float)
        rows, columns = np.indices(pixels.shape) + 0.5
        center = ((pixels * columns).sum() / pixels.sum() / 80, (pixels * rows).sum() / pixels.sum() / 64)
        a, b, c, d, e, f = placement((33, 30), spec, view)
        found = (a * center[0] + b * center[1] + c, d * center[0] + e * center[1] + f)
        assert found == pytest.approx((x + 0.5, y + 0.5), abs=0.05)


def test_placement_of_letterbox_leads_outside_where_the_pad_is() -> None:
    a, b, c, d, e, f = placement((640, 480), ImageSpec(320, 320, "rgb", "letterbox"))
    assert (a, b, c) == (640, 0, 0)
    assert (d, e, f) == (0, 640, -80)


# ---------------------------------------------------------------- planes


def plane(values: Pixels, pixel_stride: int = 1, pad: int = 0) -> Plane:
    """Return values, uint8 [height, width], as a plane; its last row ends with its last pixel, as a camera's does."""
    height, width = values.shape
    row = (width - 1) * pixel_stride + 1 + pad
    data = np.full((height - 1) * row + (width - 1) * pixel_stride + 1, 99, np.uint8)
    rows = np.arange(height)[:, None] * row
    data[rows + np.arange(width) * pixel_stride] = values
    return Plane(data, row, pixel_stride)


def formula(y: int, u: int, v: int, standard: str) -> list[int]:
    """Return RGB as ITU-R has it, exact, without rounding before the end."""
    kr, kb = {"bt601": (Fraction("0.299"), Fraction("0.114")), "bt709": (Fraction("0.2126"), Fraction("0.0722"))}[
        standard[:5]
    ]
    luma, chroma = (Fraction(255, 219), Fraction(255, 224)) if standard.endswith("limited") else (Fraction(1),) * 2
    light = (y - (16 if standard.endswith("limited") else 0)) * luma
    red, blue = 2 * (1 - kr) * chroma * (v - 128), 2 * (1 - kb) * chroma * (u - 128)
    green = -(kr * red + kb * blue) / (1 - kr - kb)
    return [
        min(255, max(0, int((light + each) * 2 + 1) // 2 if light + each > 0 else 0)) for each in (red, green, blue)
    ]


@pytest.mark.parametrize("standard", YUV)
def test_yuv_is_the_standards_own_formula_rounded(standard: str) -> None:
    values = [0, 1, 15, 16, 17, 60, 127, 128, 129, 200, 235, 240, 254, 255]
    for y, u, v in product(values, repeat=3):
        planes = [plane(np.full((1, 1), value, np.uint8)) for value in (y, u, v)]
        found = yuv_to_rgb((1, 1), planes, standard)[0, 0].tolist()
        exact = formula(y, u, v, standard)
        # 16 fractional bits: at a half of a step, one of two neighbours.
        assert max(abs(a - b) for a, b in zip(found, exact, strict=True)) <= 1
        assert found == exact or sum(a != b for a, b in zip(found, exact, strict=True)) == 1


def test_full_range_yuv_is_what_pillow_makes_of_it() -> None:
    y, u, v = (frame(64, 64, 1)[..., 0] for _ in range(3))
    u, v = u[:32, :32], v[32:, 32:]
    found = yuv_to_rgb((64, 64), [plane(y), plane(u), plane(v)], "bt601_full").astype(int)
    full = [y, *(np.repeat(np.repeat(each, 2, 0), 2, 1) for each in (u, v))]
    pillow = np.asarray(Image.fromarray(np.stack(full, -1), "YCbCr").convert("RGB")).astype(int)
    assert np.abs(found - pillow).max() <= 1  # its tables have 6 fractional bits


@pytest.mark.parametrize("size", [(6, 4), (5, 4), (6, 3), (5, 3), (1, 1)])
@pytest.mark.parametrize(("pixel_stride", "pad"), [(1, 0), (1, 5), (2, 0), (2, 3), (3, 1)])
def test_strides_and_odd_sizes_change_no_pixel(size: tuple[int, int], pixel_stride: int, pad: int) -> None:
    width, height = size
    half = ((width + 1) // 2, (height + 1) // 2)
    y, u, v = frame(width, height, 1)[..., 0], frame(*half, 1)[..., 0], frame(*half, 2)[..., 1]
    found = yuv_to_rgb(size, [plane(y, pad=pad), *(plane(each, pixel_stride, pad) for each in (u, v))], "bt709_limited")
    for row, column in product(range(height), range(width)):
        alone = [y[row, column], u[row // 2, column // 2], v[row // 2, column // 2]]
        planes = [plane(np.full((1, 1), value, np.uint8)) for value in alone]
        assert found[row, column].tolist() == yuv_to_rgb((1, 1), planes, "bt709_limited")[0, 0].tolist()


def test_rgba_leaves_alpha_and_padding_out() -> None:
    pixels = frame(5, 4, 4)
    data = np.full((4, 32), 99, np.uint8)
    data[:, :20] = pixels.reshape(4, 20)
    np.testing.assert_array_equal(rgba_to_rgb((5, 4), Plane(data.ravel()[: 3 * 32 + 20], 32)), pixels[..., :3])


def test_planes_that_hold_no_such_frame_are_refused() -> None:
    good = plane(frame(4, 4, 1)[..., 0])
    with pytest.raises(ValueError, match="'jpeg' is unknown: one of bt601_full"):
        yuv_to_rgb((4, 4), [good, good, good], "jpeg")
    with pytest.raises(ValueError, match="Y has 16 bytes: 4 x 5 pixels need 20"):
        yuv_to_rgb((4, 5), [good, good, good], "bt601_full")
    with pytest.raises(ValueError, match="V: strides of 1 and 1 bytes hold no 2 x 2 pixels"):
        yuv_to_rgb((4, 4), [good, good, Plane(good.data, 1)], "bt601_full")
    with pytest.raises(ValueError, match="RGBA: strides of 8 and 4 bytes hold no 4 x 1 pixels"):
        rgba_to_rgb((4, 1), Plane(good.data, 8))
