"""What one call of a file costs, by a model that is stated here and never measured: multiply-adds and bytes by type.

One unit is one multiply-add of float32. A 128-bit instruction of an Arm core does 4 of them (FMLA), or 16 of int8
(SDOT), so one of int8 costs a quarter; between int16 and int8 LiteRT has portable code alone, one at a time, so it
costs four. A byte that an operator reads or writes costs one unit. docs/quantization.md has the same in words.
Source: Arm Architecture Reference Manual, A64 Advanced SIMD; LiteRT's reference kernels of 16x8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from kit.tflite.model import Operator, Subgraph, Tensor, TfliteFile

UNITS = {"float32": 1.0, "int8": 0.25, "int16": 4.0}  # of one multiply-add, by what is multiplied
BYTE = 1.0  # units of a byte that is read or written
_BITS = {"int4": 4, "uint4": 4, "int2": 2, "float16": 16, "int16": 16, "float64": 64, "int64": 64, "int32": 32,
         "float32": 32, "uint32": 32}  # fmt: skip
_FREE = {"RESHAPE", "EXPAND_DIMS", "SQUEEZE", "SHAPE", "CALL_ONCE", "VAR_HANDLE"}  # no numbers are moved
_WEIGHTS_AT = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "TRANSPOSE_CONV": 1, "FULLY_CONNECTED": 1, "BATCH_MATMUL": 1,
               "CONV_3D": 1}  # fmt: skip
_LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM"
_DEEPEST = 8  # loops inside of loops


@dataclass(frozen=True)
class Cost:
    """What a call costs. macs: multiply-adds by what is multiplied, a key of UNITS; moved: bytes."""

    macs: dict[str, int]
    moved: int

    @property
    def units(self) -> float:
        """Return the whole, in multiply-adds of float32."""
        return sum(UNITS[kind] * count for kind, count in self.macs.items()) + BYTE * self.moved


def cost_of(file: TfliteFile) -> Cost:
    """Return what a call of the main signature costs.

    A loop counts as often as it runs, where the file says how often; else once. An open axis counts as one.
    """
    main = file.signatures[0].subgraph if file.signatures else 0
    return _graph(file, file.subgraphs[main], 0)


def operator_cost(graph: Subgraph, operator: Operator) -> Cost:
    """Return what one run of an operator costs, without what runs inside of it."""
    macs = dict.fromkeys(UNITS, 0)
    kind, count = _macs(graph, operator)
    macs[kind] += count
    return Cost(macs, _moved(graph, operator))


def _graph(file: TfliteFile, graph: Subgraph, depth: int) -> Cost:
    macs, moved = dict.fromkeys(UNITS, 0), 0
    for operator in graph.operators:
        if operator.name == "WHILE" and depth < _DEEPEST:
            body = _graph(file, file.subgraphs[_option(operator, "body_subgraph_index")], depth + 1)
            times = _turns(file, graph, operator)
            moved += times * body.moved
            macs = {kind: count + times * body.macs[kind] for kind, count in macs.items()}
            continue
        own = operator_cost(graph, operator)
        macs = {kind: count + own.macs[kind] for kind, count in macs.items()}
        moved += own.moved
    return Cost(macs, moved)


def _macs(graph: Subgraph, operator: Operator) -> tuple[str, int]:
    """Return the multiply-adds of an operator, and what it multiplies."""
    inputs = [graph.tensors[at] if at >= 0 else None for at in operator.inputs]
    output = graph.tensors[operator.outputs[0]] if operator.outputs else None
    if operator.name == _LSTM and inputs[0] is not None:
        matrices = [tensor for tensor in inputs[1:9] if tensor is not None]
        steps = prod(_shape(inputs[0])[:2])
        return _kind(inputs[0], matrices[0]), steps * sum(_count(tensor) for tensor in matrices)
    at = _WEIGHTS_AT.get(operator.name)
    if at is None or output is None or len(inputs) <= at or (weights := inputs[at]) is None:
        return "float32", 0
    fed = inputs[2] if operator.name == "TRANSPOSE_CONV" else inputs[0]
    assert fed is not None
    return _kind(fed, weights), _products(operator, fed, weights, output)


def _products(operator: Operator, fed: Tensor, weights: Tensor, output: Tensor) -> int:
    """Return how many products an operator with weights sums up. Layouts are those of the TFLite schema."""
    shape = _shape(weights)
    if operator.name == "DEPTHWISE_CONV_2D":  # [1, height, width, channels]
        return _count(output) * prod(shape[1:3])
    if operator.name == "TRANSPOSE_CONV":  # [out, height, width, in]
        return _count(fed) * prod(shape[:3])
    if operator.name == "BATCH_MATMUL":
        return _count(output) * _shape(fed)[-2 if operator.options.get("adj_x") else -1]
    if operator.name == "CONV_3D":  # [depth, height, width, in, out]
        return _count(output) * prod(shape[:4])
    return _count(output) * prod(shape[1:])  # [out, ..., in]


def _kind(fed: Tensor, weights: Tensor) -> str:
    """Return what is multiplied. Float inputs beside weights of whole numbers become int8 in each call."""
    if fed.dtype == "int16":
        return "int16"
    whole = weights.dtype in {"int8", "uint8", "int4"}
    return "int8" if whole and fed.dtype in {"int8", "uint8", "float32"} else "float32"


def _moved(graph: Subgraph, operator: Operator) -> int:
    """Return the bytes that an operator reads and writes. Constants are made float once, when the file is loaded."""
    if operator.name in _FREE:
        return 0
    tensors = [graph.tensors[at] for at in (*operator.inputs, *operator.outputs) if at >= 0]
    if operator.name == "DEQUANTIZE" and tensors[0].sha256 is not None:
        return 0
    return sum(_count(tensor) * _BITS.get(tensor.dtype, 8) // 8 for tensor in tensors)


def _turns(file: TfliteFile, graph: Subgraph, loop: Operator) -> int:
    """Return how often a loop runs: the constant that its counter is held against; 1 where there is none."""
    condition = file.subgraphs[_option(loop, "cond_subgraph_index")]
    bounds = []
    for operator in condition.operators:
        if operator.name != "LESS" or len(operator.inputs) < 2:
            continue
        at = operator.inputs[1]
        bound = condition.tensors[at]
        if at in condition.inputs and (place := condition.inputs.index(at)) < len(loop.inputs):
            bound = graph.tensors[loop.inputs[place]]
        if bound.dtype in {"int32", "int64"} and _count(bound) == 1 and bound.sha256 is not None:
            bounds.append(int.from_bytes(file.content(bound), "little", signed=True))
    return max(1, min(bounds, default=1))


def _option(operator: Operator, name: str) -> int:
    value = operator.options[name]
    assert isinstance(value, int)
    return value


def _shape(tensor: Tensor) -> Sequence[int]:
    return [max(1, size) for size in tensor.shape]


def _count(tensor: Tensor) -> int:
    return prod(_shape(tensor))
