"""A graph in float32 alone, whatever floats its source calculates in."""

from __future__ import annotations

from typing import Any

import numpy as np
from tensorflow.core.framework import graph_pb2, types_pb2

from kit.worker.graph.stand_ins import make_constant, value_of
from kit.worker.graph.subgraph import nodes_of

_TYPES = {types_pb2.DT_HALF: "float16", types_pb2.DT_BFLOAT16: "bfloat16", types_pb2.DT_DOUBLE: "float64"}


def other_precisions(graph: graph_pb2.GraphDef) -> frozenset[str]:
    """Return the types of other floats that a graph calculates in: {"bfloat16"}."""
    return frozenset(_TYPES[a.type] for node in nodes_of(graph) for a in node.attr.values() if a.type in _TYPES)


def float_graph(graph: graph_pb2.GraphDef) -> graph_pb2.GraphDef:
    """Return the graph with every tensor of half or double precision as float32; casts between floats go."""
    if not any(_lists_other(node) for node in nodes_of(graph)):
        return graph
    result = graph_pb2.GraphDef()
    result.CopyFrom(graph)
    for node in nodes_of(result):
        _lower(node)
    for function in result.library.function:
        for argument in (*function.signature.input_arg, *function.signature.output_arg):
            if argument.type in _TYPES:
                argument.type = types_pb2.DT_FLOAT
    return result


def _lists_other(node: Any) -> bool:
    return any(each.type in _TYPES or any(t in _TYPES for t in each.list.type) for each in node.attr.values())


def _lower(node: Any) -> None:
    if node.op == "Const" and node.attr["dtype"].type in _TYPES:
        values = value_of(node).astype(np.float64)
        limits = np.finfo(np.float32)
        whole = np.where(np.isfinite(values), np.clip(values, limits.min, limits.max), values)  # a mask's -1e300
        make_constant(node, whole.astype(np.float32))
    for name, attribute in node.attr.items():
        if name != "value" and attribute.type in _TYPES:
            attribute.type = types_pb2.DT_FLOAT
        if attribute.list.type:
            attribute.list.type[:] = [types_pb2.DT_FLOAT if t in _TYPES else t for t in attribute.list.type]
    if node.op == "Cast" and node.attr["SrcT"].type == node.attr["DstT"].type:
        kind = node.attr["DstT"].type
        node.op = "Identity"
        node.attr.clear()
        node.attr["T"].type = kind
