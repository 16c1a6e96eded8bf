"""Zip files that are the same bytes twice: sorted, dated 1980, one way of packing. Knows names and bytes."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

_DATE = (1980, 1, 1, 0, 0, 0)
_ALIGNED = 0xD935  # the extra field that says to what an entry is aligned: apksigner keeps it. Source: APK Signer
MANIFEST = "META-INF/MANIFEST.MF"


def zip_bytes(
    entries: Mapping[str, bytes],
    *,
    first: tuple[str, ...] = (),
    deflated: Callable[[str], bool] = lambda _name: False,
    alignment: Callable[[str], int] = lambda _name: 1,
) -> bytes:
    """Return a zip of entries by name, those in `first` at its start.

    alignment gives the power of two, in bytes, that a stored entry's data begins at a multiple of.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in (*first, *sorted(set(entries) - set(first))):
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED if deflated(name) else zipfile.ZIP_STORED
            multiple = 1 if deflated(name) else alignment(name)
            if multiple > 1:
                info.extra = _padding(buffer.tell() + 30 + len(name.encode()), multiple)
            archive.writestr(info, entries[name])
    return buffer.getvalue()


def _padding(place: int, multiple: int) -> bytes:
    """Return the extra field after which a multiple of bytes of the file is full."""
    zeros = -(place + 6) % multiple
    return struct.pack("<HHH", _ALIGNED, 2 + zeros, multiple) + bytes(zeros)


def data_offset(content: bytes, info: zipfile.ZipInfo) -> int:
    """Return where an entry's data begins in the zip."""
    name, extra = struct.unpack_from("<HH", content, info.header_offset + 26)
    return info.header_offset + 30 + int(name) + int(extra)


def jar_bytes(classes: Path) -> bytes:
    """Return the jar of a folder of compiled classes."""
    files = {path.relative_to(classes).as_posix(): path.read_bytes() for path in classes.rglob("*") if path.is_file()}
    return zip_bytes({MANIFEST: b"Manifest-Version: 1.0\r\n\r\n", **files}, first=(MANIFEST,))
