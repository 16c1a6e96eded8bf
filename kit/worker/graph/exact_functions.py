"""Functions of constants (a window's cosine, the logarithm in a mel filter bank), computed here in double precision.

The converter computes them, too, with float kernels that give another last bit on another processor: the same model
would give other bytes there. Rounded once from double precision they are the same: where two libraries differ in the
last bit of a double, that gives another float for about one number in 10 million.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tensorflow.core.framework import graph_pb2, types_pb2
from tensorflow.python.framework import op_def_registry

from kit.worker.graph.constants import constants
from kit.worker.graph.needed import base, data, unordered
from kit.worker.graph.stand_ins import make_constant

_Function = Callable[..., np.ndarray]
# Rsqrt is of kit.worker.graph.batch_norm.
_FUNCTIONS: Mapping[str, _Function] = {
    "Acos": np.arccos,
    "Acosh": np.arccosh,
    "Asin": np.arcsin,
    "Asinh": np.arcsinh,
    "Atan": np.arctan,
    "Atan2": np.arctan2,
    "Atanh": np.arctanh,
    "Cos": np.cos,
    "Cosh": np.cosh,
    "Erf": lambda x: np.fromiter(map(math.erf, x.flat), np.float64, x.size).reshape(x.shape),
    "Exp": np.exp,
    "Expm1": np.expm1,
    "Log": np.log,
    "Log1p": np.log1p,
    "Pow": np.power,
    "Reciprocal": np.reciprocal,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Sin": np.sin,
    "Sinh": np.sinh,
    "Softplus": lambda x: np.logaddexp(0, x),
    "Sqrt": np.sqrt,
    "Tan": np.tan,
    "Tanh": np.tanh,
}
# A value from outside, and the parts of a loop that is written into the graph, as TensorFlow 1 has it.
_NOT_FIXED = {"Enter", "Exit", "LoopCond", "Merge", "NextIteration", "PlaceholderWithDefault", "Switch"}


def with_exact_functions(graph: graph_pb2.GraphDef) -> graph_pb2.GraphDef:
    """Return a flat graph with every float32 function of constants as a constant, in the same order of nodes."""
    wanted = _levels(graph)
    if not wanted:
        return graph
    made = graph_pb2.GraphDef()
    made.CopyFrom(graph)
    nodes = {node.name: node for node in made.node}
    for names in wanted:  # those that others follow from come first
        inputs = [name for node in names for name in data(nodes[node])]
        values = iter(constants(unordered(made), inputs))
        for name in names:
            node = nodes[name]
            arguments = [np.asarray(next(values), np.float64) for _ in data(node)]
            with np.errstate(all="ignore"):  # -inf of log(0), or inf beyond float32, is what the model has, too
                rounded = np.asarray(_FUNCTIONS[node.op](*arguments)).astype(np.float32)
            make_constant(node, rounded)
    return made


def _levels(graph: graph_pb2.GraphDef) -> list[list[str]]:
    """Return the functions of constants by how many others of them each follows from, the fewest first."""
    nodes = {node.name: node for node in graph.node}
    depths: dict[str, int | None] = {}  # None: it is no constant
    waiting = [node.name for node in graph.node if _is_function(node)]
    while waiting:
        name = waiting[-1]
        node = nodes.get(name)
        inputs = [base(each) for each in data(node)] if node is not None and _is_pure(node) else []
        unknown = [each for each in inputs if each not in depths]
        if name not in depths and unknown:
            waiting += unknown
            continue
        waiting.pop()
        if name not in depths:
            depths[name] = _depth(node, [depths[each] for each in inputs])
    found: dict[int, list[str]] = {}
    for name, depth in depths.items():
        if depth is not None and _is_function(nodes[name]):
            found.setdefault(depth, []).append(name)
    return [found[depth] for depth in sorted(found)]


def _depth(node: Any, inputs: Sequence[int | None]) -> int | None:
    """Return how many functions a node follows from at most, itself among them; None where it is no constant."""
    if node is not None and node.op == "Const":
        return 0
    known = [each for each in inputs if each is not None]
    if not inputs or len(known) < len(inputs):
        return None
    return max(known) + int(_is_function(node))


def _is_function(node: Any) -> bool:
    return node.op in _FUNCTIONS and node.attr["T"].type == types_pb2.DT_FLOAT


def _is_pure(node: Any) -> bool:
    """Say whether a node's value follows from its inputs alone, without a function of the graph's library."""
    known = op_def_registry.get(node.op)
    calls = any(value.HasField("func") for value in node.attr.values())
    return known is not None and not known.is_stateful and not calls and node.op not in _NOT_FIXED
