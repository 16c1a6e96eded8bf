"""One call's worth of arrays: the rows of many samples that a signature takes at once."""

from collections.abc import Iterable, Iterator
from itertools import repeat

import numpy as np

from .files import Array, Arrays
from .signature import Signature, Tensors
from .tensor import Tensor, fits


def call_of(tensors: Tensors, arrays: Arrays, index: int) -> Arrays:
    """Return one call's worth of each array, by name: of one sample, or number index of many.

    arrays: [*sample] or [N * rows, *sample] of each tensor; returned: [rows, *sample], in their own dtype.
    """
    return {name: one_call(tensor, arrays[name], index) for name, tensor in tensors.items()}


def one_call(tensor: Tensor, array: Array, index: int) -> Array:
    """Return [rows, *sample] of [*sample] or [N * rows, *sample], in array's dtype; no rows where none is batched."""
    if array.ndim == len(tensor.sample):
        return array[None] if tensor.batched else array
    if not tensor.batched:
        return np.asarray(array[index])
    return array[index * tensor.rows : (index + 1) * tensor.rows]


def all_calls(tensors: Tensors, arrays: Arrays, count: int) -> Iterator[Arrays]:
    """Yield what call_of has of each of `count` calls.

    arrays: [*sample] or [count * rows, *sample] of each tensor; yielded: [rows, *sample], in their own dtype.
    """
    parts = [_parts(tensor, arrays[name], count) for name, tensor in tensors.items()]
    return (dict(zip(tensors, call, strict=True)) for call in zip(*parts, strict=True))


def _parts(tensor: Tensor, array: Array, count: int) -> Iterable[Array]:
    """Return what one_call has of each call, [rows, *sample] in array's dtype: numpy cuts all rows at once.

    array: [*sample] or [count * rows, *sample].
    """
    if array.ndim == len(tensor.sample):
        return repeat(one_call(tensor, array, 0), count)
    return array.reshape(count, tensor.rows, *array.shape[1:]) if tensor.batched else map(np.asarray, array)


def count_calls(signature: Signature, arrays: Arrays) -> int:
    """Return how many calls arrays of a signature's inputs, [N * rows, *sample] of any dtype, are enough for."""
    first = next(iter(signature.inputs.values()))
    return len(arrays[first.name]) // first.rows


def holds_calls(tensor: Tensor, array: Array) -> bool:
    """Say whether array is [N * rows, *sample], of any dtype: N calls' worth, N >= 0."""
    return array.ndim > 0 and fits(array.shape[1:], tensor.sample) and len(array) % tensor.rows == 0


def calls_text(tensor: Tensor) -> str:
    """Return the shape of N calls' worth in words: "[N, 8, 8, 1]"."""
    return shape_text(("N" if tensor.rows == 1 else f"N * {tensor.rows}", *tensor.sample))


def shape_text(shape: tuple[int | str, ...]) -> str:
    """Return a shape in words: "[any, 3]" of (-1, 3)."""
    return f"[{', '.join('any' if size == -1 else str(size) for size in shape)}]"
