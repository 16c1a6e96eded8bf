"""What a SavedModel folder holds, without TensorFlow: signatures, operators, variables. Runs nothing of it.

Source: tensorflow/core/protobuf/{meta_graph,tensor_bundle}.proto and
tensorflow/core/framework/{graph,function,node_def}.proto; the index of variables is a table of
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
from kit.shared.protobuf import fields, last, merged, numbers, text, varint
from kit.source_model.saved_model import MOST_GRAPH
from kit.source_model.saved_signature import SavedSignature, meta_graph, shape_of, signatures_of, type_of, whole

_PYTHON = ("PyFunc", "PyFuncStateless", "EagerPyFunc")
_MAGIC = 0xDB4775248B80FB57
_FOOTER, _TRAILER = 48, 5
_OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


@dataclass(frozen=True)
class SavedVariable:
    """A variable. shape: -1 for an open axis."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int


@dataclass(frozen=True)
class SavedGraph:
    """A SavedModel. operators: how many nodes of each, in the graph and its functions, the most frequent first."""

    tags: tuple[str, ...]
    signatures: tuple[SavedSignature, ...]
    operators: tuple[tuple[str, int], ...]
    variables: tuple[SavedVariable, ...]

    @property
    def parameters(self) -> int:
        """Return how many numbers the variables hold, but for a counter of saves."""
        own = [variable for variable in self.variables if variable.name != "save_counter"]
        return sum(math.prod(variable.shape) for variable in own)

    @property
    def python(self) -> tuple[str, ...]:
        """Return the operators that call a Python function, which is not in the file."""
        return tuple(f"{name} x{count}" for name, count in self.operators if name in _PYTHON)


def read_saved_graph(folder: Path) -> SavedGraph:
    """Read a SavedModel. Raises ModelError where it is not whole."""
    with whole(folder):
        graph = meta_graph(folder)
        tags = tuple(text(tag) for tag in fields(merged(graph, 1), 4))
        signatures = signatures_of(graph)
        operators = Counter(_operators(merged(graph, 2)))
        index = folder / "variables" / "variables.index"
        variables = tuple(_variables(read_bounded(index, MOST_GRAPH))) if index.exists() else ()
    counted = tuple(sorted(operators.items(), key=lambda each: (-each[1], each[0])))
    return SavedGraph(tags, signatures, counted, variables)


def _operators(graph: bytes) -> Iterator[str]:
    """Yield the operator of each node, in the graph and in its functions."""
    yield from (text(last(node, 2)) for node in fields(graph, 1))
    for function in fields(merged(graph, 2), 1):
        yield from (text(last(node, 2)) for node in fields(function, 3))


def _variables(table: bytes) -> Iterator[SavedVariable]:
    """Yield the variables of a checkpoint's index, by name."""
    for key, value in _entries(table):
        name = key.decode("utf-8", "replace")
        if not name or name == _OBJECTS:
            continue
        shape, dtype = shape_of(merged(value, 2)) or (), type_of(next(numbers(value, 1), 0))
        yield SavedVariable(name.removesuffix(_SUFFIX), shape, dtype, next(numbers(value, 5), 0))


def _entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of a table. Raises ValueError, IndexError or struct.error for what is none."""
    if len(table) < _FOOTER or struct.unpack_from("<Q", table, len(table) - 8)[0] != _MAGIC:
        raise ValueError("variables.index is cut short, or no index of variables")
    footer, at = table[-_FOOTER:], 0
    handles = []
    for _ in range(4):  # place and size of another index, which is empty, then of this one
        number, at = varint(footer, at)
        handles.append(number)
    for _, handle in _block(table, handles[2], handles[3]):
        start, after = varint(handle, 0)
        yield from _block(table, start, varint(handle, after)[0])


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
        shared, at = varint(block, at)
        fresh, at = varint(block, at)
        length, at = varint(block, at)
        key = key[:shared] + block[at : at + fresh]
        at += fresh
        yield key, block[at : at + length]
        at += length
