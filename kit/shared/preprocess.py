"""Turn images into tensors and tensors into real values, the way the app does it.

Knows pixels, normalization and affine quantization. Leaves files of arrays, signatures and interpreters to
its callers. The host imports it, and each bundle carries a byte-for-byte copy as `emulate/preprocess.py`: so
it needs Python 3.10+ and numpy (1.26 or 2.x) only, Pillow only for images, and nothing else of the kit.
"""

import math
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

COLORS = ("grayscale", "rgb", "bgr")
RESIZES = ("stretch", "crop")
ACTIVATIONS = ("none", "softmax", "sigmoid")
IMAGES = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # others start programs, as EPS does
MOST_PIXELS = 50_000_000  # of an image: unpacked it takes up to 16 bytes a pixel, out of a file of a few kilobytes
QUANTIZED = ("int8", "uint8", "int16", "int32")


def image_size(shape: Sequence[int], color: str) -> tuple[int, int]:
    """Return (height, width) of an image's shape: [H, W, 3], or [H, W, 1] or [H, W] for grayscale.

    Raises ValueError for any other shape or color.
    """
    if color not in COLORS:
        raise ValueError(f"color {color!r} is unknown: one of {', '.join(COLORS)}")
    channels = shape[2] if len(shape) == 3 else 1
    if len(shape) not in (2, 3) or min(shape) < 1 or channels != (1 if color == "grayscale" else 3):
        wanted = "[H, W, 1] or [H, W]" if color == "grayscale" else "[H, W, 3]"
        raise ValueError(f"shape {list(shape)} does not hold a {color} image: {wanted} is needed")
    return shape[0], shape[1]


def load_image(path: str | PathLike[str], shape: Sequence[int], color: str, resize: str) -> NDArray[np.uint8]:
    """Return the image's pixels, uint8 0..255, exactly of `shape`: [H, W, C], or [H, W] for grayscale.

    In this order: the first frame, turned as its EXIF orientation says; what is transparent is blended onto
    black, as an opaque Android bitmap shows it; converted to `color` (grayscale by ITU-R 601 luma); "crop"
    cuts the largest centered box with the target's aspect ratio (as keras.preprocessing.image.smart_resize
    does), "stretch" keeps all of it; then scaled by Pillow's bilinear filter, which widens when it reduces
    (antialiasing). A grayscale image of 16 bits keeps its upper 8.

    Raises ValueError for a file that is no whole image or a shape that is no image's, OSError for a file
    that cannot be opened, ImportError without Pillow.
    """
    height, width = image_size(shape, color)
    if resize not in RESIZES:
        raise ValueError(f"resize {resize!r} is unknown: one of {', '.join(RESIZES)}")
    from PIL import Image

    if Path(path).exists() and not Path(path).is_file():  # to open a pipe would wait for its writer
        raise ValueError(f"{path} is no file: a folder, a pipe or a device")
    with Path(path).open("rb") as file:
        try:
            image = _decode(file, "L" if color == "grayscale" else "RGB")
        # Broken bytes make Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more.
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ValueError(f"{path} is not an image that Pillow can read: {reason}") from error
    if resize == "crop":
        # Not resize(box=...): its filter reaches over the edge of the box.
        image = image.crop(centered_box(image.size, (width, height)))
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.array(image, dtype=np.uint8)
    if color == "bgr":
        pixels = np.ascontiguousarray(pixels[..., ::-1])
    return pixels.reshape(tuple(shape))


def centered_box(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of the largest centered box in size with target's aspect ratio."""
    width, height = size
    box_width = max(1, min(width, height * target[0] // target[1]))
    box_height = max(1, min(height, width * target[1] // target[0]))
    left, top = (width - box_width) // 2, (height - box_height) // 2
    return left, top, left + box_width, top + box_height


def normalize(pixels: NDArray[Any], mean: Sequence[float], std: Sequence[float]) -> NDArray[np.float32]:
    """Return (pixel - mean) / std of pixels' shape [..., C], each step rounded to float32.

    mean and std are in pixel units (0..255) and have one entry, or one for each channel of the last axis.
    Raises ValueError where they have another length or std is zero.
    """
    center, spread = np.asarray(mean, np.float32), np.asarray(std, np.float32)
    for name, values in (("mean", center), ("std", spread)):
        channels = pixels.shape[-1] if pixels.ndim else 1
        if values.ndim != 1 or values.size not in (1, channels):
            raise ValueError(f"{name} has {values.size} values: 1 or {channels} are needed")
        if not np.isfinite(values).all():
            raise ValueError(f"{name} {values.tolist()} is not finite")
    if not spread.all():
        raise ValueError(f"std {spread.tolist()} has a zero in it")
    result: NDArray[np.float32] = (pixels.astype(np.float32) - center) / spread
    return result


def quantize(real: NDArray[Any], scale: float, zero_point: int, dtype: str) -> NDArray[Any]:
    """Return q of real's shape and of `dtype`: round(real / scale) + zero_point, clamped to dtype's range.

    The quotient is one of float32 values and halves round away from zero, as in TFLite's reference QUANTIZE
    kernel (tensorflow/lite/kernels/internal/reference/quantize.h); XNNPACK's takes halves to even, one step
    off at a tie. Infinities clamp.
    Raises ValueError for NaN, a dtype that is no quantized one, or a scale that is not positive.
    """
    if dtype not in QUANTIZED:
        raise ValueError(f"dtype {dtype!r} is not a quantized one: {', '.join(QUANTIZED)}")
    values = np.asarray(real, np.float32)
    if np.isnan(values).any():
        raise ValueError(f"{int(np.isnan(values).sum())} of {values.size} values are NaN")
    with np.errstate(over="ignore"):  # an overflow is an infinity, and clamps
        # float64 holds float32 + 0.5 exactly; float32 would round 0.49999997 up to 1.
        steps = (values / _float32_scale(scale)).astype(np.float64)
    rounded = np.copysign(np.floor(np.abs(steps) + 0.5), steps)
    limits = np.iinfo(dtype)
    q: NDArray[Any] = np.clip(rounded + zero_point, limits.min, limits.max).astype(dtype)
    return q


def dequantize(q: NDArray[Any], scale: float, zero_point: int) -> NDArray[np.float32]:
    """Return float32 of q's shape: scale * (q - zero_point), rounded once.

    Raises ValueError where q is not an integer array or scale is not positive. Source: TFLite 8-bit
    quantization specification.
    """
    if not np.issubdtype(q.dtype, np.integer):
        raise ValueError(f"{q.dtype} is not an integer type: nothing to dequantize")
    difference = q.astype(np.int64) - zero_point
    result: NDArray[np.float32] = (np.float64(_float32_scale(scale)) * difference).astype(np.float32)
    return result


def apply_activation(real: NDArray[Any], activation: str) -> NDArray[np.float32]:
    """Return float32 of real's shape [..., classes]: "softmax" over the last axis, "sigmoid", or "none".

    Raises ValueError for another activation.
    """
    values = np.asarray(real, np.float64)
    if activation == "softmax":
        powers = np.exp(values - values.max(axis=-1, keepdims=True))
        values = powers / powers.sum(axis=-1, keepdims=True)
    elif activation == "sigmoid":
        # exp of a negative number only: it cannot overflow.
        small = np.exp(-np.abs(values))
        values = np.where(values < 0, small, 1.0) / (1.0 + small)
    elif activation != "none":
        raise ValueError(f"activation {activation!r} is unknown: one of {', '.join(ACTIVATIONS)}")
    return values.astype(np.float32)


def _decode(file: Any, mode: str) -> Any:
    """Return a Pillow image of mode "L" or "RGB": first frame, upright, 8 bits, blended onto black."""
    from PIL import Image, ImageOps

    image: Image.Image = Image.open(file, formats=IMAGES)
    is_png = image.format == "PNG"
    if image.width * image.height > MOST_PIXELS:
        raise ValueError(f"it has {image.width} x {image.height} pixels, and {MOST_PIXELS:,} are read")
    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or (image.mode == "I" and is_png):
        # Pillow's own convert("L") clips at 255 instead of scaling.
        image = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise ValueError(f"its pixels have 32 bits (mode {image.mode}), 8 per channel are needed")
    elif "transparency" in image.info or image.mode in ("LA", "PA", "RGBA"):
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    return image.convert(mode)


def _float32_scale(scale: float) -> np.float32:
    step = np.float32(scale)
    if not (math.isfinite(step) and step > 0):
        raise ValueError(f"scale {scale} is not a positive float32 number")
    return step
