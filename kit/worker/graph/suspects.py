"""Which layers are in question where the converter or an interpreter ends the process: a C++ fault names none.

Those with operations that are not in nearly every model; where a model has none of these, no layer is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kit.shared.layers import layer_of

MOST = 5  # layers in a message
_COMMON = set(
    "Add AddV2 AvgPool BatchMatMulV2 BiasAdd Cast ConcatV2 Const Conv2D DepthwiseConv2dNative ExpandDims "
    "FusedBatchNormV3 GatherV2 Identity MatMul MaxPool Maximum Mean Minimum Mul Neg NoOp Pack Pad PartitionedCall "
    "Placeholder Prod ReadVariableOp Relu Relu6 Reshape ResourceGather Rsqrt Shape Sigmoid Softmax Squeeze "
    "StatefulPartitionedCall StridedSlice Sub Sum Tanh Transpose".split()
)


def suspects(traced: Sequence[Any], layers: Sequence[str]) -> list[str]:
    """Return layers with uncommon operations, each with them: "layer 'gru' (While)". traced: concrete functions."""
    found: dict[str, dict[str, None]] = {}
    for function in traced:
        for operation in function.graph.get_operations():
            layer = layer_of(operation.name, layers) if operation.type not in _COMMON else ""
            if layer:
                found.setdefault(layer, {})[operation.type] = None
    return [f"layer '{layer}' ({', '.join(list(ops)[:3])})" for layer, ops in list(found.items())[:MOST]]
