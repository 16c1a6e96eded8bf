"""Arrays as the model file takes them: pixels are normalized, real values are quantized."""

from pathlib import Path

import numpy as np
import preprocess

from .errors import refused
from .files import Array
from .tensor import Tensor


def feed(path: Path, tensor: Tensor, array: Array) -> Array:
    """Return array, of any batch, in array's shape and the tensor's dtype. path is what an error names.

    An image's: pixels as uint8, or normalized float values. Another's: the tensor's own dtype, or real float values.
    Raises EmulateError for a dtype or range that cannot be meant.
    """
    if tensor.kind == "image" and array.dtype == np.uint8:
        return _of_pixels(path, tensor, array)
    if tensor.kind == "image":
        return _to_file(path, tensor, _normalized(path, tensor, array))
    if array.dtype == np.dtype(tensor.dtype):
        return array
    if array.dtype.kind == "f":
        return _to_file(path, tensor, array)
    if tensor.scale is None and tensor.dtype.startswith("int") and array.dtype.kind in "iu":
        narrow = array.astype(tensor.dtype)
        if (narrow == array).all():
            return narrow
        raise refused(path, f"{tensor.name} has values that {tensor.dtype} cannot hold")
    raise refused(path, f"{tensor.name} is {array.dtype}: give {tensor.dtype} as it is, or float32 values")


def _of_pixels(path: Path, tensor: Tensor, pixels: Array) -> Array:
    """Return pixels, uint8 [..., C] or of one mean and std, in the tensor's dtype, of the same shape.

    There are 256 of a channel: what each of them becomes is computed once. Raises EmulateError.
    """
    channels = max(len(tensor.mean), len(tensor.std))
    each = np.repeat(np.arange(256, dtype=np.uint8)[:, None], channels, axis=1)
    table = _to_file(path, tensor, preprocess.normalize(each, tensor.mean, tensor.std))
    if (table == table[:, :1]).all():
        return np.take(table[:, 0], pixels)
    fed = np.empty(pixels.shape, table.dtype)
    for channel in range(channels):
        fed[..., channel] = np.take(table[:, channel], pixels[..., channel])
    return fed


def _normalized(path: Path, tensor: Tensor, array: Array) -> Array:
    """Return an image's normalized values as they are, of any shape and float dtype, where they can be meant as such.

    Raises EmulateError.
    """
    if array.dtype.kind != "f":
        raise refused(path, f"{tensor.name} is {array.dtype}: give pixels as uint8, or normalized float32")
    low, high = _limits(tensor)
    slack = (tensor.scale or 0.0) + 1e-3 * (high - low)
    # NaN is in no range.
    if not ((array >= low - slack) & (array <= high + slack)).all():
        found = f"{tensor.name} has float values from {array.min():.4g} to {array.max():.4g}"
        limits = f"normalized ones lie between {low.min():.4g} and {high.max():.4g}"
        raise refused(path, f"{found}, and {limits}: give pixels as uint8, or (pixel - mean) / std")
    return array


def _limits(tensor: Tensor) -> tuple[Array, Array]:
    """Return the lowest and the highest normalized value of each channel, float32 [channels] each."""
    channels = tensor.sample[2:] or (1,)
    extremes = np.stack([np.zeros(channels), np.full(channels, 255)])
    ends = preprocess.normalize(extremes, tensor.mean, tensor.std)
    return ends.min(axis=0), ends.max(axis=0)


def _to_file(path: Path, tensor: Tensor, real: Array) -> Array:
    """Return real float values in the tensor's dtype, of the same shape. Raises EmulateError."""
    if tensor.scale is None:
        if tensor.dtype.startswith("float"):
            return real.astype(tensor.dtype)
        raise refused(path, f"{tensor.name} is {real.dtype}, and the model takes {tensor.dtype} as it is")
    try:
        return preprocess.quantize(real, tensor.scale, tensor.zero_point, tensor.dtype)
    except ValueError as error:
        raise refused(path, f"{tensor.name}: {error}") from error
