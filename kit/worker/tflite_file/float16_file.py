"""Constants of a float16 file that half precision cannot hold, back in float32: the float32 file has them.

TensorFlow rounds every constant to float16: 1e-10 becomes 0, 101325 becomes 65504, and 1013.25 loses its decimals. What
is multiplied by inputs (kernels, embeddings) bears that. What is added, compared or divided by does not: a logarithm of
0, a difference of two large numbers. Nor does a kernel that a normalization was folded into: its inputs are far from 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kit.worker.tflite_file.int8_file import name_of
from kit.worker.tflite_file.packing import packed

LARGE = 65504.0  # the largest float16
SMALL = 2.0**-14  # the smallest with all its bits
FEW = 4096  # values: so many in float32 cost nothing
OFFSET = 64.0  # a bias of so many times its kernel's sum: inputs far from 0, whose differences are what counts
_AXES = {"CONV_2D": (1, 2, 3), "DEPTHWISE_CONV_2D": (0, 1, 2), "FULLY_CONNECTED": (1,)}  # that an output sums over
# A kernel in float16 is as exact as float16 gets; here only what is beyond its range is put back.
_KERNELS = {
    "BATCH_MATMUL",
    "CONV_2D",
    "CONV_3D",
    "CONV_3D_TRANSPOSE",
    "DEPTHWISE_CONV_2D",
    "EMBEDDING_LOOKUP",
    "FULLY_CONNECTED",
    "GATHER",
    "TRANSPOSE_CONV",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "UNIDIRECTIONAL_SEQUENCE_RNN",
}


@dataclass(frozen=True)
class _Use:
    """A constant of half precision where an operator reads it: through a DEQUANTIZE."""

    operator: int  # counted without those DEQUANTIZEs
    at: int  # which of its inputs
    name: str  # of the operator
    half: int  # the tensor
    values: np.ndarray


def has_doubtful(content: bytes) -> bool:
    """Say whether a float16 file has a constant that the float32 file might have to give back."""
    model = _read(content)
    graphs = model.subgraphs
    if any(_offset(model, graph, o, np.float16) for graph in graphs for o in _kept(model, graph)):
        return True
    return any(
        use.name not in _KERNELS or np.abs(use.values).max(initial=0.0) >= LARGE or _is_small(use.values)
        for graph in graphs
        for use in _uses(model, graph)
    )


def with_exact_constants(half: bytes, single: bytes) -> bytes:
    """Return the float16 file with constants in float32 where it needs them; the very same bytes where it needs none.

    single: the float32 file of the same graph. Where the two have unlike operators, nothing is put back.
    """
    model, exact = _read(half), _read(single)
    pairs = list(zip(model.subgraphs, exact.subgraphs, strict=False))
    changes = sum(_put_back(model, graph, exact, other) for graph, other in pairs)
    return packed(model) if changes else half


def _put_back(model: Any, graph: Any, exact: Any, other: Any) -> int:
    """Put float32 constants into one subgraph; return how many."""
    kept = _kept(model, graph)
    if [name_of(model, each) for each in kept] != [name_of(exact, each) for each in other.operators]:
        return 0
    wanted: dict[int, np.ndarray] = {}
    for use in _uses(model, graph):
        twin = other.operators[use.operator]
        if len(_taken(twin)) != len(_taken(kept[use.operator])):
            continue  # a loop that is handed constants which the float32 file has inside of it
        values = _values(exact, other.tensors[twin.inputs[use.at]], np.float32)
        if (
            values is not None
            and values.size == use.values.size
            and (_is_lost(use, values) or _offset(exact, other, twin, np.float32))
        ):
            wanted[use.half] = values
    for operator in kept:
        sources = _sources(model, graph)
        operator.inputs = [sources[at] if sources.get(at) in wanted else int(at) for at in _taken(operator)]
    graph.operators = [o for o in graph.operators if not (_widens(model, graph, o) and int(o.inputs[0]) in wanted)]
    for tensor, values in wanted.items():
        graph.tensors[tensor].type = schema.TensorType.FLOAT32
        graph.tensors[tensor].buffer = len(model.buffers)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        model.buffers.append(buffer)
    return len(wanted)


def _is_lost(use: _Use, exact: np.ndarray) -> bool:
    """Say whether an operator needs the exact values of a constant."""
    size = np.abs(exact)
    beyond = bool((size > LARGE).any()) or _is_small(exact)
    if use.name in _KERNELS:
        return beyond
    return beyond or (exact.size <= FEW and not np.array_equal(exact.astype(np.float16).astype(np.float32), exact))


def _is_small(values: np.ndarray) -> bool:
    """Say whether all values are so small that float16 has few bits of them, or none; zeros do not count."""
    largest = float(np.abs(values).max(initial=0.0))
    return 0 < largest < SMALL


def _uses(model: Any, graph: Any) -> Iterator[_Use]:
    """Yield every place where an operator reads a constant of half precision."""
    sources = _sources(model, graph)
    for number, operator in enumerate(_kept(model, graph)):
        for at, tensor in enumerate(_taken(operator)):
            if int(tensor) in sources:
                half = sources[int(tensor)]
                values = _values(model, graph.tensors[half], np.float16)
                assert values is not None
                yield _Use(number, at, name_of(model, operator), half, values.astype(np.float32))


def _kept(model: Any, graph: Any) -> list[Any]:
    """Return the operators but for those that only widen a constant: those of the float32 file."""
    return [operator for operator in graph.operators if not _widens(model, graph, operator)]


def _offset(model: Any, graph: Any, operator: Any, dtype: type) -> bool:
    """Say whether a kernel's bias takes a large offset from its inputs, as a folded normalization does."""
    axes, tensors = _AXES.get(name_of(model, operator)), [int(at) for at in _taken(operator)]
    if axes is None or len(tensors) < 3 or tensors[2] < 0:
        return False
    sources = _sources(model, graph) if dtype is np.float16 else {}
    found = [graph.tensors[sources.get(at, at)] for at in tensors[1:3]]
    kernel, bias = (_values(model, tensor, dtype) for tensor in found)
    if kernel is None or bias is None:
        return False
    sums = np.abs(kernel.astype(np.float64).reshape(found[0].shape)).sum(axes)
    return bool(np.abs(bias.astype(np.float64)).max() > OFFSET * sums.max())


def _taken(operator: Any) -> Any:
    return [] if operator.inputs is None else operator.inputs


def _sources(model: Any, graph: Any) -> dict[int, int]:
    """Return the half-precision constant behind each tensor that a DEQUANTIZE makes of one."""
    return {int(o.outputs[0]): int(o.inputs[0]) for o in graph.operators if _widens(model, graph, o)}


def _widens(model: Any, graph: Any, operator: Any) -> bool:
    if name_of(model, operator) != "DEQUANTIZE":
        return False
    return _values(model, graph.tensors[operator.inputs[0]], np.float16) is not None


def _values(model: Any, tensor: Any, dtype: type) -> np.ndarray | None:
    """Return a constant's values, None for another tensor or type."""
    data = model.buffers[tensor.buffer].data
    kind = schema.TensorType.FLOAT16 if dtype is np.float16 else schema.TensorType.FLOAT32
    if tensor.type != kind or data is None or not len(data):
        return None
    return np.frombuffer(np.asarray(data, np.uint8).tobytes(), dtype)


def _read(content: bytes) -> Any:
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
