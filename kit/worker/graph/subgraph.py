"""Nodes of a graph replaced: by others, by a small graph, or by nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tensorflow.core.framework import graph_pb2, node_def_pb2


def rewritten(graph: graph_pb2.GraphDef, replaced: Callable[[Any], Iterable[Any]]) -> graph_pb2.GraphDef:
    """Return the graph with what `replaced` gives for a node in its place: itself, others, or none."""
    made = graph_pb2.GraphDef()
    made.CopyFrom(graph)
    del made.node[:]
    for node in graph.node:
        made.node.extend(replaced(node))
    return made


def with_inputs(node: Any, inputs: Sequence[str]) -> Any:
    """Return a node with other inputs, itself where it has them: a constant is not copied."""
    if list(node.input) == list(inputs):
        return node
    made = node_def_pb2.NodeDef()
    made.CopyFrom(node)
    made.input[:] = inputs
    return made


def grafted(graph: Any, names: Mapping[str, str], prefix: str) -> list[Any]:
    """Return the nodes of a tf.Graph without its placeholders, renamed for the graph that they go into.

    names: what a placeholder stands for there, and what the last node is called there. Others get the prefix.
    """
    nodes = []
    for node in graph.as_graph_def().node:
        if node.op == "Placeholder":
            continue
        node.name = names.get(node.name, f"{prefix}/{node.name}")
        node.input[:] = [names.get(name, f"{prefix}/{name}") for name in node.input]
        nodes.append(node)
    return nodes


def nodes_of(graph: Any) -> Iterator[Any]:
    """Yield every node, those inside functions (loops, branches), too."""
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def
