"""Ids in operators of TFLite: how often each is there (DenseBincount, as a multi-hot CategoryEncoding makes it), and
bytes made one-hot.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import graph_pb2, node_def_pb2

from kit.worker.graph.needed import base, data
from kit.worker.graph.stand_ins import value_of
from kit.worker.graph.subgraph import grafted, rewritten


def with_plain_counts(graph: graph_pb2.GraphDef) -> graph_pb2.GraphDef:
    """Return the graph with each count of fixed size over the last axis as a comparison with every number, summed.

    An OneHot of bytes takes them as int32: TFLite's has a kernel for int32 and int64 alone.
    """
    nodes = {node.name: node for node in graph.node}
    if not any(node.op in {"DenseBincount", "OneHot"} for node in graph.node):
        return graph

    def plain(node: Any) -> list[Any]:
        low, high = _bounds(node.input[1], nodes) if node.op == "DenseBincount" else _ANY
        if low == high:
            return _counted(node, nodes, int(low))
        return _of_bytes(node) if node.op == "OneHot" else [node]

    return rewritten(graph, plain)


def _of_bytes(node: Any) -> list[Any]:
    if tf.as_dtype(node.attr["TI"].type) not in {tf.uint8, tf.int8}:
        return [node]
    wide = node_def_pb2.NodeDef(name=f"{node.name}/wide", op="Cast", input=[node.input[0]])
    wide.attr["SrcT"].type, wide.attr["DstT"].type = node.attr["TI"].type, tf.int32.as_datatype_enum
    hot = node_def_pb2.NodeDef()
    hot.CopyFrom(node)
    hot.input[0], hot.attr["TI"].type = wide.name, tf.int32.as_datatype_enum
    return [wide, hot]


_ANY = -math.inf, math.inf


def _bounds(name: str, nodes: Mapping[str, Any]) -> tuple[float, float]:
    """Return the least and the largest that a scalar can be: Keras writes its size as min(n, max(n, ...))."""
    node = nodes.get(base(name))
    if node is None:
        return _ANY
    if node.op == "Const":
        value = float(value_of(node))
        return value, value
    if node.op in {"Identity", "Cast"}:
        return _bounds(node.input[0], nodes)
    if node.op in {"Maximum", "Minimum"}:
        choose = max if node.op == "Maximum" else min
        (low, high), (lower, higher) = (_bounds(each, nodes) for each in data(node))
        return choose(low, lower), choose(high, higher)
    return _ANY


def _counted(node: Any, nodes: Mapping[str, Any], size: int) -> list[Any]:
    """Return the nodes that take the place of one count. Numbers outside of 0 ... size - 1 count nowhere."""
    weighted = _holds_weights(nodes.get(base(node.input[2])))
    kind = tf.as_dtype(node.attr["T"].type)
    with tf.Graph().as_default() as graph:
        numbers = tf.compat.v1.placeholder(node.attr["Tidx"].type, name="numbers")
        weights = tf.compat.v1.placeholder(kind, name="weights")
        hits = tf.equal(tf.expand_dims(numbers, -1), tf.range(size, dtype=numbers.dtype))
        # In whole numbers as far as possible: a quantizer leaves those alone.
        if node.attr["binary_output"].b:
            tf.cast(tf.reduce_any(hits, axis=-2), kind, name="counts")
        elif weighted:
            tf.reduce_sum(tf.cast(hits, kind) * tf.expand_dims(weights, -1), axis=-2, name="counts")
        else:
            tf.cast(tf.reduce_sum(tf.cast(hits, tf.int32), axis=-2), kind, name="counts")
    return grafted(graph, {"numbers": node.input[0], "weights": node.input[2], "counts": node.name}, node.name)


def _holds_weights(node: Any) -> bool:
    """Say whether a node is more than the empty constant that stands for no weights."""
    return node is not None and not (node.op == "Const" and value_of(node).size == 0)
