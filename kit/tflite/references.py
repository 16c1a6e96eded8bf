"""Where the numbers stand by which a .tflite file finds its own parts: what has to change if a part moves.

Reads these numbers only: no text, no weights.
Source: schema.fbs of TensorFlow 2.21; FlatBuffers internals (tables, vtables, vectors, strings).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from kit.errors import ModelError
from kit.tflite.schema import names_of, slots_of

# Offsets of each table by field: "" to a text or numbers, "bytes" to what is aligned to 16, a table's name, its name in
# brackets for a vector of them, or the words below for a union, whose type is the field before. Then how many fields.
_TABLES: dict[str, tuple[dict[int, str], int]] = {
    "Model": (
        {1: "[OperatorCode]", 2: "[SubGraph]", 3: "", 4: "[Buffer]", 5: "", 6: "[Metadata]", 7: "[SignatureDef]"},
        8,
    ),
    "OperatorCode": ({1: ""}, 4),
    "SubGraph": ({0: "[Tensor]", 1: "", 2: "", 3: "[Operator]", 4: ""}, 6),
    "Tensor": ({0: "", 3: "", 4: "QuantizationParameters", 6: "SparsityParameters", 7: "", 9: "[VariantSubType]"}, 10),
    "QuantizationParameters": ({0: "", 1: "", 2: "", 3: "", 5: "details"}, 7),
    "CustomQuantization": ({0: "bytes"}, 1),
    "BlockwiseQuantization": ({}, 3),
    "SparsityParameters": ({0: "", 1: "", 2: "[DimensionMetadata]"}, 3),
    "DimensionMetadata": ({3: "indices", 5: "indices"}, 6),
    "Indices": ({0: ""}, 1),
    "VariantSubType": ({0: ""}, 3),
    "Operator": ({1: "", 2: "", 4: "BuiltinOptions", 5: "bytes", 7: "", 8: "", 12: "BuiltinOptions2"}, 14),
    "Buffer": ({0: "bytes"}, 3),
    "Metadata": ({0: ""}, 2),
    "SignatureDef": ({0: "[TensorMap]", 1: "[TensorMap]", 2: ""}, 5),
    "TensorMap": ({0: ""}, 2),
}
_DETAILS = {1: "CustomQuantization", 2: "BlockwiseQuantization"}
_INDICES = {1: "Indices", 2: "Indices", 3: "Indices"}
# Of files beyond 4 GB: a place in the file, for what is too far for an offset. 0 is none, 1 is not known yet.
_PLACES = {"Operator": 9, "Buffer": 1}


@dataclass(frozen=True, slots=True)
class Reference:
    """A number at byte `at` that leads to byte `to`.

    kind: "forward" from its own place, "vtable" back from there, or "place" in the file. wide: `to` has bytes that are
    aligned to 16, behind a count of 4 bytes but for a place.
    """

    at: int
    to: int
    kind: Literal["forward", "vtable", "place"] = "forward"
    wide: bool = False


def references(data: bytes) -> Iterator[Reference]:
    """Yield every reference of a whole file, in no order.

    Raises ModelError where a table has what this schema has not; IndexError or struct.error where the file is damaged.
    """
    reached: set[int] = set()
    waiting = [(0, "Model")]
    while waiting:
        at, kind = waiting.pop()
        to = at + _u32(data, at)
        yield Reference(at, to, wide=kind == "bytes")
        if kind in {"", "bytes"} or to in reached:  # two may share a table or a vector
            continue
        reached.add(to)
        if kind.startswith("["):
            count = _u32(data, to)
            if to + 4 + 4 * count > len(data):
                raise IndexError("a vector ends beyond the file")
            waiting += [(to + 4 + 4 * i, kind[1:-1]) for i in range(count)]
        else:
            found, inside = _table(data, to, kind)
            yield from found
            waiting += inside


def _table(data: bytes, at: int, kind: str) -> tuple[list[Reference], list[tuple[int, str]]]:
    """Return a table's vtable and places, and where its offsets stand, with what they lead to."""
    vtable = at - struct.unpack_from("<i", data, at)[0]
    if vtable < 0:
        raise IndexError("a table begins before the file")
    count = (_u16(data, vtable) - 4) // 2
    fields = struct.unpack_from(f"<{count}H", data, vtable + 4)
    offsets, known = _fields(kind)
    if set_there := [number for number, field in enumerate(fields) if field and number >= known]:
        raise _newer(f"field {set_there[0]} of {kind}")
    found = [Reference(at, vtable, "vtable")]
    place = _PLACES.get(kind, count)
    if place < count and fields[place] and (to := struct.unpack_from("<Q", data, at + fields[place])[0]) > 1:
        found.append(Reference(at + fields[place], to, "place", wide=True))
    inside = []
    for number, leads_to in offsets.items():
        if number < count and fields[number]:
            said = data[at + fields[number - 1]] if number and fields[number - 1] else 0
            inside.append((at + fields[number], _of_union(leads_to, said)))
    return found, inside


def _fields(kind: str) -> tuple[dict[int, str], int]:
    """Return which fields of a table are offsets and where these lead, and how many fields it has."""
    if kind in _TABLES:
        return _TABLES[kind]
    slots = slots_of(kind)  # of an operator's options: they have texts and numbers, no tables
    return {slot: "" for slot, is_offset in slots.items() if is_offset}, 1 + max(slots, default=-1)


def _of_union(leads_to: str, number: int) -> str:
    """Return which table a union holds; of another offset what it leads to."""
    names = {"details": _DETAILS, "indices": _INDICES}.get(leads_to)
    if leads_to in {"BuiltinOptions", "BuiltinOptions2"}:
        names = names_of(leads_to)
    if names is None:
        return leads_to
    if not number or number not in names:
        raise _newer(f"{leads_to} {number}")
    return names[number]


def _newer(what: str) -> ModelError:
    return ModelError(
        f"names of inner tensors cannot be taken out of this file: it has what is newer than its schema here: {what}",
        "keep them: [quantize] keep_names = true",
    )


def _u32(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0])


def _u16(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<H", data, at)[0])
