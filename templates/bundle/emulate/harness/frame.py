"""The frame that places are given in: the image file as a viewer shows it, or the model's own input."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import preprocess

from .files import Array
from .signature import Signature
from .tensor import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image

ARRAYS = (".npz", ".csv", ".npy", ".raw", ".bin", ".txt")
ORIENTATION, TURNED = 0x0112, (5, 6, 7, 8)  # of EXIF: the rows of such an image are columns
Placement = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class Frame:
    """A frame, and how the model's input lies in it: frame_x = a * x + b * y + c, frame_y = d * x + e * y + f."""

    width: int
    height: int
    placement: Placement  # (a, b, c, d, e, f), of x and y from 0 to 1 over the model's input


NOWHERE = Frame(1, 1, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0))  # of what has no frame: 0..1


def frame_of(path: Path, signature: Signature) -> Frame:
    """Return the frame of an INPUT that was read: an image's own pixels, those of the model's input, or NOWHERE."""
    if not signature.decodes:
        return NOWHERE
    tensor = image_input(signature)
    if tensor is not None and path.suffix.lower() not in ARRAYS:
        return place(upright_size(path), tensor)
    if tensor is None or -1 in tensor.sample:
        return NOWHERE
    height, width = tensor.sample[:2]
    return stretched(width, height)


def place(size: tuple[int, int], tensor: Tensor) -> Frame:
    """Return the frame of an image of (width, height), of which preprocess.load_image makes pixels of an input."""
    if -1 in tensor.sample:
        return stretched(*size)
    height, width = tensor.sample[:2]
    spec = preprocess.ImageSpec(height, width, tensor.color, tensor.resize)
    a, b, c, d, e, f = preprocess.placement(size, spec)
    return Frame(*size, (a, b, c, d, e, f))


def stretched(width: int, height: int) -> Frame:
    """Return the frame that the whole of the model's input lies on."""
    return Frame(width, height, (float(width), 0.0, 0.0, 0.0, float(height), 0.0))


def image_input(signature: Signature) -> Tensor | None:
    """Return the one input, where it is an image."""
    tensors = tuple(signature.inputs.values())
    return tensors[0] if len(tensors) == 1 and tensors[0].kind == "image" else None


def upright_size(path: Path) -> tuple[int, int]:
    """Return the width and height of what open_image gives; of a JPEG without decoding it once more."""
    from PIL import Image, ImageOps

    with Image.open(path, formats=preprocess.image_formats()) as image:
        if image.format != "JPEG":
            return ImageOps.exif_transpose(image).size
        turned = image.getexif().get(ORIENTATION) in TURNED
        return image.size[::-1] if turned else image.size


def open_image(path: Path) -> "Image":
    """Return an image file's first frame, upright, in colours."""
    from PIL import Image, ImageOps

    with Image.open(path, formats=preprocess.image_formats()) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def shown_input(tensor: Tensor, fed: Array) -> "Image":
    """Return an image of what the model is fed: [1, H, W, C] or [1, H, W] in the tensor's dtype."""
    from PIL import Image

    real = fed if tensor.scale is None else preprocess.dequantize(fed, tensor.scale, tensor.zero_point)
    values = np.asarray(real[0] if tensor.batched else real, np.float64) * _wide(tensor.std) + _wide(tensor.mean)
    pixels = np.clip(np.round(values), 0, 255).astype(np.uint8)
    if tensor.color == "grayscale":
        return Image.fromarray(pixels.reshape(pixels.shape[:2])).convert("RGB")
    return Image.fromarray(np.ascontiguousarray(pixels[..., ::-1] if tensor.color == "bgr" else pixels))


def _wide(values: Sequence[float]) -> Array:
    """Return float64 [n]."""
    return np.array(values, np.float64)
