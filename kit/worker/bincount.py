"""Count ids with operators that TFLite has: it lacks DenseBincount, with which Keras makes ids one-hot or multi-hot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2, node_def_pb2
from tensorflow.python.framework import tensor_util


def without_bincount(graph: graph_pb2.GraphDef) -> graph_pb2.GraphDef:
    """Return the graph with each DenseBincount of a known size as comparisons with 0..size-1, summed.

    [..., N] ids become [..., size]: how often each id is there, or with binary_output whether it is. An id beyond
    the size counts nowhere, in both.
    """
    nodes = {node.name: node for node in graph.node}
    made = graph_pb2.GraphDef()
    made.CopyFrom(graph)
    del made.node[:]
    for node in graph.node:
        made.node.extend(_compared(node, nodes) if node.op == "DenseBincount" else [node])
    return made


def _compared(node: Any, nodes: Mapping[str, Any]) -> list[Any]:
    size, weights = _size(node.input[1], nodes), _constant(node.input[2], nodes)
    dtype, ids = node.attr["T"].type, node.attr["Tidx"].type
    if size is None or weights is None or weights.size or not tf.as_dtype(dtype).is_floating:
        return [node]
    name = node.name
    numbers = np.arange(size, dtype=tf.as_dtype(ids).as_numpy_dtype)
    expanded = _node(f"{name}/expanded", "ExpandDims", [node.input[0], f"{name}/last"], T=ids, Tdim=tf.int32)
    equal = _node(f"{name}/equal", "Equal", [expanded.name, f"{name}/numbers"], T=ids)
    cast = _node(f"{name}/cast", "Cast", [equal.name], SrcT=tf.bool, DstT=dtype)
    reduction = "Max" if node.attr["binary_output"].b else "Sum"
    # The last takes the node's name: whatever read the counts reads it.
    total = _node(name, reduction, [cast.name, f"{name}/ids"], T=dtype, Tidx=tf.int32)
    constants = [
        _const(f"{name}/last", np.array(-1, np.int32)),
        _const(f"{name}/numbers", numbers),
        _const(f"{name}/ids", np.array([-2], np.int32)),
    ]
    return [*constants, expanded, equal, cast, total]


def _size(name: str, nodes: Mapping[str, Any]) -> int | None:
    """Return a size: a constant, or what Keras writes, min(size, max(size, as many as there are))."""
    value = _constant(name, nodes)
    node = nodes[name.partition(":")[0]]
    if value is None and node.op == "Minimum":
        bounds = [_constant(each, nodes) for each in node.input[:2]]
        inner = [nodes[each.partition(":")[0]] for each in node.input[:2]]
        least = [_constant(each, nodes) for other in inner if other.op == "Maximum" for each in other.input[:2]]
        highest = next((bound for bound in bounds if bound is not None), None)
        if highest is not None and any(bound is not None and bound >= highest for bound in least):
            value = highest
    return None if value is None else int(value)


def _constant(name: str, nodes: Mapping[str, Any]) -> np.ndarray | None:
    node = nodes[name.partition(":")[0]]
    while node.op == "Identity":
        node = nodes[node.input[0].partition(":")[0]]
    return np.asarray(tensor_util.MakeNdarray(node.attr["value"].tensor)) if node.op == "Const" else None


def _node(name: str, op: str, inputs: list[str], **types: Any) -> Any:
    node = node_def_pb2.NodeDef(name=name, op=op, input=inputs)
    for attribute, dtype in types.items():
        node.attr[attribute].type = tf.as_dtype(dtype).as_datatype_enum
    return node


def _const(name: str, value: np.ndarray) -> Any:
    node = node_def_pb2.NodeDef(name=name, op="Const")
    tensor = tensor_util.make_tensor_proto(value)
    node.attr["dtype"].type = tensor.dtype
    node.attr["value"].tensor.CopyFrom(tensor)
    return node
