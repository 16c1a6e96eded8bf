"""What the pre-processing does to an image and to a number, on files that each test makes."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from kit.shared import preprocess
from kit.shared.preprocess import apply_activation, dequantize, load_image, normalize, quantize

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def save_image(path: Path, pixels: Any, mode: str | None = None, **options: Any) -> Path:
    """Save an array [H, W] or [H, W, C] as an image."""
    image = Image.fromarray(np.asarray(pixels))
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def stripes(*colors: tuple[int, int, int], height: int) -> NDArray[np.uint8]:
    """Return pixels of squares beside one another."""
    return np.concatenate([np.full((height, height, 3), color, np.uint8) for color in colors], axis=1)


# ---------------------------------------------------------------- images


@pytest.mark.parametrize(
    ("shape", "color"), [((5, 7, 1), "grayscale"), ((5, 7), "grayscale"), ((5, 7, 3), "rgb"), ((5, 7, 3), "bgr")]
)
def test_an_image_becomes_exactly_the_shape_that_the_model_wants(
    tmp_path: Path, shape: tuple[int, ...], color: str
) -> None:
    path = save_image(tmp_path / "a.png", stripes(RED, BLUE, height=20))
    for resize in ("stretch", "crop"):
        pixels = load_image(path, shape, color, resize)
        assert pixels.shape == shape
        assert pixels.dtype == np.uint8


def test_an_image_of_the_right_size_keeps_every_pixel(tmp_path: Path) -> None:
    pixels = np.random.default_rng(7).integers(0, 256, (9, 4, 3), dtype=np.uint8)
    path = save_image(tmp_path / "a.png", pixels)
    np.testing.assert_array_equal(load_image(path, (9, 4, 3), "rgb", "stretch"), pixels)
    np.testing.assert_array_equal(load_image(path, (9, 4, 3), "bgr", "crop"), pixels[:, :, ::-1])


def test_grayscale_weighs_the_colors_as_the_eye_does(tmp_path: Path) -> None:
    path = save_image(tmp_path / "a.png", stripes(RED, GREEN, BLUE, height=1))
    assert load_image(path, (1, 3), "grayscale", "stretch").tolist() == [[76, 150, 29]]


def test_a_photo_that_was_taken_sideways_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated 90 degrees clockwise
    path = save_image(tmp_path / "a.png", stripes(RED, BLUE, height=4), exif=exif)
    pixels = load_image(path, (8, 4, 3), "rgb", "stretch")
    assert (pixels[:4] == RED).all()
    assert (pixels[4:] == BLUE).all()


def test_what_is_transparent_becomes_black_and_half_of_it_half_as_bright(tmp_path: Path) -> None:
    path = save_image(tmp_path / "a.png", np.array([[[200, 100, 50, 0], [200, 100, 50, 255]]], np.uint8))
    assert load_image(path, (1, 2, 3), "rgb", "stretch").tolist() == [[[0, 0, 0], [200, 100, 50]]]
    path = save_image(tmp_path / "b.png", np.full((1, 1, 4), (200, 100, 50, 128), np.uint8))
    assert load_image(path, (1, 1, 3), "rgb", "stretch").tolist() == [[[100, 50, 25]]]


def test_a_transparent_color_of_a_palette_becomes_black(tmp_path: Path) -> None:
    image = Image.fromarray(stripes(RED, GREEN, height=2)).quantize(2)
    at_left = image.getpixel((0, 0))
    image.save(tmp_path / "a.gif", transparency=at_left)
    pixels = load_image(tmp_path / "a.gif", (2, 4, 3), "rgb", "stretch")
    assert pixels[0, 0].tolist() == [0, 0, 0]
    assert pixels[0, 3].tolist() == list(GREEN)


def test_16_bits_are_scaled_and_not_clipped(tmp_path: Path) -> None:
    path = save_image(tmp_path / "a.png", np.array([[0, 255, 256, 32768, 65535]], np.uint16))
    assert load_image(path, (1, 5), "grayscale", "stretch").tolist() == [[0, 0, 1, 128, 255]]


def test_crop_keeps_the_middle_and_stretch_keeps_all(tmp_path: Path) -> None:
    wide = save_image(tmp_path / "wide.png", stripes(RED, GREEN, BLUE, height=30))
    tall = save_image(tmp_path / "tall.png", stripes(RED, GREEN, BLUE, height=30).transpose(1, 0, 2))
    for path in (wide, tall):
        cropped = load_image(path, (10, 10, 3), "rgb", "crop")
        assert (cropped == GREEN).all()
        stretched = load_image(path, (10, 10, 3), "rgb", "stretch")
        assert stretched[0, 0].tolist() == list(RED)
        assert stretched[9, 9].tolist() == list(BLUE)


def test_crop_follows_the_shape_of_a_model_that_is_not_square(tmp_path: Path) -> None:
    path = save_image(tmp_path / "a.png", stripes(RED, GREEN, GREEN, BLUE, height=30))
    assert (load_image(path, (10, 20, 3), "rgb", "crop") == GREEN).all()


def test_reducing_averages_so_that_a_fine_pattern_turns_gray(tmp_path: Path) -> None:
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    pixels = load_image(save_image(tmp_path / "a.png", board), (8, 8), "grayscale", "stretch")
    assert pixels.min() >= 126
    assert pixels.max() <= 129


def test_of_an_animation_the_first_frame_counts(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((4, 4, 3), color, np.uint8)) for color in (RED, BLUE)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (load_image(tmp_path / "a.gif", (4, 4, 3), "rgb", "stretch") == RED).all()


def test_a_file_that_is_no_whole_image_is_named(tmp_path: Path) -> None:
    whole = save_image(tmp_path / "whole.png", np.random.default_rng(7).integers(0, 256, (40, 40), dtype=np.uint8))
    bad = {"text.png": b"not an image", "empty.png": b"", "half.png": whole.read_bytes()[:700]}
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{name} is not an image that Pillow can read: .") as caught:
            load_image(tmp_path / name, (8, 8), "grayscale", "stretch")
        assert "\n" not in str(caught.value)


def test_pixels_of_32_bits_are_refused_because_their_white_is_unknown(tmp_path: Path) -> None:
    path = save_image(tmp_path / "a.tiff", np.ones((4, 4), np.float32))
    with pytest.raises(ValueError, match="32 bits"):
        load_image(path, (4, 4), "grayscale", "stretch")


def test_a_missing_file_is_missing_and_not_a_bad_image(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_image(tmp_path / "none.png", (8, 8), "grayscale", "stretch")


@pytest.mark.parametrize(
    ("shape", "color", "resize", "message"),
    [
        ((8, 8, 3), "grayscale", "stretch", r"\[8, 8, 3\] does not hold a grayscale image"),
        ((8, 8, 1), "rgb", "stretch", r"\[H, W, 3\] is needed"),
        ((8,), "grayscale", "stretch", r"\[8\] does not hold"),
        ((0, 8), "grayscale", "stretch", r"\[0, 8\] does not hold"),
        ((8, 8), "gray", "stretch", "color 'gray' is unknown: one of grayscale, rgb, bgr"),
        ((8, 8), "grayscale", "fit", "resize 'fit' is unknown: one of stretch, crop"),
    ],
)
def test_a_shape_or_word_that_means_no_image_is_refused(
    tmp_path: Path, shape: tuple[int, ...], color: str, resize: str, message: str
) -> None:
    path = save_image(tmp_path / "a.png", np.zeros((8, 8), np.uint8))
    with pytest.raises(ValueError, match=message):
        load_image(path, shape, color, resize)


# ---------------------------------------------------------------- numbers


def test_normalize_subtracts_and_divides_in_float32_for_each_channel() -> None:
    pixels = np.array([[[0, 128, 255]]], np.uint8)
    mean, std = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
    real = normalize(pixels, mean, std)
    f = np.float32
    assert real.dtype == np.float32
    expected = [(f(p) - f(m)) / f(s) for p, m, s in zip((0, 128, 255), mean, std, strict=True)]
    assert real[0, 0].tolist() == [float(value) for value in expected]


def test_normalize_takes_one_mean_for_all_channels_and_any_batch() -> None:
    pixels = np.full((2, 3, 4, 3), 255, np.uint8)
    assert (normalize(pixels, [127.5], [127.5]) == 1.0).all()


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ([1.0, 2.0], [1.0], "mean has 2 values: 1 or 3 are needed"),
        ([0.0], [], "std has 0 values"),
        ([0.0], [1.0, 0.0, 1.0], "has a zero"),
        ([float("nan")], [1.0], "not finite"),
    ],
)
def test_normalize_refuses_a_mean_or_std_that_does_not_fit(mean: list[float], std: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        normalize(np.zeros((2, 2, 3), np.uint8), mean, std)


def test_quantize_rounds_halves_away_from_zero() -> None:
    real = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], np.float32)
    assert quantize(real, 1.0, 0, "int8").tolist() == [-3, -2, -1, 1, 2, 3]
    assert quantize(np.array([0.49999997, -0.49999997], np.float32), 1.0, 0, "int8").tolist() == [0, 0]


def test_quantize_divides_in_float32_as_the_kernel_does() -> None:
    # 0.25 / 0.1 is 2.5 in float32, and 2.49999996 in float64 of the same two numbers.
    assert quantize(np.array([0.25], np.float32), 0.1, 0, "int8").tolist() == [3]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32"])
def test_quantize_clamps_to_the_type(dtype: str) -> None:
    limits = np.iinfo(dtype)
    real = np.array([-3e38, -np.inf, 3e38, np.inf], np.float32)
    q = quantize(real, 1e-3, 0, dtype)
    assert q.dtype == dtype
    assert q.tolist() == [limits.min, limits.min, limits.max, limits.max]


@pytest.mark.parametrize(
    ("real", "scale", "dtype", "message"),
    [
        ([0.0, float("nan")], 1.0, "int8", "1 of 2 values are NaN"),
        ([0.0], 0.0, "int8", "scale 0.0 is not a positive"),
        ([0.0], float("nan"), "int8", "scale nan"),
        ([0.0], 1.0, "float32", "'float32' is not a quantized one"),
    ],
)
def test_quantize_refuses_what_has_no_integer(real: list[float], scale: float, dtype: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quantize(np.array(real), scale, 0, dtype)


@pytest.mark.parametrize(("dtype", "zero_point"), [("int8", -128), ("uint8", 131), ("int16", 0)])
@pytest.mark.parametrize("scale", [0.003921568859368563, 0.1, 3e-7, 17.0])
def test_every_integer_survives_the_way_to_real_and_back(dtype: str, zero_point: int, scale: float) -> None:
    limits = np.iinfo(dtype)
    q = np.arange(limits.min, limits.max + 1).astype(dtype)
    real = dequantize(q, scale, zero_point)
    assert real.dtype == np.float32
    np.testing.assert_array_equal(quantize(real, scale, zero_point, dtype), q)


def test_dequantize_measures_from_the_zero_point_without_wrapping_around() -> None:
    assert dequantize(np.array([-128, 127], np.int8), 0.5, 127).tolist() == [-127.5, 0.0]


def test_dequantize_refuses_values_that_are_real_already() -> None:
    with pytest.raises(ValueError, match="float32 is not an integer type"):
        dequantize(np.zeros(3, np.float32), 0.5, 0)


def test_softmax_adds_up_to_one_and_does_not_overflow() -> None:
    scores = apply_activation(np.array([[1000.0, 1000.0], [-1000.0, 0.0]], np.float32), "softmax")
    assert scores.dtype == np.float32
    assert scores.tolist() == [[0.5, 0.5], [0.0, 1.0]]


def test_sigmoid_stays_between_zero_and_one_without_a_warning() -> None:
    with np.errstate(all="raise", under="ignore"):
        scores = apply_activation(np.array([-1000.0, -1.0, 0.0, 1.0, 1000.0]), "sigmoid")
    np.testing.assert_allclose(scores, [0.0, 0.26894143, 0.5, 0.7310586, 1.0], rtol=1e-6)


def test_no_activation_changes_nothing_and_an_unknown_one_is_refused() -> None:
    real = np.array([0.25, -3.0], np.float32)
    np.testing.assert_array_equal(apply_activation(real, "none"), real)
    with pytest.raises(ValueError, match="activation 'relu' is unknown: one of none, softmax, sigmoid"):
        apply_activation(real, "relu")


def test_the_module_stands_alone_without_the_kit_and_without_pillow(tmp_path: Path) -> None:
    shutil.copy(str(preprocess.__file__), tmp_path / "preprocess.py")
    code = """
import sys
sys.modules["PIL"] = None  # as if it were not installed
sys.path.insert(0, sys.argv[1])
import preprocess, numpy
assert preprocess.quantize(numpy.ones(1), 1.0, 0, "int8").tolist() == [1]
assert not [name for name in sys.modules if name.partition(".")[0] == "kit"]
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
