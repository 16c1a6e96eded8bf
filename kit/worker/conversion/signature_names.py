"""Names, order and first shapes of a .tflite's signatures, set in its bytes: the converter sorts and bends names.

Edits in place: vectors are reordered, and a new name is written behind the file. Nothing else of the file moves.
Source of the layout: the FlatBuffers format, and tensorflow/lite/schema/schema.fbs.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from tensorflow.lite.python import schema_py_generated as schema

from kit.shared.another_version import ANOTHER
from kit.shared.job import JobError
from kit.worker.conversion.export import Exported

# Slots of the tables' fields: 4 + 2 * the field's number in the schema.
_INPUTS, _OUTPUTS = {"signature": 4, "subgraph": 6}, {"signature": 6, "subgraph": 8}
_NAME, _SHAPE = 4, 4


def settle(content: bytes, wanted: Sequence[Exported]) -> bytes:
    """Return the file with each signature's tensors under their real names and in the contract's order.

    An input that is not wanted is taken out of its signature. Raises JobError where the converter lost a tensor.
    """
    data = bytearray(content)
    model = schema.Model.GetRootAs(content, 0)
    found = {
        model.SignatureDefs(i).SignatureKey().decode(): model.SignatureDefs(i)
        for i in range(model.SignatureDefsLength())
    }
    for each in wanted:
        if each.key not in found:
            raise JobError("model", f"the produced file lacks the signature '{each.key}'", ANOTHER)
        signature = found[each.key]
        subgraph = model.Subgraphs(signature.SubgraphIndex())
        for slots, pairs in ((_INPUTS, each.inputs), (_OUTPUTS, each.outputs)):
            _settle(data, signature._tab, subgraph._tab, slots, pairs, each.key)
    return bytes(data)


def preset(content: bytes, shapes: Mapping[str, Mapping[str, tuple[int, ...]]]) -> bytes:
    """Return the file with these shapes for inputs that have open axes, by signature and name; the axes stay open.

    The converter writes 1 for each open axis. Android's Interpreter allocates a file's own shapes before an app can
    resize, and fails there where a kernel cannot take the 1: a convolution without padding, a mirrored edge.
    """
    data = bytearray(content)
    model = schema.Model.GetRootAs(content, 0)
    for i in range(model.SignatureDefsLength()):
        signature = model.SignatureDefs(i)
        graph = model.Subgraphs(signature.SubgraphIndex())
        wanted = shapes.get(signature.SignatureKey().decode(), {})
        for j in range(signature.InputsLength()):
            shape = wanted.get(signature.Inputs(j).Name().decode())
            tensor = graph.Tensors(signature.Inputs(j).TensorIndex())._tab
            if shape is not None and tensor.VectorLen(tensor.Offset(_SHAPE)) == len(shape):
                struct.pack_into(f"<{len(shape)}i", data, tensor.Vector(tensor.Offset(_SHAPE)), *shape)
    return bytes(data)


def resources(content: bytes) -> list[str]:
    """Return the names of the variables that the file holds, as it calls them."""
    model = schema.Model.GetRootAs(content, 0)
    found = set()
    for at in range(model.SubgraphsLength()):
        graph = model.Subgraphs(at)
        for i in range(graph.OperatorsLength()):
            options = graph.Operators(i).BuiltinOptions()
            if graph.Operators(i).BuiltinOptionsType() == schema.BuiltinOptions.VarHandleOptions:
                handle = schema.VarHandleOptions()
                handle.Init(options.Bytes, options.Pos)
                found.add((handle.SharedName() or b"").decode())
    return sorted(found)


def _settle(
    data: bytearray, signature: Any, subgraph: Any, slots: dict[str, int], pairs: Sequence[tuple[str, str]], key: str
) -> None:
    maps = _tables(signature, slots["signature"])
    by_name = {}
    for at in maps:
        table = schema.TensorMap()
        table.Init(signature.Bytes, at)
        by_name[table.Name().decode()] = (at, table.TensorIndex())
    missing = [word for word, _ in pairs if word not in by_name]
    if missing:
        raise JobError(
            "model",
            f"signature '{key}' of the produced file lacks {', '.join(missing)}: it has {sorted(by_name)}",
            ANOTHER,
        )
    _write_tables(data, signature, slots["signature"], [by_name[word][0] for word, _ in pairs])
    _write_numbers(data, subgraph, slots["subgraph"], [by_name[word][1] for word, _ in pairs], key)
    for word, name in pairs:
        if word != name:
            _rename(data, signature.Bytes, by_name[word][0], name)


def _tables(table: Any, slot: int) -> list[int]:
    """Return where each table of a vector of tables begins."""
    offset = table.Offset(slot)
    if not offset:
        return []
    start = table.Vector(offset)
    return [table.Indirect(start + 4 * i) for i in range(table.VectorLen(offset))]


def _write_tables(data: bytearray, table: Any, slot: int, places: Sequence[int]) -> None:
    offset = table.Offset(slot)
    if not offset:
        return
    start = table.Vector(offset)
    for i, place in enumerate(places):
        # What is stored is how far the table lies from here.
        struct.pack_into("<I", data, start + 4 * i, place - (start + 4 * i))
    struct.pack_into("<I", data, start - 4, len(places))


def _write_numbers(data: bytearray, table: Any, slot: int, numbers: Sequence[int], key: str) -> None:
    offset = table.Offset(slot)
    if not offset:
        return
    start, length = table.Vector(offset), table.VectorLen(offset)
    if len(numbers) > length:
        raise JobError("model", f"signature '{key}' of the produced file shares a tensor between two names", ANOTHER)
    for i, number in enumerate(numbers):
        struct.pack_into("<i", data, start + 4 * i, number)
    struct.pack_into("<I", data, start - 4, len(numbers))


def _rename(data: bytearray, original: bytes, table_at: int, name: str) -> None:
    table = schema.TensorMap()
    table.Init(original, table_at)
    field = table_at + table._tab.Offset(_NAME)
    data.extend(b"\0" * (-len(data) % 4))
    text = name.encode()
    struct.pack_into("<I", data, field, len(data) - field)
    data.extend(struct.pack("<I", len(text)) + text + b"\0")
    data.extend(b"\0" * (-len(data) % 4))
