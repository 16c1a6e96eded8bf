"""Write .npz files that are the same bytes for the same arrays, and map them. numpy's own writer leaves the bytes to
Python's zipfile, whose headers changed between patch releases (zip64 extras, 3.11.4), and its reader reads all."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

_LOCAL = struct.Struct("<4s22xHH")  # of a member's own header: the lengths of its name and of what else follows


def save_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name, of any shape and dtype of numbers, sorted, stored and dated 1980; numpy.load reads it.

    Some megabytes at a time: a mapped array of any size takes no memory.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            array = np.asarray(arrays[name], order="C")
            head = io.BytesIO()
            np.lib.format.write_array_header_1_0(head, np.lib.format.header_data_from_array_1_0(array))
            entry = zipfile.ZipInfo(f"{name}.npy")  # its date is 1980 unless it is given
            entry.external_attr = 0o644 << 16
            entry.file_size = head.tell() + array.nbytes
            with archive.open(entry, "w") as member:
                np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)


def map_npz(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz that save_npz wrote, in their shape and dtype, as far as they are read: mapped.

    Raises ValueError, KeyError, OSError or zipfile.BadZipFile for another file.
    """
    arrays = {}
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        for entry in archive.infolist():
            if entry.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{entry.filename} is packed")
            file.seek(entry.header_offset)
            magic, name, extra = _LOCAL.unpack(file.read(_LOCAL.size))
            if magic != b"PK\x03\x04":
                raise ValueError(f"{entry.filename} is not where it should be")
            file.seek(name + extra, io.SEEK_CUR)
            begin = file.tell()
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError(f"{entry.filename} is of another version")
            shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file)
            if dtype.hasobject or file.tell() + dtype.itemsize * _count(shape) > begin + entry.file_size:
                raise ValueError(f"{entry.filename} is not whole")
            arrays[entry.filename.removesuffix(".npy")] = _mapped(path, file.tell(), shape, dtype, by_columns)
    return arrays


def _count(shape: tuple[int, ...]) -> int:
    product = 1
    for length in shape:
        product *= length
    return product


def _mapped(path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype, by_columns: bool) -> np.ndarray:
    """Return an array of that shape and dtype at an offset of a file; one of no numbers cannot be mapped."""
    if not _count(shape):
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype, "r", offset, shape, "F" if by_columns else "C")
