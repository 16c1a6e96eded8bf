"""The signatures of a SavedModel: names, shapes and types of tensors, and which operator gives each output.

Read without TensorFlow. Source of the fields: tensorflow/core/protobuf/{saved_model,meta_graph}.proto,
tensorflow/core/framework/{function,node_def,tensor_shape,types}.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kit.bounded import read_bounded
from kit.errors import ModelError
from kit.shared.protobuf import entries, fields, last, merged, numbers, text
from kit.source_model.saved_model import MOST_GRAPH, PROTOBUF

# DT_ numbers of types.proto.
_TYPES = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string", 8: "complex64", 9: "int64",
    10: "bool", 14: "bfloat16", 17: "uint16", 18: "complex128", 19: "float16", 20: "resource", 21: "variant",
    22: "uint32", 23: "uint64",
}  # fmt: skip
_PASSING = frozenset("Identity IdentityN Reshape Squeeze ExpandDims Transpose Cast StopGradient".split())
_CALLS = frozenset("PartitionedCall StatefulPartitionedCall".split())
_MOST_STEPS = 200


@dataclass(frozen=True)
class SavedTensor:
    """An input or output."""

    name: str
    shape: tuple[int, ...] | None  # with every axis, -1 for an open one; None: any number of axes
    dtype: str
    operator: str = ""  # what gives an output: "Softmax", "BiasAdd"; "" where that is not known


@dataclass(frozen=True)
class SavedSignature:
    """One entry point. Its tensors are in the order of their names: a SavedModel keeps no other."""

    key: str
    inputs: tuple[SavedTensor, ...]
    outputs: tuple[SavedTensor, ...]


def read_signatures(folder: Path) -> tuple[SavedSignature, ...]:
    """Return the signatures of a SavedModel by their keys. Raises ModelError where it is not whole."""
    with whole(folder):
        return signatures_of(meta_graph(folder))


@contextmanager
def whole(folder: Path) -> Iterator[None]:
    """Raise ModelError, during the block, for what is read of a SavedModel that is not whole."""
    try:
        yield
    except (OSError, ValueError, IndexError, struct.error) as error:
        raise ModelError(f"{folder}: not a whole SavedModel: {error}", "copy or export it again") from error


def meta_graph(folder: Path) -> bytes:
    """Return the graph that a SavedModel's tags name, with its signatures. Raises OSError, ValueError or IndexError."""
    graph = next(fields(read_bounded(folder / PROTOBUF, MOST_GRAPH), 2), None)
    if graph is None:
        raise ValueError("it has no graph")
    return graph


def signatures_of(meta: bytes) -> tuple[SavedSignature, ...]:
    """Return the signatures of a meta graph by their keys, but for those that a loader has for itself."""
    graphs = _Graphs(merged(meta, 2))
    return tuple(
        SavedSignature(
            key,
            tuple(_tensor(name, info) for name, info in sorted(entries(signature, 1))),
            tuple(_tensor(name, info, graphs) for name, info in sorted(entries(signature, 2))),
        )
        for key, signature in sorted(entries(meta, 5))
        if not key.startswith("__saved_model")
    )


def shape_of(message: bytes) -> tuple[int, ...] | None:
    """Return a TensorShapeProto's axes, -1 for an open one; None for any number of axes."""
    if any(numbers(message, 3)):
        return None
    sizes = [next(numbers(axis, 1), 0) for axis in fields(message, 2)]
    return tuple(-1 if size >= 1 << 63 else size for size in sizes)  # -1 is written as an unsigned number


def type_of(number: int) -> str:
    """Return the name of a DataType: "float32"."""
    return _TYPES.get(number, f"type {number}")


def _tensor(name: str, info: bytes, graphs: _Graphs | None = None) -> SavedTensor:
    operator = graphs.operator(text(last(info, 1))) if graphs is not None else ""
    return SavedTensor(name, shape_of(merged(info, 3)), type_of(next(numbers(info, 2), 0)), operator)


class _Graphs:
    """The graph and its functions, whose nodes are read when they are needed."""

    def __init__(self, definition: bytes) -> None:
        self._main = _nodes(fields(definition, 1))
        self._functions = {text(last(merged(each, 1), 1)): each for each in fields(merged(definition, 2), 1)}

    def operator(self, tensor: str) -> str:
        """Return the operator that gives a tensor of the main graph, behind calls and what changes no number."""
        nodes, inside, steps = self._main, b"", 0
        while steps < _MOST_STEPS:
            steps += 1
            name, place = _split(tensor)
            node = nodes.get(name)
            if node is None:
                return ""
            operator, inputs = text(last(node, 2)), [text(each) for each in fields(node, 3)]
            if operator in _PASSING and inputs:
                tensor = inputs[place if operator == "IdentityN" and place < len(inputs) else 0]
                continue
            if operator not in _CALLS:
                return operator
            called = self._functions.get(_called(node))
            if called is None:
                return ""
            results = dict(_texts(called, 4))
            outputs = [text(last(each, 1)) for each in fields(merged(called, 1), 3)]
            if place >= len(outputs) or outputs[place] not in results:
                return ""
            inside = called
            nodes, tensor = _nodes(fields(inside, 3)), results[outputs[place]]
        return ""


def _split(tensor: str) -> tuple[str, int]:
    """Return the node of a tensor and which of its outputs it is: "call:1", "call:output:1", "softmax:softmax:0"."""
    name, *rest = tensor.split(":")
    return name, int(rest[-1]) if rest and rest[-1].isdigit() else 0


def _nodes(definitions: Iterator[bytes]) -> Mapping[str, bytes]:
    return {text(last(node, 1)): node for node in definitions}


def _called(node: bytes) -> str:
    """Return the function that a call names in its attribute f."""
    return next((text(last(merged(value, 10), 1)) for key, value in entries(node, 5) if key == "f"), "")


def _texts(message: bytes, wanted: int) -> Iterator[tuple[str, str]]:
    """Yield each key and value of a map of text by text."""
    for entry in fields(message, wanted):
        yield text(last(entry, 1)), text(last(entry, 2))
