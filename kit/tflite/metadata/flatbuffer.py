"""Lay FlatBuffers tables front to back. Knows the binary format, and no schema.

The library's Builder lays them back to front, and cannot point at bytes that are there already: `There` can.
Source: FlatBuffers' internals (tables, vtables, vectors, strings). An offset only points forward, but for a table's to
its vtable.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

ALIGNMENT = 64  # what comes behind keeps its alignment; the format asks for 16 at most


@dataclass(frozen=True)
class Scalar:
    """A number in a table: kind is one of struct's letters."""

    kind: str
    value: float


@dataclass(frozen=True)
class Text:
    """A string."""

    value: str


@dataclass(frozen=True)
class Floats:
    """A vector of float32."""

    values: tuple[float, ...]


@dataclass(frozen=True)
class Blob:
    """A vector of bytes, aligned to 16."""

    content: bytes


@dataclass(frozen=True)
class There:
    """What lies at this byte of what comes behind."""

    place: int


@dataclass(frozen=True)
class Vector:
    """A vector of tables or strings."""

    items: tuple[Item, ...]


@dataclass(frozen=True)
class Table:
    """A table: its fields in the schema's order, None for one that is not set."""

    fields: tuple[Item | Scalar | None, ...]


Item = Text | Floats | Blob | There | Vector | Table
Pending = Iterator[tuple[int, Item]]  # where an offset stands, and what it is to point at


def lay(root: Table, identifier: bytes, *, behind: bool = False) -> bytes:
    """Return the buffer. behind: more comes behind it, aligned as it was; There counts from the begin of that."""
    out = bytearray(4) + identifier
    waiting: deque[tuple[int, Item]] = deque([(0, root)])
    there = []
    while waiting:
        at, item = waiting.popleft()
        if isinstance(item, There):
            there.append((at, item.place))
            continue
        place, pending = _put(out, item)
        struct.pack_into("<I", out, at, place - at)
        waiting.extend(pending)
    _align(out, ALIGNMENT if behind else 4)
    for at, place in there:
        struct.pack_into("<I", out, at, len(out) + place - at)
    return bytes(out)


def _put(out: bytearray, item: Item) -> tuple[int, Pending]:
    """Append an item and return where it is, and which offsets in it have to be set."""
    if isinstance(item, Table):
        return _put_table(out, item)
    content = b""
    if isinstance(item, Text):
        raw = item.value.encode()
        count, content = len(raw), raw + b"\0"
    elif isinstance(item, Blob):
        count, content = len(item.content), item.content
        _align(out, 16, ahead=4)
    elif isinstance(item, Floats):
        count, content = len(item.values), struct.pack(f"<{len(item.values)}f", *item.values)
    else:
        assert isinstance(item, Vector)
        count, content = len(item.items), bytes(4 * len(item.items))
    _align(out, 4)
    place = len(out)
    out += struct.pack("<I", count) + content
    items = item.items if isinstance(item, Vector) else ()
    return place, ((place + 4 + 4 * i, each) for i, each in enumerate(items))


def _put_table(out: bytearray, table: Table) -> tuple[int, Pending]:
    fields = [(i, each) for i, each in enumerate(table.fields) if each is not None]
    # The widest first: then each is aligned without gaps.
    fields.sort(key=lambda pair: -struct.calcsize(_kind(pair[1])))
    places, size = [0] * len(table.fields), 4
    for i, each in fields:
        places[i] = size
        size += struct.calcsize(_kind(each))
    vtable = struct.pack(f"<{2 + len(places)}H", 4 + 2 * len(places), size, *places)
    _align(out, 4, ahead=len(vtable))
    out += vtable
    start = len(out)
    out += struct.pack("<i", len(vtable)) + bytes(size - 4)
    for i, each in fields:
        if isinstance(each, Scalar):
            struct.pack_into(f"<{each.kind}", out, start + places[i], each.value)
    return start, ((start + places[i], each) for i, each in fields if not isinstance(each, Scalar))


def _kind(field: Item | Scalar) -> str:
    return f"<{field.kind}" if isinstance(field, Scalar) else "<I"


def _align(out: bytearray, to: int, ahead: int = 0) -> None:
    """Pad so that what comes after the next `ahead` bytes is aligned."""
    out.extend(bytes(-(len(out) + ahead) % to))
