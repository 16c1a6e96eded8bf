"""Operators of a dynamic file that need exact weights, and get them from the float32 file of the same graph.

A kernel with 8-bit weights rounds its inputs to 8 bits, too, by the largest of each call. A spectrum loses all but its
largest values so, and a logarithm behind it spreads what is lost.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kit.worker.tflite_file.int8_file import name_of
from kit.worker.tflite_file.packing import packed


def with_exact_weights(dynamic: bytes, single: bytes, computed: AbstractSet[str]) -> bytes:
    """Return the dynamic file with weights in float32 where an operator computes one of these tensors.

    single: the float32 file of the same graph; where the two have unlike operators, nothing is put back. The very same
    bytes where no such operator has 8-bit weights.
    """
    model, exact = (schema.ModelT.InitFromObj(schema.Model.GetRootAs(each, 0)) for each in (dynamic, single))
    changes = 0
    for graph, other in zip(model.subgraphs, exact.subgraphs, strict=False):
        for operator, at, weights in list(_rounded(model, graph, exact, other, computed)):
            inputs = [int(tensor) for tensor in operator.inputs]
            inputs[at] = _float_tensor(model, graph, inputs[at], weights)
            operator.inputs = inputs
            changes += 1
    if not changes:
        return dynamic
    _drop_unread(model)
    return packed(model)


def _rounded(
    model: Any, graph: Any, exact: Any, other: Any, computed: AbstractSet[str]
) -> Iterator[tuple[Any, int, np.ndarray]]:
    """Yield an operator, which of its inputs has 8 bits, and the float32 values [n] that it had before."""
    kept = [each for each in graph.operators if not _widens(model, graph, each)]
    if [name_of(model, each) for each in kept] != [name_of(exact, each) for each in other.operators]:
        return
    for operator, twin in zip(kept, other.operators, strict=True):
        if not computed & {other.tensors[tensor].name.decode() for tensor in twin.outputs}:
            continue
        for at, (tensor, before) in enumerate(zip(operator.inputs, twin.inputs, strict=False)):
            values = _values(exact, other.tensors[before], schema.TensorType.FLOAT32) if before >= 0 else None
            if values is not None and _values(model, graph.tensors[tensor], schema.TensorType.FLOAT32) is None:
                yield operator, at, values.view(np.float32)


def _float_tensor(model: Any, graph: Any, tensor: int, values: np.ndarray) -> int:
    """Add a constant of a tensor's name and shape to a subgraph; return its number. values: float32 [n]."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    model.buffers.append(buffer)
    made = copy.copy(graph.tensors[tensor])
    made.type, made.quantization, made.buffer = schema.TensorType.FLOAT32, None, len(model.buffers) - 1
    graph.tensors.append(made)
    return len(graph.tensors) - 1


def _drop_unread(model: Any) -> None:
    """Take the content of 8-bit constants that nothing reads any more out of the file, and what widened them."""
    read = [_read_by(model, graph) for graph in model.subgraphs]
    # Subgraphs may share a buffer.
    used = {graph.tensors[at].buffer for graph, tensors in zip(model.subgraphs, read, strict=True) for at in tensors}
    for graph, tensors in zip(model.subgraphs, read, strict=True):
        for at, tensor in enumerate(graph.tensors):
            if at not in tensors and tensor.type == schema.TensorType.INT8 and tensor.buffer not in used:
                model.buffers[tensor.buffer].data = None


def _read_by(model: Any, graph: Any) -> set[int]:
    """Return the tensors that a subgraph reads or gives, after what widens a constant for nobody is out of it."""
    widening = [each for each in graph.operators if _widens(model, graph, each)]
    read = {int(at) for each in graph.operators if each not in widening for at in each.inputs} | set(graph.outputs)
    graph.operators = [each for each in graph.operators if each not in widening or int(each.outputs[0]) in read]
    return {at for at in read | {int(at) for each in graph.operators for at in each.inputs} if at >= 0}


def _widens(model: Any, graph: Any, operator: Any) -> bool:
    """Say whether an operator only makes float32 of an 8-bit constant."""
    if name_of(model, operator) != "DEQUANTIZE":
        return False
    return _values(model, graph.tensors[operator.inputs[0]], schema.TensorType.INT8) is not None


def _values(model: Any, tensor: Any, kind: int) -> np.ndarray | None:
    """Return a constant's bytes, uint8 [n], None for a tensor that is computed or of another type."""
    data = model.buffers[tensor.buffer].data
    return np.asarray(data, np.uint8) if tensor.type == kind and data is not None and len(data) else None
