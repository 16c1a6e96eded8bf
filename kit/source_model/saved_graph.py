"""What a SavedModel folder holds, without TensorFlow: signatures with types, operators, variables. Runs nothing of it.

Source: tensorflow/core/protobuf/{saved_model,meta_graph,tensor_bundle}.proto and
tensorflow/core/framework/{graph,function,node_def,tensor_shape,types}.proto; the index of variables is a table of
tensorflow/core/lib/io/table_format.txt.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kit.bounded import read_bounded
from kit.errors import ModelError
from kit.shared.protobuf import entries, fields, last, merged, numbers, text
from kit.source_model.saved_model import MOST_GRAPH, PROTOBUF

_PYTHON = ("PyFunc", "PyFuncStateless", "EagerPyFunc")
_MAGIC = 0xDB4775248B80FB57
_FOOTER, _TRAILER = 48, 5
_OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
_TYPES = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string", 8: "complex64", 9: "int64",
    10: "bool", 14: "bfloat16", 17: "uint16", 18: "complex128", 19: "float16", 20: "resource", 21: "variant",
    22: "uint32", 23: "uint64",
}  # fmt: skip


@dataclass(frozen=True)
class SavedTensor:
    """An input, an output or a variable. shape: with every axis, -1 for an open one; None: any number of axes."""

    name: str
    shape: tuple[int, ...] | None
    dtype: str
    bytes: int = 0  # of a variable


@dataclass(frozen=True)
class SavedSignature:
    """One entry point. Its tensors are in the order of their names: a SavedModel keeps no other."""

    key: str
    inputs: tuple[SavedTensor, ...]
    outputs: tuple[SavedTensor, ...]


@dataclass(frozen=True)
class SavedGraph:
    """A SavedModel. operators: how many nodes of each, in the graph and its functions, the most frequent first."""

    tags: tuple[str, ...]
    signatures: tuple[SavedSignature, ...]
    operators: tuple[tuple[str, int], ...]
    variables: tuple[SavedTensor, ...]

    @property
    def parameters(self) -> int:
        """Return how many numbers the variables hold, but for a counter of saves."""
        own = [variable for variable in self.variables if variable.name != "save_counter"]
        return sum(math.prod(variable.shape or ()) for variable in own)

    @property
    def python(self) -> tuple[str, ...]:
        """Return the operators that call a Python function, which is not in the file."""
        return tuple(f"{name} x{count}" for name, count in self.operators if name in _PYTHON)


def read_saved_graph(folder: Path) -> SavedGraph:
    """Read a SavedModel. Raises ModelError where it is not whole."""
    try:
        graph = next(fields(read_bounded(folder / PROTOBUF, MOST_GRAPH), 2))
        tags = tuple(text(tag) for tag in fields(merged(graph, 1), 4))
        signatures = tuple(_signature(key, value) for key, value in sorted(entries(graph, 5)) if key[:1] != "_")
        operators = Counter(_operators(merged(graph, 2)))
        index = folder / "variables" / "variables.index"
        variables = tuple(_variables(read_bounded(index, MOST_GRAPH))) if index.exists() else ()
    except (OSError, ValueError, IndexError, StopIteration, struct.error) as error:
        raise ModelError(f"{folder}: not a whole SavedModel: {error}", "copy or export it again") from error
    counted = tuple(sorted(operators.items(), key=lambda each: (-each[1], each[0])))
    return SavedGraph(tags, signatures, counted, variables)


def _signature(key: str, value: bytes) -> SavedSignature:
    inputs, outputs = (tuple(_tensor(*each) for each in sorted(entries(value, side))) for side in (1, 2))
    return SavedSignature(key, inputs, outputs)


def _tensor(name: str, info: bytes) -> SavedTensor:
    return SavedTensor(name, _shape(merged(info, 3)), _type(next(numbers(info, 2), 0)))


def _shape(message: bytes) -> tuple[int, ...] | None:
    if any(numbers(message, 3)):
        return None
    sizes = [next(numbers(axis, 1), 0) for axis in fields(message, 2)]
    return tuple(-1 if size >= 1 << 63 else size for size in sizes)  # -1 is written as an unsigned number


def _type(number: int) -> str:
    return _TYPES.get(number, f"type {number}")


def _operators(graph: bytes) -> Iterator[str]:
    """Yield the operator of each node, in the graph and in its functions."""
    yield from (text(last(node, 2)) for node in fields(graph, 1))
    for function in fields(merged(graph, 2), 1):
        yield from (text(last(node, 2)) for node in fields(function, 3))


def _variables(table: bytes) -> Iterator[SavedTensor]:
    """Yield the variables of a checkpoint's index, by name."""
    for key, value in _entries(table):
        name = key.decode("utf-8", "replace")
        if not name or name == _OBJECTS:
            continue
        shape = _shape(merged(value, 2)) or ()
        yield SavedTensor(
            name.removesuffix(_SUFFIX), shape, _type(next(numbers(value, 1), 0)), next(numbers(value, 5), 0)
        )


def _entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of a table. Raises ValueError, IndexError or struct.error for what is none."""
    if len(table) < _FOOTER or struct.unpack_from("<Q", table, len(table) - 8)[0] != _MAGIC:
        raise ValueError("variables.index is cut short, or no index of variables")
    footer, at = table[-_FOOTER:], 0
    handles = []
    for _ in range(4):  # place and size of another index, which is empty, then of this one
        number, at = _number(footer, at)
        handles.append(number)
    for _, handle in _block(table, handles[2], handles[3]):
        start, after = _number(handle, 0)
        yield from _block(table, start, _number(handle, after)[0])


def _block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the entries of a block: each key has what it shares with the one before left out."""
    if offset + size + _TRAILER > len(table) or size < 4:
        raise ValueError("variables.index points outside of itself")
    if table[offset + size]:
        raise ValueError("variables.index is compressed, which TensorFlow never does")
    block = table[offset : offset + size]
    end = size - 4 - 4 * struct.unpack_from("<I", block, size - 4)[0]
    at, key = 0, b""
    while at < end:
        shared, at = _number(block, at)
        fresh, at = _number(block, at)
        length, at = _number(block, at)
        key = key[:shared] + block[at : at + fresh]
        at += fresh
        yield key, block[at : at + length]
        at += length


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at a place, seven bits a byte with the lowest first, and the place after it."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number has more than 64 bits")
