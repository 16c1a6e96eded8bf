"""Assignments in a graph that give a variable what it holds already: no state, and left out.

Training's wrappers leave such a thing in a SavedModel: pruning's multiplies the weights with their mask in each call,
clustering's looks for each weight's centroid again.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from tensorflow.core.framework import graph_pb2

from kit.worker.graph.constants import constants
from kit.worker.graph.needed import base, data, unordered, upstream
from kit.worker.graph.stand_ins import make_constant, value_of
from kit.worker.graph.subgraph import rewritten, with_inputs


def without_settled(graph: graph_pb2.GraphDef, arguments: Collection[str]) -> graph_pb2.GraphDef:
    """Return a graph whose variables are constants without the assignments that change none of them.

    arguments: the nodes that the function takes. A value that depends on one is no such assignment.
    """
    assigned = {node.name: node for node in graph.node if node.op == "AssignVariableOp"}
    if not assigned:
        return graph
    nodes = {node.name: node for node in graph.node}
    bare = unordered(graph, assigned)
    held = {name: _constant(node.input[0], nodes) for name, node in assigned.items()}
    free = [
        name
        for name, value in held.items()
        if value is not None and not upstream(bare, [base(assigned[name].input[1])]) & set(arguments)
    ]
    values = constants(bare, [assigned[name].input[1] for name in free])
    settled = {name for name, value in zip(free, values, strict=True) if np.array_equal(value, np.asarray(held[name]))}
    return _folded(_left(graph, settled)) if settled else graph


def _left(graph: graph_pb2.GraphDef, settled: Collection[str]) -> graph_pb2.GraphDef:
    def left(node: Any) -> list[Any]:
        inputs = [name for name in node.input if base(name) not in settled]
        return [] if node.name in settled else [with_inputs(node, inputs)]

    return rewritten(graph, left)


def _folded(graph: graph_pb2.GraphDef) -> graph_pb2.GraphDef:
    """Return the graph with weights that are looked up by their nearest centroid as constants."""
    nodes, bare = {node.name: node for node in graph.node}, unordered(graph)
    read = {base(name) for node in graph.node for name in data(node)}
    gathers = [node.name for node in graph.node if node.op in _LOOKUPS and node.name in read]
    fixed = []
    for name in gathers:
        kinds = {nodes[each].op for each in upstream(bare, [name])}
        if "ArgMin" in kinds and not kinds & {"Placeholder", "VarHandleOp"}:
            fixed.append(name)
    made = graph_pb2.GraphDef()
    made.CopyFrom(graph)
    values = dict(zip(fixed, constants(bare, fixed), strict=True))
    for node in made.node:
        if node.name in values:
            make_constant(node, values[node.name])
    return made


_LOOKUPS = {"Gather", "GatherNd", "GatherV2"}


def _constant(name: str, nodes: dict[str, Any]) -> np.ndarray | None:
    """Return a constant's value, behind any Identity, in its shape and dtype; None for anything else."""
    node = nodes.get(base(name))
    while node is not None and node.op == "Identity":
        node = nodes.get(base(node.input[0]))
    return value_of(node) if node is not None and node.op == "Const" else None
