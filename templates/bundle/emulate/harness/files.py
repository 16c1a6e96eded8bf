"""Read files as bytes or as arrays. Knows nothing of what they mean."""

import contextlib
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .errors import EmulateError, broken, one_line

Array = NDArray[Any]
Arrays = dict[str, Array]


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a bundle's file. Raises EmulateError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise broken(path, f"it cannot be read: {error.strerror}") from error


def read_labels(path: Path) -> tuple[str, ...]:
    """Return the lines of a labels file. Raises EmulateError."""
    text = read_bytes(path).decode("utf-8", "replace")
    return tuple(line.rstrip("\r") for line in text.removesuffix("\n").split("\n"))


@contextlib.contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write in a block, which takes the place of path behind it; what fails leaves path as it was.

    Raises OSError where it cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def read_npz(path: Path, refuse: Callable[[Path, str], EmulateError]) -> Arrays:
    """Return the arrays of an .npz file by name, of any shape and dtype but objects.

    refuse(path, why) makes the error that is raised where it is no such file.
    """
    try:
        with zipfile.ZipFile(path):
            pass  # np.load would take an .npy or a pickle of that name
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, MemoryError) as error:
        raise refuse(path, f"it is no whole .npz of plain arrays: {one_line(error)}") from error
