"""Wheels straight from zip to layer, nothing unpacked. Their own hashes are kit.wheels' to check.

Source of the format: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

from __future__ import annotations

import base64
import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from kit.container.archive import Entry, Layer, safe_name, write_layer
from kit.errors import EngineError

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
        once = {(entry.name, entry.sha256): entry for entry in reversed(listed)}
        return write_layer(target, once.values(), f"wheels: {len(wheels)} locked packages at /{SITE}")


def _open(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise EngineError(f"{path}: not a wheel: {error}", "delete it and run it again") from error


def _entries(path: Path, wheel: zipfile.ZipFile, trim: tuple[str, ...]) -> Iterator[Entry]:
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
        mode = 0o755 if (info.external_attr >> 16) & 0o111 else 0o644
        content = partial(wheel.open, info)
        yield Entry(f"{SITE}/{place}", path.name, mode, info.file_size, content, sha256=record[info.filename])


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
