"""Samples that are made when they are asked for, some rows at a time: as many as a disk holds, in the memory of a few.

The worker feeds them to the source model, and the script that runs in the app's runtime to the product: both have the
same numbers from the same arrays, those that a user gave. Knows numpy alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from kit.shared.job import InputSpec, TensorSpec
from kit.shared.preprocess import normalize, quantize

Make = Callable[[np.ndarray], np.ndarray]  # element by element
Table = np.ndarray  # [256] or [256, channels]: what each pixel becomes
BLOCK = 4 << 20  # numbers that are looked at in one go


class Rows:
    """An array [N, ...] made of another one, row by row.

    given: [N, ...] of any dtype; inner: the shape of a row; make: what becomes of rows, element by element; a table
    instead for uint8 pixels.
    """

    def __init__(self, given: np.ndarray, inner: Sequence[int], make: Make | Table, dtype: np.dtype) -> None:
        self._given, self._make = given, make
        self.shape = (len(given), *inner)
        self.dtype = np.dtype(dtype)

    @property
    def ndim(self) -> int:
        """Return the number of axes, that of the samples among them."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: int | slice | np.ndarray) -> np.ndarray:
        """Return [rows, ...], or [...] of one row, in this dtype, in memory of its own."""
        if isinstance(rows, int | np.integer):
            return np.asarray(self[int(rows) : int(rows) + 1 or None][0])
        given = np.array(self._given[rows])
        made = self._make(given) if callable(self._make) else _looked_up(given, self._make)
        return made.reshape(len(given), *self.shape[1:])

    def head(self, count: int) -> Rows:
        """Return the first rows alone."""
        return Rows(self._given[:count], self.shape[1:], self._make, self.dtype)

    def then(self, make: Make, dtype: str) -> Rows:
        """Return what another step makes of it, element by element: of pixels, of each of the 256 once.

        make: of an array [...] in this dtype, one of the same shape in dtype.
        """
        own = self._make
        step = (lambda given: make(own(given))) if callable(own) else make(own)
        return Rows(self._given, self.shape[1:], step, np.dtype(dtype))


Array = np.ndarray | Rows
Arrays = Mapping[str, Array]


def pixel_rows(pixels: np.ndarray, inner: Sequence[int], mean: Sequence[float], std: Sequence[float]) -> Rows:
    """Return uint8 pixels [N, ..., channels] or [N, ...] as the model takes them: (pixel - mean) / std, float32.

    mean, std: one number, or one for each channel. Raises ValueError as kit.shared.preprocess.normalize does.
    """
    channels = max(len(mean), len(std))
    levels = np.repeat(np.arange(256, dtype=np.uint8)[:, None], channels, axis=1)
    table = normalize(levels, mean, std)
    return Rows(pixels, inner, table[:, 0] if channels == 1 else table, np.dtype(np.float32))


def cast_rows(array: np.ndarray, inner: Sequence[int], dtype: str) -> Array:
    """Return an array [N, ...] of any dtype in another one, each row in a shape; the same array where it is so.

    What is mapped from a file may begin anywhere: then rows are copied to where numbers may be.
    """
    if array.dtype == np.dtype(dtype) and array.flags.aligned:
        return array.reshape(len(array), *inner)
    return Rows(array, inner, lambda rows: _cast(rows, dtype), np.dtype(dtype))


def given_rows(array: np.ndarray, request: InputSpec, inner: Sequence[int], dtype: str) -> Array:
    """Return what a user gave for an input, [N, ...] of any dtype, in the model's own values: shape inner, of dtype."""
    if is_pixels(array, request):
        return pixel_rows(array, inner, request.mean, request.std).then(lambda real: _cast(real, dtype), dtype)
    return cast_rows(array, inner, dtype)


def signature_rows(
    inputs: Sequence[TensorSpec], given: Mapping[str, np.ndarray], requests: Mapping[str, InputSpec], prefix: str
) -> dict[str, Array]:
    """Return what a user gave for a signature's inputs in the model's own values: by name [N, ...], N of whole calls.

    given: <prefix><name> [N, ...] of any dtype.
    """
    batch = next((spec.shape[0] for spec in inputs if spec.batched), 1)
    rows: dict[str, Array] = {}
    for spec in inputs:
        array, request = given[prefix + spec.name], requests.get(spec.name, InputSpec(spec.name))
        inner = spec.shape[1:] if spec.batched else spec.shape
        inner = array.shape[1:] if -1 in inner else inner
        dtype = spec.dtype if spec.scale is None else "float32"
        rows[spec.name] = whole_calls(given_rows(array, request, inner, dtype), batch)
    return rows


def is_pixels(array: np.ndarray, request: InputSpec) -> bool:
    """Say whether an array [N, ...] of any dtype holds the pixels of an image that are yet to be normalized."""
    return request.image and array.dtype == np.uint8


def fed_rows(values: Array, spec: TensorSpec) -> Array:
    """Return real values [N, ...] of any dtype as the product's tensor takes them: quantized, else in its dtype."""

    def make(real: np.ndarray) -> np.ndarray:
        """Return real values, of any shape and dtype, as the tensor takes them."""
        return raw(real, spec)

    if isinstance(values, Rows):
        return values.then(make, spec.dtype)
    if spec.scale is None and values.dtype == np.dtype(spec.dtype):
        return values
    return Rows(values, values.shape[1:], make, np.dtype(spec.dtype))


def raw(values: np.ndarray, spec: TensorSpec) -> np.ndarray:
    """Return real values in their shape as the tensor takes them: quantized where it is so, else in its dtype."""
    if spec.scale is None or spec.zero_point is None:
        return values.astype(spec.dtype)
    return quantize(values, spec.scale, spec.zero_point, spec.dtype)


def whole_calls(array: Array, batch: int | None) -> Array:
    """Return samples [N, ...] that fill whole calls of a fixed batch: the rest is left out, or repeated to fill one.

    Their dtype stays.
    """
    if batch is None or batch <= 1:
        return array
    count, wanted = len(array), max(len(array) // batch, 1) * batch
    if wanted > count:
        return array[np.arange(wanted) % count]
    return array.head(wanted) if isinstance(array, Rows) else array[:wanted]


def blocks(array: np.ndarray) -> Sequence[slice]:
    """Return slices of rows that are small enough to look at one after the other. array: [N, ...] of any dtype."""
    each = max(1, BLOCK // max(1, array.size // max(1, len(array))))
    return [slice(at, at + each) for at in range(0, len(array), each)]


def _cast(values: np.ndarray, dtype: str) -> np.ndarray:
    """Return values in their shape, in another dtype; what does not fit was refused before."""
    with np.errstate(invalid="ignore", over="ignore"):
        return values.astype(dtype)


def _looked_up(pixels: np.ndarray, table: Table) -> np.ndarray:
    """Return what a table [256] or [256, channels] has for uint8 pixels [..., channels], in their shape."""
    if table.ndim == 1:
        return np.asarray(table[pixels])
    made = np.empty(pixels.shape, table.dtype)
    for channel in range(table.shape[1]):
        made[..., channel] = table[:, channel][pixels[..., channel]]
    return made
