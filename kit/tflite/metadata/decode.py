"""Read metadata out of a .tflite and the files behind it. Trusts no count, offset or size that stands in there."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from kit.errors import ModelError
from kit.tflite.metadata.encode import (
    AUDIO,
    CALIBRATION,
    COLORS,
    FEATURE,
    FILE_KINDS,
    IDENTIFIER,
    IMAGE,
    NORMALIZATION,
    THRESHOLDING,
)
from kit.tflite.metadata.types import NAME, AssociatedFile, FileKind, Metadata, SubgraphNote, TensorNote
from kit.tflite.model import TfliteFile
from kit.tflite.reader import read_tflite

_MOST_TABLES = 100_000


def read_metadata(source: Path | bytes | TfliteFile) -> Metadata | None:
    """Return what a model file says of itself, None where it has no metadata. Raises ModelError for damaged bytes."""
    file = source if isinstance(source, TfliteFile) else read_tflite(source)
    content = file.attached(NAME)
    if content is None:
        return None
    name = file.path or "the model"
    if content[4:8] != IDENTIFIER:
        mark = IDENTIFIER.decode()
        raise ModelError(f"{name}: its {NAME} is not marked {mark}", "write it again: build the bundle again")
    try:
        return _model(_Table.root(bytes(content)))
    except (struct.error, ValueError) as error:
        raise ModelError(f"{name}: its {NAME} is damaged", "build the bundle again") from error


def read_files(source: Path | bytes) -> dict[str, bytes]:
    """Return the files behind a model by their names; none where there is no archive. Skips what is compressed."""
    data = source if isinstance(source, bytes) else source.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            stored = [each for each in archive.infolist() if each.compress_type == zipfile.ZIP_STORED]
            return {each.filename: archive.read(each) for each in stored if each.file_size <= len(data)}
    except zipfile.BadZipFile:
        return {}
    except (RuntimeError, NotImplementedError, ValueError, EOFError) as error:  # encrypted, or made by nobody we know
        name = "the model" if isinstance(source, bytes) else str(source)
        raise ModelError(f"{name}: the archive behind it cannot be read: {error}", "build the bundle again") from error


class _Table:
    """One table. Raises ValueError or struct.error where it points outside of the bytes."""

    def __init__(self, data: bytes, at: int, budget: list[int]) -> None:
        self.data, self.at, self.budget = data, at, budget
        budget[0] -= 1
        if budget[0] < 0:
            raise ValueError("more tables than any metadata has")
        self.vtable = at - int(self._read("<i", at))
        self.length = int(self._read("<H", self.vtable))

    @classmethod
    def root(cls, data: bytes) -> _Table:
        return cls(data, struct.unpack_from("<I", data, 0)[0], [_MOST_TABLES])

    def _read(self, kind: str, at: int) -> Any:
        if at < 0:  # struct counts these from the end
            raise ValueError("it points before its begin")
        return struct.unpack_from(kind, self.data, at)[0]

    def _place(self, field: int) -> int:
        entry = 4 + 2 * field
        offset = int(self._read("<H", self.vtable + entry)) if entry + 2 <= self.length else 0
        return self.at + offset if offset else 0

    def _target(self, field: int) -> int:
        place = self._place(field)
        return place + int(self._read("<I", place)) if place else 0

    def number(self, field: int, kind: str) -> Any:
        place = self._place(field)
        return self._read(f"<{kind}", place) if place else 0

    def text(self, field: int) -> str:
        at = self._target(field)
        return self._bytes(at, 1).decode("utf-8", "backslashreplace") if at else ""

    def floats(self, field: int) -> tuple[float, ...]:
        at = self._target(field)
        raw = self._bytes(at, 4) if at else b""
        return struct.unpack(f"<{len(raw) // 4}f", raw)

    def _bytes(self, at: int, width: int) -> bytes:
        """Return a vector's content; the budget is for bytes, too: a thousand tables may share one text."""
        count = int(self._read("<I", at)) * width
        self.budget[0] -= count // 64
        if at + 4 + count > len(self.data) or self.budget[0] < 0:
            raise ValueError("a text or vector ends beyond the bytes")
        return self.data[at + 4 : at + 4 + count]

    def table(self, field: int) -> _Table | None:
        at = self._target(field)
        return _Table(self.data, at, self.budget) if at else None

    def tables(self, field: int) -> Iterator[_Table]:
        at = self._target(field)
        for i in range(int(self._read("<I", at)) if at else 0):
            place = at + 4 + 4 * i
            yield _Table(self.data, place + int(self._read("<I", place)), self.budget)


def _model(table: _Table) -> Metadata:
    return Metadata(
        name=table.text(0),
        description=table.text(1),
        version=table.text(2),
        author=table.text(4),
        license=table.text(5),
        subgraphs=tuple(_subgraph(each) for each in table.tables(3)),
        min_parser_version=table.text(7),
    )


def _subgraph(table: _Table) -> SubgraphNote:
    inputs, outputs = (tuple(_tensor(each) for each in table.tables(field)) for field in (2, 3))
    return SubgraphNote(table.text(0), inputs, outputs)


def _tensor(table: _Table) -> TensorNote:
    fields: dict[str, Any] = {"name": table.text(0), "description": table.text(1)}
    for unit in table.tables(4):
        fields |= _unit(unit)
    if stats := table.table(5):
        fields |= {"high": stats.floats(0), "low": stats.floats(1)}
    files = tuple(AssociatedFile(f.text(0), _file_kind(f.number(2, "b")), f.text(1)) for f in table.tables(6))
    return TensorNote(**fields, **_content(table.table(3)), files=files)


def _content(table: _Table | None) -> dict[str, Any]:
    kind = table.number(0, "B") if table else 0
    if table is None or kind not in {FEATURE, IMAGE, AUDIO}:
        return {}
    if kind == AUDIO:
        audio = table.table(1)
        return {"content": "audio", "rate": audio.number(0, "I") if audio else 0}
    image = table.table(1)
    if kind == FEATURE or image is None:
        return {"content": "feature" if kind == FEATURE else "image"}
    size = image.table(1)
    sides = (size.number(0, "I"), size.number(1, "I")) if size else None
    return {"content": "image", "color": _named(COLORS, image.number(0, "b")), "size": sides}


def _unit(table: _Table) -> dict[str, Any]:
    kind, options = table.number(0, "B"), table.table(1)
    if options is None:
        return {}
    if kind == NORMALIZATION:
        return {"mean": options.floats(0), "std": options.floats(1)}
    if kind == CALIBRATION:
        return {"sigmoid": True}
    return {"threshold": options.number(0, "f")} if kind == THRESHOLDING else {}


def _file_kind(number: int) -> FileKind:
    return cast(FileKind, _named(FILE_KINDS, number))


def _named(names: Sequence[str], number: int) -> str:
    return names[number] if 0 <= number < len(names) else names[0]
