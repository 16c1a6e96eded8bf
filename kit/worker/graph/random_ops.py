"""Random numbers in a graph: Keras draws them from a state of its own, TFLite by an operator that has its state inside.

What is drawn differs from Keras's draws anyway; what it is drawn from is the same distribution.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tensorflow.core.framework import graph_pb2, types_pb2

from kit.worker.graph.needed import base, data, downstream, upstream

# What TFLite has an operator for, by what Keras and TensorFlow use. The first input is the shape.
_NORMAL, _UNIFORM = "RandomStandardNormal", "RandomUniform"
_BUILTIN = {
    "StatelessRandomNormal": _NORMAL,
    "StatelessRandomNormalV2": _NORMAL,
    "StatelessRandomUniform": _UNIFORM,
    "StatelessRandomUniformV2": _UNIFORM,
    _NORMAL: _NORMAL,
    _UNIFORM: _UNIFORM,
}
SEED = 7
# What keeps its seed inside: it draws anew in each call.
_OWN_SEED = {
    _NORMAL,
    _UNIFORM,
    "TruncatedNormal",
    "ParameterizedTruncatedNormal",
    "RandomGamma",
    "RandomPoissonV2",
    "RandomUniformInt",
    "RandomShuffle",
    "Multinomial",
    "StatefulStandardNormalV2",
    "StatefulUniform",
    "StatefulUniformInt",
    "StatefulUniformFullInt",
    "StatefulTruncatedNormal",
}


def with_builtin_random(graph: graph_pb2.GraphDef, changed: Collection[str]) -> graph_pb2.GraphDef:
    """Return the graph with float32 normal and uniform numbers drawn by TFLite's operators.

    changed: the nodes that hold variables which the graph changes. A draw from a fixed seed stays: it is a constant.
    Each drawing operator has a seed of its own, so the file draws the same numbers after each start.
    """
    drawn = {node.name for node in graph.node if node.op in _BUILTIN and _varies(graph, node, changed)}
    if not drawn:
        return graph
    result = graph_pb2.GraphDef()
    result.CopyFrom(graph)
    seed = SEED
    for node in result.node:
        if node.name in drawn and node.attr["dtype"].type in {0, types_pb2.DT_FLOAT}:
            shape_type = node.attr["Tshape" if "Tshape" in node.attr else "T"].type or types_pb2.DT_INT32
            node.op, shape, seed = _BUILTIN[node.op], data(node)[0], seed + 1
            del node.input[:]
            node.input.append(shape)
            node.attr.clear()
            node.attr["dtype"].type, node.attr["T"].type = types_pb2.DT_FLOAT, shape_type
            node.attr["seed"].i, node.attr["seed2"].i = SEED, seed
    return result


def _varies(graph: graph_pb2.GraphDef, node: Any, changed: Collection[str]) -> bool:
    """Say whether a draw is another in each call: by a seed inside the operator, or one that a variable holds."""
    if not node.op.startswith("Stateless"):
        return True
    nodes = {each.name: each for each in graph.node}
    above = upstream(graph, data(node)[1:])
    return any(name in changed or nodes[name].op in _OWN_SEED for name in above)


def random_outputs(graph: graph_pb2.GraphDef, outputs: list[str]) -> tuple[bool, ...]:
    """Say of each output whether its values depend on random numbers."""
    drawn = downstream(graph, [node.name for node in graph.node if node.op in _OWN_SEED])
    return tuple(base(output) in drawn for output in outputs)


def _gives_floats(node: Any) -> bool:
    return node.attr["dtype"].type in {0, types_pb2.DT_FLOAT}
