"""Assignments in a graph that give a variable what it holds already: no state, and left out.

Training's wrappers leave such a thing in a SavedModel: pruning's multiplies the weights with their mask in each call,
clustering's looks for each weight's centroid again.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.python.framework import tensor_util

from kit.worker.needed import base, data, upstream


def without_settled(graph: graph_pb2.GraphDef, arguments: Collection[str]) -> graph_pb2.GraphDef:
    """Return a graph whose variables are constants without the assignments that change none of them.

    arguments: the nodes that the function takes. A value that depends on one is no such assignment.
    """
    assigned = {node.name: node for node in graph.node if node.op == "AssignVariableOp"}
    if not assigned:
        return graph
    nodes = {node.name: node for node in graph.node}
    bare = _without_order(graph, assigned)
    held = {name: _constant(node.input[0], nodes) for name, node in assigned.items()}
    free = [
        name
        for name, value in held.items()
        if value is not None and not upstream(bare, [base(assigned[name].input[1])]) & set(arguments)
    ]
    values = _values(bare, [assigned[name].input[1] for name in free])
    settled = {name for name, value in zip(free, values, strict=True) if np.array_equal(value, held[name])}
    return _left(graph, settled) if settled else graph


def _without_order(graph: graph_pb2.GraphDef, left_out: Collection[str]) -> graph_pb2.GraphDef:
    """Return the graph without some nodes and without what only has to run before another."""
    made = graph_pb2.GraphDef()
    made.CopyFrom(graph)
    del made.node[:]
    for node in graph.node:
        if node.name not in left_out:
            own = made.node.add()
            own.CopyFrom(node)
            own.input[:] = data(node)
    return made


def _left(graph: graph_pb2.GraphDef, settled: Collection[str]) -> graph_pb2.GraphDef:
    made = graph_pb2.GraphDef()
    made.CopyFrom(graph)
    del made.node[:]
    for node in graph.node:
        if node.name not in settled:
            own = made.node.add()
            own.CopyFrom(node)
            own.input[:] = [name for name in node.input if base(name) not in settled]
    return made


def _values(graph: graph_pb2.GraphDef, names: list[str]) -> list[np.ndarray]:
    """Return tensors that follow from constants alone."""
    wanted = [name if ":" in name else f"{name}:0" for name in names]
    needed = upstream(graph, map(base, names))
    part = graph_pb2.GraphDef()
    part.CopyFrom(graph)
    del part.node[:]
    part.node.extend(node for node in graph.node if node.name in needed)

    def read() -> list[Any]:
        return list(tf.graph_util.import_graph_def(part, return_elements=wanted, name=""))

    return [np.asarray(value) for value in tf.compat.v1.wrap_function(read, [])()] if wanted else []


def _constant(name: str, nodes: dict[str, Any]) -> np.ndarray | None:
    node = nodes.get(base(name))
    while node is not None and node.op == "Identity":
        node = nodes.get(base(node.input[0]))
    return np.asarray(tensor_util.MakeNdarray(node.attr["value"].tensor)) if node is not None and node.op == "Const" else None
