"""Turn images into tensors and tensors into real values, the way the app does it.

Knows image files, camera frames, pixels, normalization and affine quantization. Leaves files of arrays, signatures and
interpreters to its callers. The host imports it, and each bundle carries a byte-for-byte copy as
`emulate/preprocess.py`: so it needs Python 3.10+ and numpy (1.26 or 2.x) only, Pillow only for images, and nothing else
of the kit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

COLORS = ("grayscale", "rgb", "bgr")
RESIZES = ("stretch", "crop", "letterbox")
ACTIVATIONS = ("none", "softmax", "sigmoid")
# Others start programs, as EPS does. The last three come last: for them Pillow imports all of its plugins.
IMAGES = ("BMP", "GIF", "JPEG", "PNG", "PPM", "AVIF", "TIFF", "WEBP")
ORIENTATION, ORIENTATIONS = 0x0112, frozenset(range(2, 9))  # of EXIF: those that turn or mirror an image
PLUGINS = ("HEIF",)  # read where something else taught Pillow to
MOST_PIXELS = 50_000_000  # of an image: unpacked it takes up to 16 bytes a pixel, out of a file of a few kilobytes
QUANTIZED = ("int8", "uint8", "int16", "int32")
# From Y, U, V to red, green, blue in 16 fractional bits: black's Y, then the factors of Y, of V in red, of U and V in
# green, of U in blue. Source: ITU-R BT.601 and BT.709; full range is JFIF's, limited has Y 16..235 and U, V 16..240.
YUV = {
    "bt601_full": (0, 65536, 91881, 22553, 46802, 116130),
    "bt601_limited": (16, 76309, 104597, 25675, 53279, 132201),
    "bt709_full": (0, 65536, 103206, 12276, 30679, 121609),
    "bt709_limited": (16, 76309, 117489, 13975, 34925, 138438),
}
Box = tuple[int, int, int, int]  # left, top, width, height


@dataclass(frozen=True)
class ImageSpec:
    """The image that a model takes. Raises ValueError where the parts do not fit together.

    pad_color is what "letterbox" puts around an image, 0..255: red, green and blue, also where color is "bgr"; or one
    value for all channels, as for grayscale.
    """

    height: int
    width: int
    color: str
    resize: str = "stretch"
    pad_color: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        image_size((self.height, self.width, self.channels), self.color)
        if self.resize not in RESIZES:
            raise ValueError(f"resize {self.resize!r} is unknown: one of {', '.join(RESIZES)}")
        if len(self.pad_color) not in (1, self.channels) or not all(0 <= value <= 255 for value in self.pad_color):
            needed = "1 value" if self.channels == 1 else "1 or 3 values"
            raise ValueError(f"pad_color {list(self.pad_color)} is no color: {needed}, 0..255, are needed")

    @property
    def channels(self) -> int:
        """How many values a pixel has."""
        return 1 if self.color == "grayscale" else 3


@dataclass(frozen=True)
class View:
    """How a frame is looked at: it is turned, then mirrored, then cut to the region. Raises ValueError for other turns.

    rotation: degrees clockwise, any multiple of 90, also below 0 and above 360. mirror: left and right are exchanged.
    region: in pixels of the turned and mirrored frame; None is all of it.
    """

    rotation: int = 0
    mirror: bool = False
    region: Box | None = None

    def __post_init__(self) -> None:
        if self.rotation % 90:
            raise ValueError(f"the rotation is {self.rotation} degrees: give a multiple of 90")

    @property
    def turns(self) -> int:
        """How many quarter turns clockwise it is: 0..3."""
        return self.rotation // 90 % 4


@dataclass(frozen=True)
class Plane:
    """One plane of a camera frame, as android.media.Image has it: bytes, uint8 [N], and how far apart they lie."""

    data: NDArray[np.uint8]
    row_stride: int  # from a row to the next
    pixel_stride: int = 1  # from a pixel to the next in a row


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


def load_image(
    path: str | PathLike[str], shape: Sequence[int], color: str, resize: str, pad_color: Sequence[int] = (0,)
) -> NDArray[np.uint8]:
    """Return the image's pixels, uint8 0..255, exactly of `shape`: [H, W, C], or [H, W] for grayscale.

    The first frame, turned as its EXIF orientation says, and then as image_pixels has it. A grayscale image of 16 bits
    keeps its upper 8.

    Raises ValueError for a file that is no whole image or a shape that is no image's, OSError for a file
    that cannot be opened, ImportError without Pillow.
    """
    import PIL.Image  # noqa: F401 - here, so that its absence is no broken file

    height, width = image_size(shape, color)
    spec = ImageSpec(height, width, color, resize, tuple(pad_color))
    if Path(path).exists() and not Path(path).is_file():  # to open a pipe would wait for its writer
        raise ValueError(f"{path} is no file: a folder, a pipe or a device")
    with Path(path).open("rb") as file:
        try:
            image = _decode(file, "L" if color == "grayscale" else "RGB")
        # Broken bytes make Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more.
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ValueError(f"{path} is not an image that Pillow can read: {reason}") from error
    return _fitted(image, spec).reshape(tuple(shape))


def image_pixels(frame: NDArray[np.uint8], spec: ImageSpec, view: View = View()) -> NDArray[np.uint8]:
    """Return the model's pixels of a frame, uint8 [height, width, channels] of spec.

    frame: uint8, gray [H, W], RGB [H, W, 3] or RGBA [H, W, 4], its alpha not multiplied into the colors. In this order:

    1. turned, mirrored and cut as view says;
    2. what is transparent is blended onto black, as an opaque Android bitmap shows it;
    3. converted to color (grayscale by ITU-R 601 luma);
    4. "crop" cuts the largest centered box with the model's aspect ratio (as keras.preprocessing.image.smart_resize
       does); "stretch" and "letterbox" keep all of it;
    5. scaled by Pillow's bilinear filter, which widens when it reduces (antialiasing): to the model's size, or for
       "letterbox" to the largest size of the same aspect ratio that fits into it. There the shorter side is rounded to
       whole pixels, halves up, and is at least 1;
    6. "letterbox" centers it; of an odd number of rows or columns around it, the larger half is below or at the right.
       pad_color fills them.

    Raises ValueError where the frame is no such array or the region is not inside it, ImportError without Pillow.
    """
    from PIL import Image

    if frame.dtype != np.uint8 or frame.ndim not in (2, 3) or frame.shape[2:] not in ((), (3,), (4,)) or not frame.size:
        raise ValueError(
            f"{frame.dtype} {list(frame.shape)} is no frame: uint8 [H, W], [H, W, 3] or [H, W, 4] is needed"
        )
    turned = np.rot90(frame, -view.turns)
    image = Image.fromarray(np.ascontiguousarray(turned[:, ::-1] if view.mirror else turned))
    image = image.crop(_edges(_region(image.size, view)))
    image = _on_black(image) if image.mode == "RGBA" else image
    return _fitted(image.convert("L" if spec.channels == 1 else "RGB"), spec)


def placement(size: tuple[int, int], spec: ImageSpec, view: View = View()) -> tuple[float, ...]:
    """Return (a, b, c, d, e, f), which lead from a point of the model's image back to the frame as it was given.

    frame x = a * x + b * y + c and frame y = d * x + e * y + f, for x and y from 0 to 1 across the model's width and
    down its height. Frame x and y are in pixels of the frame before it was turned and mirrored, from 0 at its left and
    top edge to its width and height: the center of the first pixel is at 0.5. What letterbox has put around the image
    leads to points outside.

    size: the frame's (width, height). Raises ValueError where the region is not inside the frame.
    """
    width, height = size[::-1] if view.turns % 2 else size
    left, top, box_width, box_height = _region((width, height), view)
    cut, place = _layout((box_width, box_height), spec)
    # Scale and start of each axis, in the turned and mirrored frame.
    across, down = cut[2] / place[2], cut[3] / place[3]
    ax, cx = spec.width * across, left + cut[0] - place[0] * across
    by, fy = spec.height * down, top + cut[1] - place[1] * down
    if view.mirror:
        ax, cx = -ax, width - cx
    back = (
        (ax, 0.0, cx, 0.0, by, fy),
        (0.0, by, fy, -ax, 0.0, width - cx),
        (-ax, 0.0, width - cx, 0.0, -by, height - fy),
        (0.0, -by, height - fy, ax, 0.0, cx),
    )
    return back[view.turns]


def yuv_to_rgb(size: tuple[int, int], planes: Sequence[Plane], standard: str) -> NDArray[np.uint8]:
    """Return RGB, uint8 [height, width, 3], of a frame in Android's YUV_420_888; standard is one of YUV.

    size: (width, height). planes: Y, U, V, as android.media.Image's getPlanes has them; those of U and V have half the
    width and height, rounded up, and each of their values serves two columns and two rows. Exact in whole numbers: the
    sum of the products with YUV's factors, plus a half, is shifted by 16 bits and clamped to 0..255.
    Raises ValueError where a plane is too short, or for another standard.
    """
    if standard not in YUV:
        raise ValueError(f"{standard!r} is unknown: one of {', '.join(YUV)}")
    black, luma, red_v, green_u, green_v, blue_u = YUV[standard]
    half = ((size[0] + 1) // 2, (size[1] + 1) // 2)
    sizes = (size, half, half)
    y, u, v = (_values(plane, at, name).astype(np.int32) for plane, at, name in zip(planes, sizes, "YUV", strict=True))
    u, v = (np.repeat(np.repeat(each - 128, 2, 0), 2, 1)[: size[1], : size[0]] for each in (u, v))
    base = (y - black) * luma + 0x8000
    rgb = np.stack([base + red_v * v, base - green_u * u - green_v * v, base + blue_u * u], -1) >> 16
    result: NDArray[np.uint8] = np.clip(rgb, 0, 255).astype(np.uint8)
    return result


def rgba_to_rgb(size: tuple[int, int], plane: Plane) -> NDArray[np.uint8]:
    """Return RGB, uint8 [height, width, 3], of a frame in Android's RGBA_8888. size: (width, height).

    plane: red, green, blue and alpha of a pixel, one behind the other. Alpha is not read: a camera's frame is opaque.
    Raises ValueError where the plane is too short.
    """
    channels = [_values(Plane(plane.data[i:], plane.row_stride, 4), size, "RGBA") for i in range(3)]
    return np.stack(channels, -1)


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


def image_formats() -> tuple[str, ...]:
    """Return the formats of images that are read, by Pillow's names."""
    from PIL import Image

    return (*IMAGES, *(name for name in PLUGINS if name in Image.OPEN))


def _decode(file: Any, mode: str) -> Any:
    """Return a Pillow image of mode "L" or "RGB": first frame, upright, 8 bits, blended onto black."""
    from PIL import Image, ImageOps

    image: Image.Image = Image.open(file, formats=image_formats())
    is_png = image.format == "PNG"
    if image.width * image.height > MOST_PIXELS:
        raise ValueError(f"it has {image.width} x {image.height} pixels, and {MOST_PIXELS:,} are read")
    image.load()
    if image.getexif().get(ORIENTATION) in ORIENTATIONS:  # else it would copy the image
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or (image.mode == "I" and is_png):
        # Pillow's own convert("L") clips at 255 instead of scaling.
        image = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise ValueError(f"its pixels have 32 bits (mode {image.mode}), 8 per channel are needed")
    elif "transparency" in image.info or image.mode in ("LA", "PA", "RGBA"):
        image = _on_black(image.convert("RGBA"))
    return image if image.mode == mode else image.convert(mode)  # which copies it


def _on_black(image: Any) -> Any:
    """Return a Pillow image of mode "RGBA", opaque."""
    from PIL import Image

    return Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)


def _fitted(image: Any, spec: ImageSpec) -> NDArray[np.uint8]:
    """Return uint8 [height, width, channels] of spec, of a Pillow image of mode "L" or "RGB"."""
    from PIL import Image

    cut, place = _layout(image.size, spec)
    # Not resize(box=...): its filter reaches over the edge of the box.
    image = (image if cut[2:] == image.size else image.crop(_edges(cut))).resize(place[2:], Image.Resampling.BILINEAR)
    pixels = np.empty((spec.height, spec.width, spec.channels), np.uint8)
    pixels[:] = spec.pad_color
    left, top, right, bottom = _edges(place)
    pixels[top:bottom, left:right] = np.asarray(image).reshape(place[3], place[2], spec.channels)
    return np.ascontiguousarray(pixels[..., ::-1]) if spec.color == "bgr" else pixels


def _layout(size: tuple[int, int], spec: ImageSpec) -> tuple[Box, Box]:
    """Return which box of an image of (width, height) is scaled, and to which box of the model's image."""
    (width, height), (wide, high) = size, (spec.width, spec.height)
    cut, place = (width, height), (wide, high)
    if spec.resize == "crop":
        cut = (max(1, min(width, height * wide // high)), max(1, min(height, width * high // wide)))
    elif spec.resize == "letterbox" and width * high > height * wide:
        place = (wide, max(1, (2 * height * wide + width) // (2 * width)))
    elif spec.resize == "letterbox":
        place = (max(1, (2 * width * high + height) // (2 * height)), high)
    return _centered(cut, size), _centered(place, (wide, high))


def _centered(inner: tuple[int, int], outer: tuple[int, int]) -> Box:
    return (outer[0] - inner[0]) // 2, (outer[1] - inner[1]) // 2, inner[0], inner[1]


def _edges(box: Box) -> Box:
    """Return left, top, right and bottom of a box."""
    return box[0], box[1], box[0] + box[2], box[1] + box[3]


def _region(size: tuple[int, int], view: View) -> Box:
    """Return the view's region of a turned frame of (width, height). Raises ValueError where it is not inside."""
    left, top, width, height = view.region or (0, 0, *size)
    if min(left, top, width - 1, height - 1) < 0 or left + width > size[0] or top + height > size[1]:
        box = f"left {left}, top {top}, {width} x {height}"
        raise ValueError(f"the region ({box}) is not inside the turned frame of {size[0]} x {size[1]} pixels")
    return left, top, width, height


def _values(plane: Plane, size: tuple[int, int], name: str) -> NDArray[np.uint8]:
    """Return a plane's values of (width, height), uint8 [height, width]. Raises ValueError where it is too short."""
    width, height = size
    line = (width - 1) * plane.pixel_stride + 1
    if min(width, height, plane.pixel_stride) < 1 or plane.row_stride < line:
        strides = f"strides of {plane.row_stride} and {plane.pixel_stride} bytes"
        raise ValueError(f"{name}: {strides} hold no {width} x {height} pixels")
    needed = (height - 1) * plane.row_stride + line
    if plane.data.size < needed:
        raise ValueError(f"{name} has {plane.data.size} bytes: {width} x {height} pixels need {needed}")
    return np.lib.stride_tricks.as_strided(
        np.ascontiguousarray(plane.data), (height, width), (plane.row_stride, plane.pixel_stride), writeable=False
    )


def _float32_scale(scale: float) -> np.float32:
    step = np.float32(scale)
    if not (math.isfinite(step) and step > 0):
        raise ValueError(f"scale {scale} is not a positive float32 number")
    return step
