"""What a graph's outputs depend on: the nodes on their way, and nothing beside it. Knows nothing of models."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from tensorflow.core.framework import graph_pb2

from kit.worker.graph.subgraph import rewritten, with_inputs


def base(name: str) -> str:
    """Return the node of a tensor's name: "x" for "x:1", "x" and "^x"."""
    return name.removeprefix("^").partition(":")[0]


def data(node: Any) -> list[str]:
    """Return a node's inputs without those that only say what runs before it."""
    return [name for name in node.input if not name.startswith("^")]


def full(name: str) -> str:
    """Return a tensor's name with its number: "x:0" for "x"."""
    return name if ":" in name else f"{name}:0"


def upstream(graph: graph_pb2.GraphDef, ends: Iterable[str], stop: Collection[str] = ()) -> set[str]:
    """Return the names of the nodes that the end nodes need.

    What only has to run before an end is not among them: tf.function lets its outputs wait for everything that has an
    effect. What has to run before any other node is. stop: kinds of nodes behind which nothing is looked at.
    """
    nodes = {node.name: node for node in graph.node}
    first = {base(end) for end in ends}
    seen: set[str] = set()
    waiting = list(first)
    while waiting:
        name = waiting.pop()
        if name in seen or name not in nodes:
            continue
        seen.add(name)
        node = nodes[name]
        if node.op not in stop:
            waiting += [base(each) for each in (data(node) if name in first else node.input)]
    return seen


def unordered(graph: graph_pb2.GraphDef, left_out: Collection[str] = ()) -> graph_pb2.GraphDef:
    """Return the graph without some nodes, and without what only says which of two runs first."""
    return rewritten(graph, lambda node: [] if node.name in left_out else [with_inputs(node, data(node))])


def downstream(graph: graph_pb2.GraphDef, starts: Iterable[str]) -> set[str]:
    """Return the names of the nodes whose values depend on the start nodes, those among them."""
    readers: dict[str, list[str]] = {}
    for node in graph.node:
        for name in data(node):
            readers.setdefault(base(name), []).append(node.name)
    seen: set[str] = set()
    waiting = [base(start) for start in starts]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += readers.get(name, [])
    return seen


def pruned(
    graph: graph_pb2.GraphDef, outputs: Iterable[str], inputs: Iterable[str], effects: Sequence[str]
) -> graph_pb2.GraphDef:
    """Return the graph with what its outputs and effects need and its inputs alone, in the same order.

    effects: nodes that have to run, too; every output waits for them.
    """
    last = {base(name) for name in outputs}
    stay = upstream(graph, [*last, *effects]) | {base(name) for name in inputs}
    if all(node.name in stay for node in graph.node):
        return graph

    def kept(node: Any) -> list[Any]:
        if node.name not in stay:
            return []
        waits = [f"^{name}" for name in effects] if node.name in last else []
        return [with_inputs(node, [*(n for n in node.input if base(n) in stay and n not in waits), *waits])]

    return rewritten(graph, kept)
