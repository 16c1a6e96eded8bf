"""Wheels straight from zip to layer, nothing unpacked. Their own hashes are kit.toolchains.wheels' to check.

Source of the format: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import IO, cast

from kit.container import strip_elf
from kit.container.layers import Entry, Layer, damaged, write_layer
from kit.errors import EngineError
from kit.packages.names import safe_name

SITE = "opt/toolchain/site"

# What conversion never imports, as patterns of paths in site-packages, each with what it is there for.
# Without them the .tflite files have the same bytes.
TRIM = {
    "tensorflow/include/*": "C++ headers, to build custom operations against",
    "tensorflow/xla_aot*_src/*": "C++ sources, to build ahead-of-time compiled models",
    "*.a": "static libraries",
    "*/tests/*": "the packages' own tests",
    "*.dist-info/RECORD*": "lists files that are not here any more; each was checked against it",
}


def write_wheel_layer(target: Path, wheels: Sequence[Path], trim: Iterable[str] = tuple(TRIM)) -> Layer:
    """Write the layer with these wheels at /opt/toolchain/site, each file checked against its wheel's RECORD.

    trim are patterns of paths to leave out. Raises EngineError for a file that RECORD does not list or whose
    SHA-256 differs, for a path that leaves its place, and for one path with two contents.
    """
    patterns = tuple(trim)
    with ExitStack() as stack:
        opened = [(path, stack.enter_context(_open(path))) for path in wheels]
        listed = [entry for path, wheel in opened for entry in _entries(path, wheel, patterns)]
        # Namespace packages ship the same __init__.py again: once is enough; write_layer refuses another.
        once = {(entry.name, recorded): entry for entry, recorded in reversed(listed)}
        return write_layer(target, once.values(), f"wheels: {len(wheels)} locked packages at /{SITE}")


def _open(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise EngineError(f"{path}: not a wheel: {error}", "delete it and run it again") from error


def _entries(path: Path, wheel: zipfile.ZipFile, trim: tuple[str, ...]) -> Iterator[tuple[Entry, str]]:
    """Yield a wheel's entries, each with the SHA-256 that RECORD states for the wheel's own file."""
    record = _record(path, wheel)
    for info in wheel.infolist():
        if info.is_dir():
            continue
        place = _place(safe_name(info.filename, path.name))
        if place is None or any(fnmatchcase(place, pattern) for pattern in trim):
            continue
        if info.filename not in record:
            raise EngineError(
                f"{path}: refused: its RECORD does not list {info.filename}", "delete it and run it again"
            )
        recorded = record[info.filename]
        yield _entry(f"{SITE}/{place}", path.name, wheel, info, recorded), recorded


def _entry(name: str, origin: str, wheel: zipfile.ZipFile, info: zipfile.ZipInfo, recorded: str) -> Entry:
    mode = 0o755 if (info.external_attr >> 16) & 0o111 else 0o644
    if ".so" in name:
        with wheel.open(info) as file:
            shorter = strip_elf.cut(file.read(strip_elf.HEAD), info.file_size)
        if shorter:
            shortened = partial(_Cut, wheel, info, *shorter, recorded, origin)
            return Entry(name, origin, mode, shorter[1], cast("Callable[[], IO[bytes]]", shortened))
    return Entry(name, origin, mode, info.file_size, partial(wheel.open, info), sha256=recorded)


class _Cut:
    """A library as kit.container.strip_elf shortens it. The wheel's own, whole, is held against RECORD at its end."""

    def __init__(
        self, wheel: zipfile.ZipFile, info: zipfile.ZipInfo, head: bytes, size: int, recorded: str, origin: str
    ) -> None:
        self._file = wheel.open(info)
        self._info, self._head, self._left, self._recorded, self._origin = info, head, size, recorded, origin
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(min(self._left, size) if size >= 0 else self._left)
        self._digest.update(data)
        self._left -= len(data)
        if not self._left:
            while rest := self._file.read(1 << 20):
                self._digest.update(rest)
            if self._digest.hexdigest() != self._recorded:
                raise damaged(self._info.filename, self._origin)
        head, self._head = self._head[: len(data)], self._head[len(data) :]
        return head + data[len(head) :]

    def close(self) -> None:
        self._file.close()


def _place(name: str) -> str | None:
    """Return where a wheel's file belongs in site-packages; None for scripts, headers and other data."""
    top, _, rest = name.partition("/")
    if not top.endswith(".data"):
        return name
    scheme, _, inner = rest.partition("/")
    return inner if scheme in {"purelib", "platlib"} and inner else None


def _record(path: Path, wheel: zipfile.ZipFile) -> dict[str, str]:
    """Return the SHA-256 in hex by name, from the one RECORD at the top of a wheel."""
    names = [name for name in wheel.namelist() if name.endswith(".dist-info/RECORD") and name.count("/") == 1]
    if len(names) != 1:
        raise EngineError(f"{path}: not a wheel: it has {len(names)} RECORD files", "delete it and run it again")
    rows = csv.reader(io.StringIO(wheel.read(names[0]).decode("utf-8")))
    hashes = {row[0]: row[1].removeprefix("sha256=") for row in rows if len(row) > 1 and row[1].startswith("sha256=")}
    return {name: base64.urlsafe_b64decode(digest + "=" * (-len(digest) % 4)).hex() for name, digest in hashes.items()}
