"""How much of a foreign file the host reads: regular files alone, of a bearable size, and zip files that stay one.

The numbers stand in docs/security.md. Standard library only.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import zipfile

MIB, GIB = 1 << 20, 1 << 30
MOST_JSON = 32 * MIB  # config.json, model_config, bundle.json, dropkit.json, result.json, a structure
MOST_TEXT = 4 * MIB  # a recipe, labels
MOST_LOG = 64 * MIB  # what is kept of a worker's log
MOST_LINE = 64 << 10  # characters of one line of progress
MOST_MEMBERS = 100_000  # of a zip file
MOST_DIRECTORY = 64 * MIB  # of a zip file's list of members
MOST_UNPACKED = 16 * GIB  # all members of a zip file
MOST_RATIO, FREE_OF_RATIO = 200, 256 * MIB  # unpacked to packed, of a member that unpacks to more than the second
MOST_OUT, MOST_OUT_FILES = 4 * GIB, 64  # what a job leaves
MOST_SCRATCH, MOST_SCRATCH_FILES = 16 * GIB, 10_000  # what it has in its temporary folder, without a container

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_BUT_COLOURS = re.compile(_CONTROL.pattern.replace(r"\x0b-\x1f", r"\x0b-\x1a\x1c-\x1f") + r"|\x1b(?!\[[0-9;]*m)")


def printable(text: str, *, colours: bool = False) -> str:
    """Return text without what steers a terminal or turns its direction: \\x1b stands for an escape.

    With colours, what sets a colour or a weight alone stays.
    """
    return (_BUT_COLOURS if colours else _CONTROL).sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def open_regular(path: Path) -> BinaryIO:
    """Open a file to read. Raises OSError where it cannot be read, also for a pipe, device or folder."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # opening a pipe would wait for its writer
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is a folder, a pipe or a device", str(path))
    return os.fdopen(handle, "rb")


def read_bounded(path: Path, most: int) -> bytes:
    """Return the content of a regular file of at most so many bytes. Raises OSError for any other."""
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most:,} bytes", str(path))
    return content


def open_zip(path: Path) -> zipfile.ZipFile:
    """Open a zip file whose members are few, and small enough. Raises ValueError, BadZipFile or OSError."""
    import zipfile

    with open_regular(path) as file:
        _check_directory(file)
    archive = zipfile.ZipFile(path)
    try:
        check_members(archive)
    except ValueError:
        archive.close()
        raise
    return archive


def check_members(archive: zipfile.ZipFile) -> None:
    """Raise ValueError where an archive unpacks to more than is borne."""
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise ValueError(f"it has {len(members):,} members, and {MOST_MEMBERS:,} are borne")
    total = sum(member.file_size for member in members)
    if total > MOST_UNPACKED:
        raise ValueError(f"it unpacks to {total:,} bytes, and {MOST_UNPACKED:,} are borne")
    for member in members:
        if member.file_size > max(FREE_OF_RATIO, MOST_RATIO * member.compress_size):
            raise ValueError(f"{member.filename[:80]!r} in it unpacks to {member.file_size:,} bytes, out of hardly any")
    # Members can share their bytes, so those of the file count, and not the sum of what each says.
    size = archive.fp.seek(0, os.SEEK_END) if archive.fp else 0
    if total > max(FREE_OF_RATIO, MOST_RATIO * size):
        raise ValueError(f"it unpacks to {total:,} bytes, out of {size:,}")


def _check_directory(file: BinaryIO) -> None:
    """Raise ValueError where the list of members alone is huge: zipfile reads all of it at once."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - (1 << 16) - 22))
    end = file.read()
    at = end.rfind(b"PK\x05\x06")
    if at < 0 or len(end) - at < 20:
        return  # zipfile has words for it
    listed = struct.unpack_from("<L", end, at + 12)[0]
    if listed == 0xFFFFFFFF and at >= 20:  # more than 4 GB: the record before it has the number
        place = struct.unpack_from("<Q", end, at - 20 + 8)[0]
        file.seek(min(place, size))
        record = file.read(56)
        listed = struct.unpack_from("<Q", record, 40)[0] if len(record) == 56 else 0
    if listed > MOST_DIRECTORY:
        raise ValueError(f"its list of members takes {listed:,} bytes, and {MOST_DIRECTORY:,} are borne")
