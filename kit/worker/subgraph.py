"""A small graph put into a larger one, in the place of one node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


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
