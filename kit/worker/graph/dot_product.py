"""A product of two vectors, Dot of Keras, whose axes of size 1 are summed away and not squeezed.

The converters of TensorFlow 2.14 to 2.16 take the Squeeze into the BATCH_MATMUL, whose output has two axes then, and
refuse what they made: "found invalid output rank, expected 3 but got 2".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import graph_pb2, node_def_pb2, types_pb2
from tensorflow.python.framework import tensor_util

from kit.worker.graph.needed import base
from kit.worker.graph.subgraph import rewritten

_VERSIONS = ("2.14.", "2.15.", "2.16.")
_PRODUCTS = {"BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"}


def with_summed_products(graph: graph_pb2.GraphDef) -> graph_pb2.GraphDef:
    """Return the graph as these converters take it, itself for others."""
    if not tf.__version__.startswith(_VERSIONS):
        return graph
    nodes = {node.name: node for node in graph.node}
    return rewritten(graph, lambda node: _replacement(node, nodes))


def _replacement(node: Any, nodes: Mapping[str, Any]) -> list[Any]:
    axes = list(node.attr["squeeze_dims"].list.i) if node.op == "Squeeze" else []
    if not axes or node.attr["T"].type != types_pb2.DT_FLOAT:
        return [node]
    product = nodes.get(base(node.input[0]))
    left = nodes.get(base(product.input[0])) if product is not None and product.op in _PRODUCTS else None
    if left is None or left.op != "ExpandDims":
        return [node]
    numbers = node_def_pb2.NodeDef(name=f"{node.name}/axes", op="Const")
    numbers.attr["dtype"].type = types_pb2.DT_INT32
    numbers.attr["value"].tensor.CopyFrom(tensor_util.make_tensor_proto(axes, types_pb2.DT_INT32))
    total = node_def_pb2.NodeDef(name=node.name, op="Sum", input=[node.input[0], numbers.name])
    total.attr["T"].type, total.attr["Tidx"].type = types_pb2.DT_FLOAT, types_pb2.DT_INT32
    total.attr["keep_dims"].b = False
    return [numbers, total]
