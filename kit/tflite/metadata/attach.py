"""Put metadata and its files into a .tflite. Every byte that the converter wrote stays as it is, in its place.

A new root stands in front of the file and points at the old tables behind it; offsets only point forward, so nothing
in there has to change, and constants keep their alignment. An archive stands behind, as the readers expect.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from kit.errors import ModelError
from kit.tflite.metadata.flatbuffer import Blob, Item, Scalar, Table, Text, There, Vector, lay
from kit.tflite.metadata.types import NAME
from kit.tflite.reader import MAGIC

_FIELDS = 8  # of the root that we know: version, codes, subgraphs, description, buffers, metadata_buffer, metadata, ...
_BUFFERS, _METADATA = 4, 6


def attach(model: bytes, metadata: bytes, files: Mapping[str, bytes]) -> bytes:
    """Return the model file with metadata, in the place of what it had under that name, and with files behind it.

    model must be a whole file (kit.tflite.reader reads it). Raises ModelError where its root has what we do not know.
    """
    import tflite  # type: ignore[import-untyped]

    root = tflite.Model.GetRootAs(model, 0)
    fields: list[Item | Scalar | None] = [_there(root._tab, field) for field in range(_FIELDS)]
    fields[0] = Scalar("I", root.Version())
    buffers = [There(root.Buffers(i)._tab.Pos) for i in range(root.BuffersLength())]
    entries = [root.Metadata(i) for i in range(root.MetadataLength())]
    kept = [There(entry._tab.Pos) for entry in entries if entry.Name() != NAME.encode()]
    fields[_BUFFERS] = Vector((*buffers, Table((Blob(metadata),))))
    fields[_METADATA] = Vector((*kept, Table((Text(NAME), Scalar("I", len(buffers))))))
    _check_known(root._tab)
    front = lay(Table(tuple(fields)), MAGIC, behind=True)
    return _archive(front + _shifted(model, root, len(front)), files)


def _there(table: Any, field: int) -> There | None:
    """Return where what a field points at lies, None where it is not set."""
    offset = table.Offset(4 + 2 * field)
    return There(table.Indirect(table.Pos + offset)) if offset and field else None


def _check_known(table: Any) -> None:
    start = table.Pos - struct.unpack_from("<i", table.Bytes, table.Pos)[0]
    count = (struct.unpack_from("<H", table.Bytes, start)[0] - 4) // 2
    if any(table.Offset(4 + 2 * field) for field in range(_FIELDS, count)):
        raise ModelError(
            "metadata cannot be put into this file: it holds constants in other files, or what is newer than them",
            "convert it with a TensorFlow that `kit toolchains` lists",
        )


def _shifted(model: bytes, root: Any, by: int) -> bytes:
    """Return the old file. Where it is too large for offsets of 32 bits it counts some from its begin: they move."""
    places = list(_absolute(root))
    if not places:
        return model
    data = bytearray(model)
    for at in places:
        struct.pack_into("<Q", data, at, struct.unpack_from("<Q", data, at)[0] + by)
    return bytes(data)


def _absolute(root: Any) -> Iterator[int]:
    """Yield where an offset from the file's begin stands. 0 is none, and 1 a writer's word for not known yet."""
    tables = [(root.Buffers(i)._tab, 1) for i in range(root.BuffersLength())]
    for i in range(root.SubgraphsLength()):
        graph = root.Subgraphs(i)
        tables += [(graph.Operators(j)._tab, 9) for j in range(graph.OperatorsLength())]
    seen = set()
    for table, field in tables:
        offset = table.Offset(4 + 2 * field)
        at = table.Pos + offset
        if offset and at not in seen and struct.unpack_from("<Q", table.Bytes, at)[0] > 1:
            seen.add(at)  # two may share a table
            yield at


def _archive(model: bytes, files: Mapping[str, bytes]) -> bytes:
    """Return the model with a zip archive behind it, stored: the readers map it and unpack nothing."""
    if not files:
        return model
    stream = io.BytesIO(model)
    stream.seek(0, io.SEEK_END)
    # "w" and not "a": that would look for an archive in the weights. Offsets count from the file's begin all the same.
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, content)
    return stream.getvalue()
