"""Zip files that are the same bytes twice: sorted, dated 1980, one way of packing. Knows names and bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

_DATE = (1980, 1, 1, 0, 0, 0)


def zip_bytes(entries: Mapping[str, bytes], *, first: tuple[str, ...] = ()) -> bytes:
    """Return a zip of entries by name. Deflate's bytes hang on the zlib, so nothing is deflated.

    `first` are names that a reader wants at the start.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in (*first, *sorted(set(entries) - set(first))):
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, entries[name])
    return buffer.getvalue()


def jar_bytes(classes: Path) -> bytes:
    """Return the jar of a folder of compiled classes."""
    files = {path.relative_to(classes).as_posix(): path.read_bytes() for path in classes.rglob("*") if path.is_file()}
    return zip_bytes({"META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\r\n\r\n", **files}, first=("META-INF/MANIFEST.MF",))
