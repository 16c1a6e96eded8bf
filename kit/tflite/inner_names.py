"""Names of inner tensors: which those are, and a file without them.

No runtime, reader of metadata or signature looks at them. What an app calls keeps its names: inputs and outputs of the
first graph and of each signature's. All bytes but those of the names stay, in their order and with their alignment.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kit.errors import ModelError
from kit.tflite.references import Reference, references
from kit.tflite.schema_package import schema

_NAME = 3  # field of a Tensor
_EMPTY = bytes(8)  # an empty text: its length of 4 bytes, its end, and what fills up to a multiple of 4


@dataclass(frozen=True)
class TensorName:
    """A tensor of a file. inner: nothing but its index has to find it."""

    subgraph: int
    tensor: int
    name: str
    inner: bool


def tensor_names(model: bytes) -> tuple[TensorName, ...]:
    """Return the names of all tensors of a whole file, in its order."""
    return tuple(
        TensorName(graph, index, (tensor.Name() or b"").decode("utf-8", "backslashreplace"), inner)
        for graph, index, tensor, inner in _tensors(model)
    )


def without_inner_names(model: bytes) -> bytes:
    """Return a whole file whose inner tensors have empty names, the same bytes for the same file.

    Its weights are copied once and never unpacked. Raises ModelError where the file is damaged, or has tables that are
    newer than the schema here.
    """
    try:
        found = {reference.at: reference for reference in references(model)}
        places = _dropped(model, found)
        return _without(model, found, places) if places else model
    except (struct.error, ValueError, TypeError, IndexError, OverflowError) as error:
        raise ModelError("a damaged .tflite file: it points outside of itself", "copy or convert it again") from error


def _tensors(model: bytes) -> Iterator[tuple[int, int, Any, bool]]:
    """Yield graph, index, table, and whether it is an inner one, of each tensor."""
    root = schema().Model.GetRootAs(model, 0)
    called = {0}
    kept: set[tuple[int, int]] = set()
    for i in range(root.SignatureDefsLength()):
        signature = root.SignatureDefs(i)
        called.add(graph := signature.SubgraphIndex())
        for way in ("Inputs", "Outputs"):
            maps = (getattr(signature, way)(j) for j in range(getattr(signature, f"{way}Length")()))
            kept |= {(graph, each.TensorIndex()) for each in maps}
    for i in range(root.SubgraphsLength()):
        graph = root.Subgraphs(i)
        if i in called:
            kept |= {(i, graph.Inputs(j)) for j in range(graph.InputsLength())}
            kept |= {(i, graph.Outputs(j)) for j in range(graph.OutputsLength())}
        for j in range(graph.TensorsLength()):
            yield i, j, graph.Tensors(j), (i, j) not in kept


def _dropped(model: bytes, found: dict[int, Reference]) -> set[int]:
    """Return where the offsets to names stand that become empty. Two entries may share a table: then it is kept."""
    inner: set[int] = set()
    kept: set[int] = set()
    for _, _, tensor, is_inner in _tensors(model):
        offset = tensor._tab.Offset(4 + 2 * _NAME)
        if offset and tensor.Name():
            (inner if is_inner else kept).add(tensor._tab.Pos + offset)
    return {at for at in inner - kept if at in found}


@dataclass(frozen=True)
class _Part:
    """Bytes of the old file from start to end that stay together; in the new file they begin at `new`."""

    start: int
    end: int
    new: int


def _without(model: bytes, found: dict[int, Reference], places: set[int]) -> bytes:
    """Return the file with what the offsets at `places` lead to taken out; they lead to one empty text.

    That takes the place of the last of these names: an offset leads forward only, and each table is before its name.
    """
    others = [reference for at, reference in found.items() if at not in places]
    last = max(found[at].to for at in places)
    unused = {found[at].to for at in places} - {reference.to for reference in others}
    parts, text = _laid(_ranges(model, others, unused, last), [each.to for each in others if each.wide], last)
    starts = [part.start for part in parts]

    def moved(at: int) -> int:
        part = parts[bisect_right(starts, at) - 1]
        return part.new + at - part.start

    changes = {at: struct.pack("<I", text - moved(at)) for at in places}
    for each in others:
        at, to = moved(each.at), moved(each.to)
        if each.kind == "place":
            changes[each.at] = struct.pack("<Q", to)
        else:
            changes[each.at] = struct.pack("<I", to - at) if each.kind == "forward" else struct.pack("<i", at - to)
    return b"".join(_pieces(model, parts, changes, text))


def _ranges(model: bytes, others: Sequence[Reference], unused: set[int], cut: int) -> list[tuple[int, int]]:
    """Return what stays of the file, from start to end. None of it goes across `cut`.

    A name ends where the next thing begins that is in use: so what aligned that goes, too.
    """
    begins = sorted({reference.to for reference in others})
    ranges, start = [], 0
    for name in sorted(unused | {cut}):
        if name < start:
            continue  # it went with the one before
        ranges.append((start, name))
        start = name
        if name in unused:
            following = bisect_right(begins, name)
            length = struct.unpack_from("<I", model, name)[0]
            end = name + 4 * (2 + length // 4)
            start = begins[following] if following < len(begins) else min(end, len(model))
    return [*ranges, (start, len(model))]


def _laid(ranges: Sequence[tuple[int, int]], wide: Sequence[int], cut: int) -> tuple[list[_Part], int]:
    """Return where each range begins in the new file, and the place of the empty text there: between those at `cut`.

    Each moves by a multiple of 8, or of 16 where one of `wide` is in it: so all in there is aligned as it was.
    """
    wide = sorted(wide)
    parts, at, text = [], 0, 0
    for start, end in ranges:
        if not text and start >= cut:
            text = at + -at % 4
            at = text + len(_EMPTY)
        first = bisect_left(wide, start)
        align = 16 if first < len(wide) and wide[first] < end else 8
        new = at + (start - at) % align
        parts.append(_Part(start, end, new))
        at = new + end - start
    return parts, text


def _pieces(
    model: bytes, parts: Sequence[_Part], changes: Mapping[int, bytes], text: int
) -> Iterator[bytes | memoryview]:
    """Yield the bytes of the new file in order. changes: new numbers by their place in the old one."""
    view, places, written = memoryview(model), sorted(changes), 0
    number = 0
    for part in parts:
        if written <= text < part.new:
            yield bytes(text - written) + _EMPTY
            written = text + len(_EMPTY)
        yield bytes(part.new - written)
        at = part.start
        while number < len(places) and places[number] < part.end:
            place = places[number]
            yield view[at:place]
            yield changes[place]
            at, number = place + len(changes[place]), number + 1
        yield view[at : part.end]
        written = part.new + part.end - part.start
