"""Texts as the ids that the model takes, and how much of them the vocabulary knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from text import TextForm, all_ids, tokenize_all, unpack_texts

from .entries import TextCount
from .errors import one_line, refused
from .files import Array
from .tensor import Tensor


@dataclass(frozen=True)
class Ids:
    """What an array of texts becomes."""

    array: Array  # [N, length] or [N] in the tensor's dtype, or one sample where there was one text
    counts: tuple[TextCount, ...]  # of each text


def read_lines(path: Path) -> Array:
    """Return the lines of a file in UTF-8, one text each: [N] of dtype str. Raises EmulateError."""
    try:
        lines = path.read_bytes().decode("utf-8-sig").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise refused(path, f"it is no text in UTF-8: {one_line(error)}") from error
    return np.array([line.rstrip("\r") for line in lines])


def to_ids(path: Path, tensor: Tensor, array: Array) -> Ids:
    """Return the ids of texts.

    array: [], [N] or [N, 1] of dtype str, or of bytes of UTF-8. Raises EmulateError for another shape or encoding.
    """
    assert tensor.text is not None
    if array.ndim and array.size != len(array):
        raise refused(path, f"{tensor.name} has texts of the shape {list(array.shape)}: one for each sample is needed")
    try:
        flat = np.char.decode(array.reshape(-1), "utf-8") if array.dtype.kind == "S" else array.reshape(-1)
    except UnicodeDecodeError as error:
        raise refused(path, f"{tensor.name} has bytes that are no UTF-8: {one_line(error)}") from error
    rows = ids_of(tensor, flat.tolist())
    counts = tuple(_count(text, tensor.text, rows.shape[-1] if rows.ndim > 1 else 1) for text in flat.tolist())
    return Ids(rows if array.ndim else rows[0], counts)


def ids_of(tensor: Tensor, texts: Sequence[str]) -> Array:
    """Return the ids of texts, [texts, *sample] in the tensor's dtype."""
    assert tensor.text is not None
    length = tensor.sample[0] if tensor.sample else 1
    rows = tokenize_all(texts, tensor.text, None if length == -1 else length)
    return (rows if tensor.sample else rows[:, 0]).astype(tensor.dtype)


def ids_of_golden(tensor: Tensor, packed: Array) -> Array:
    """Return the ids of golden texts, uint8 [texts, bytes], as ids_of. Raises ValueError for what is no UTF-8."""
    return ids_of(tensor, unpack_texts(packed))


def _count(text: str, form: TextForm, length: int) -> TextCount:
    ids = all_ids(text, form)
    return TextCount(len(ids), sum(one == form.unknown for one in ids), max(len(ids) - length, 0))
