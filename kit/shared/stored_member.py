"""Members of a zip file that are stored as they are, read as a part of the file. Standard library only.

zipfile reads such a member again from its start for each step back, and HDF5's library goes to and fro: weights of a
gigabyte took minutes.
"""

from __future__ import annotations

import io
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast


def open_member(path: Path, name: str) -> BinaryIO:
    """Open a member of a zip file, to and fro: one that is packed is unpacked to a file that has no name."""
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo(name)
        if member.compress_type == zipfile.ZIP_STORED:
            return open_stored(path, member)
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        shutil.copyfileobj(archive.open(member), copy)
        return cast("BinaryIO", copy)


def open_stored(path: Path, member: zipfile.ZipInfo) -> BinaryIO:
    """Open a stored member of a zip file, to and fro. Its checksum is not looked at."""
    file = path.open("rb")
    file.seek(member.header_offset + 26)
    name, extra = struct.unpack("<HH", file.read(4))
    part = _Part(file, member.header_offset + 30 + name + extra, member.file_size)
    return cast("BinaryIO", io.BufferedReader(part, 1 << 16))


@contextmanager
def stored_members() -> Iterator[None]:
    """Let zipfile itself open stored members so, during the block."""
    original = zipfile.ZipFile.open

    def opened(self: zipfile.ZipFile, name: Any, mode: Any = "r", *arguments: Any, **options: Any) -> Any:
        member = name if isinstance(name, zipfile.ZipInfo) or mode != "r" else self.getinfo(name)
        plain = isinstance(member, zipfile.ZipInfo) and member.compress_type == zipfile.ZIP_STORED
        if mode != "r" or not plain or not isinstance(self.filename, str):
            return original(self, name, mode, *arguments, **options)
        return open_stored(Path(self.filename), member)

    zipfile.ZipFile.open = opened  # type: ignore[method-assign]
    try:
        yield
    finally:
        zipfile.ZipFile.open = original  # type: ignore[method-assign]


class _Part(io.RawIOBase):
    """A part of a file as a file."""

    def __init__(self, file: BinaryIO, begin: int, size: int) -> None:
        self._file, self._begin, self._size, self._at = file, begin, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._begin + self._at)
        content = self._file.read(max(0, min(len(buffer), self._size - self._at)))
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)

    def close(self) -> None:
        self._file.close()
        super().close()
