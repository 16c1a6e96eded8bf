"""The signatures of a SavedModel: names, shapes and types of tensors, and which operator gives each output.

Read without TensorFlow. Source of the fields: tensorflow/core/protobuf/meta_graph.proto,
tensorflow/core/framework/{function,node_def,types}.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kit.bounded import read_bounded
from kit.shared.protobuf import entries, fields, last, merged, numbers, text
from kit.source_model.saved_model import MOST_GRAPH, PROTOBUF

Shape = tuple[int | None, ...]

# DT_ numbers of types.proto.
_TYPES = {1: "float32", 2: "float64", 3: "int32", 4: "uint8", 6: "int8", 7: "string", 9: "int64", 10: "bool"}
_TYPES |= {5: "int16", 14: "bfloat16", 17: "uint16", 19: "float16", 22: "uint32", 23: "uint64"}
_PASSING = frozenset("Identity IdentityN Reshape Squeeze ExpandDims Transpose Cast StopGradient".split())
_CALLS = frozenset("PartitionedCall StatefulPartitionedCall".split())
_MOST_STEPS = 200


@dataclass(frozen=True)
class SavedTensor:
    """An input or output. operator: what gives an output, "" where that is not known: "Softmax", "BiasAdd"."""

    name: str
    shape: Shape | None  # with every axis; None where the number of axes is open
    dtype: str
    operator: str = ""


@dataclass(frozen=True)
class SavedSignature:
    """One entry point, with its tensors in the order of their names: output_10 after output_9."""

    key: str
    inputs: tuple[SavedTensor, ...]
    outputs: tuple[SavedTensor, ...]


def read_signatures(folder: Path) -> list[SavedSignature]:
    """Return the signatures of a SavedModel that read_model_file has taken. Raises OSError or ValueError."""
    meta = next(fields(read_bounded(folder / PROTOBUF, MOST_GRAPH), 2), b"")
    graphs = _Graphs(merged(meta, 2))
    return [
        SavedSignature(
            key,
            tuple(_tensor(name, info) for name, info in sorted(entries(signature, 1))),
            tuple(_tensor(name, info, graphs) for name, info in sorted(entries(signature, 2))),
        )
        for key, signature in entries(meta, 5)
        if not key.startswith("__saved_model")
    ]


def _tensor(name: str, info: bytes, graphs: _Graphs | None = None) -> SavedTensor:
    shape = merged(info, 3)
    open_rank = any(numbers(shape, 3))
    sizes = [next(numbers(axis, 1), 0) for axis in fields(shape, 2)]
    whole = None if open_rank else tuple(None if size >= 1 << 63 else size for size in sizes)
    operator = graphs.operator(text(last(info, 1))) if graphs is not None else ""
    return SavedTensor(name, whole, _TYPES.get(next(numbers(info, 2), 0), ""), operator)


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
