"""Compute a frozen graph's batch normalizations here, in double precision, before the converter sees them.

The converter folds them too, with an approximate reciprocal square root whose last bit depends on the CPU: the same
model would give other bytes on another machine. numpy's float64 square root is exactly rounded everywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tensorflow.core.framework import graph_pb2, node_def_pb2
from tensorflow.python.framework import tensor_util

from kit.worker.graph.subgraph import rewritten

_ARITHMETIC = {"Add": np.add, "AddV2": np.add, "Sub": np.subtract, "Mul": np.multiply, "RealDiv": np.divide}


def fold_normalization(graph: graph_pb2.GraphDef) -> graph_pb2.GraphDef:
    """Return the graph with every constant Rsqrt as a constant, and every fused inference batch norm as x * a + b.

    a = gamma / sqrt(variance + epsilon) and b = beta - mean * a in float64, rounded once to the graph's float32.
    """
    nodes = {node.name: node for node in graph.node}
    return rewritten(graph, lambda node: _replacement(node, nodes))


def _replacement(node: Any, nodes: dict[str, Any]) -> list[Any]:
    if node.op == "Rsqrt":
        values = _constant(node.name, nodes)
        return [node] if values is None else [_const(node.name, values)]
    if node.op in {"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"}:
        return _unfuse(node, nodes)
    return [node]


def _unfuse(node: Any, nodes: dict[str, Any]) -> list[Any]:
    parameters = [_constant(name, nodes) for name in node.input[1:5]]
    if (
        node.attr["is_training"].b
        or node.attr["data_format"].s not in {b"", b"NHWC"}
        or any(p is None for p in parameters)
    ):
        return [node]
    gamma, beta, mean, variance = (np.asarray(p, np.float64) for p in parameters)
    scale = gamma / np.sqrt(variance + node.attr["epsilon"].f)
    offset = beta - mean * scale
    product = node_def_pb2.NodeDef(
        name=f"{node.name}/folded_mul", op="Mul", input=[node.input[0], f"{node.name}/folded_scale"]
    )
    # The sum takes the node's name: whatever reads the batch norm's first output reads it.
    total = node_def_pb2.NodeDef(name=node.name, op="AddV2", input=[product.name, f"{node.name}/folded_offset"])
    for made in (product, total):
        made.attr["T"].CopyFrom(node.attr["T"])
    return [_const(f"{node.name}/folded_scale", scale), _const(f"{node.name}/folded_offset", offset), product, total]


def _constant(name: str, nodes: dict[str, Any]) -> np.ndarray | None:
    """Return a node's value in its shape, float64, where it follows from float constants by arithmetic, else None."""
    base, _, port = name.removeprefix("^").partition(":")
    node = nodes.get(base)
    if node is None or port not in {"", "0", "output"} or name.startswith("^"):
        return None
    if node.op == "Const":
        values = np.asarray(tensor_util.MakeNdarray(node.attr["value"].tensor))
        return values.astype(np.float64) if values.dtype == np.float32 else None
    inputs = [i for i in node.input if not i.startswith("^")]
    if node.op == "Identity":
        return _constant(inputs[0], nodes)
    if node.op == "Rsqrt":
        under = _constant(inputs[0], nodes)
        return None if under is None else np.asarray(1 / np.sqrt(under))
    if node.op in _ARITHMETIC:
        left, right = (_constant(i, nodes) for i in inputs)
        return None if left is None or right is None else np.asarray(_ARITHMETIC[node.op](left, right))
    return None


def _const(name: str, values: np.ndarray) -> Any:
    """Return the node of a constant: values, of any shape, as float32."""
    node = node_def_pb2.NodeDef(name=name, op="Const")
    tensor = tensor_util.make_tensor_proto(values.astype(np.float32))
    node.attr["dtype"].type = tensor.dtype
    node.attr["value"].tensor.CopyFrom(tensor)
    return node
