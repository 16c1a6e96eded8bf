"""What is in a Debian package: its files and links, read from its archive. No maintainer script runs.

Sources of the formats: deb(5), ar(5).
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kit.errors import EngineError
from kit.packages.names import safe_name


@dataclass(frozen=True)
class Member:
    """A file or symbolic link of a package."""

    name: str  # below the root: "usr/lib/x86_64-linux-gnu/libz.so.1"
    link: str  # a link's target; "" of a file
    executable: bool
    read: Callable[[], bytes]  # a file's content, until the next member is taken


def package_members(path: Path) -> Iterator[Member]:
    """Yield the files and links of a package, in its order; folders are implied.

    Raises EngineError for what is no Debian package, for a path that leaves its place, and for a device or another
    special file.
    """
    data = _data_member(path)
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:*") as tar:
            for member in tar:
                found = _member(tar, member, path.name)
                if found is not None:
                    yield found
    except (tarfile.TarError, EOFError, OSError) as error:
        raise _not_a_package(path, str(error)) from error


def _data_member(path: Path) -> bytes:
    """Return data.tar.* of a package, which is an ar archive: 60-byte headers, members at even offsets."""
    raw = path.read_bytes()
    if not raw.startswith(b"!<arch>\n"):
        raise _not_a_package(path, "it does not begin as one")
    offset = 8
    while offset + 60 <= len(raw):
        header = raw[offset : offset + 60]
        name, size = header[:16].decode("latin-1").rstrip(" /"), header[48:58].decode("latin-1").strip()
        if header[58:] != b"`\n" or not size.isdecimal():
            raise _not_a_package(path, f"its member at byte {offset} has no header")
        offset += 60
        if name.startswith("data.tar"):
            return raw[offset : offset + int(size)]
        offset += int(size) + int(size) % 2
    raise _not_a_package(path, "it has no data.tar")


def _member(tar: tarfile.TarFile, member: tarfile.TarInfo, origin: str) -> Member | None:
    name = member.name.removeprefix("./").rstrip("/")
    if name in {"", "."}:
        return None
    name = safe_name(name, origin)
    if member.isdir():
        return None  # the files imply the folders that are needed
    if member.issym():
        return Member(name, member.linkname, executable=False, read=bytes)
    if member.isreg() or member.islnk():
        return Member(name, "", executable=bool(member.mode & 0o111), read=lambda: _content(tar, member))
    raise EngineError(f"{origin}: refused: {name} is a device or another special file", "delete it from the cache")


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file is not None
    return file.read()


def _not_a_package(path: Path, why: str) -> EngineError:
    return EngineError(f"{path}: not a Debian package: {why}", "delete it and run it again")
