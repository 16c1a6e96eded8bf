"""Compute a frozen graph's batch normalizations here, in double precision, before the converter sees them.

The converter folds them too, with an approximate reciprocal square root whose last bit depends on the CPU: the same
model would give other bytes on another machine. numpy's float64 square root is exactly rounded everywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tensorflow.core.framework import graph_pb2, node_def_pb2

from kit.worker.graph.folded import folded
from kit.worker.graph.stand_ins import constant_node
from kit.worker.graph.subgraph import rewritten


def fold_normalization(graph: graph_pb2.GraphDef) -> graph_pb2.GraphDef:
    """Return the graph with every constant Rsqrt as a constant, and every fused inference batch norm as x * a + b.

    a = gamma / sqrt(variance + epsilon) and b = beta - mean * a in float64, rounded once to the graph's float32.
    """
    nodes = {node.name: node for node in graph.node}
    return rewritten(graph, lambda node: _replacement(node, nodes))


def _replacement(node: Any, nodes: dict[str, Any]) -> list[Any]:
    if node.op == "Rsqrt":
        values = folded(node.name, nodes)
        return [node] if values is None else [constant_node(node.name, values)]
    if node.op in {"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"}:
        return _unfuse(node, nodes)
    return [node]


def _unfuse(node: Any, nodes: dict[str, Any]) -> list[Any]:
    parameters = [folded(name, nodes) for name in node.input[1:5]]
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
    return [
        constant_node(f"{node.name}/folded_scale", scale),
        constant_node(f"{node.name}/folded_offset", offset),
        product,
        total,
    ]
