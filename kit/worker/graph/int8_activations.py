"""Activations whose parts 8 bits cannot hold as the converter takes them apart, taken apart in another way for int8.

The exp(x) in softplus, log(1 + exp(x)), and in SELU grows with the positive side, which does not need it: its largest
sets the scale, and nothing is left of the rest. Written with -|x| and -relu(-x), every part lies in a small range.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from kit.worker.graph.subgraph import grafted

# The constants of the self-normalizing paper (Klambauer et al., 2017), as TensorFlow has them.
_SCALE, _ALPHA = 1.0507009873554805, 1.6732632423543772


def with_small_ranges(graph: graph_pb2.GraphDef) -> graph_pb2.GraphDef:
    """Return the graph with each float softplus and SELU written so that 8 bits are enough for its parts."""
    if not any(node.op in _WRITTEN for node in graph.node):
        return graph
    result = graph_pb2.GraphDef()
    result.CopyFrom(graph)
    del result.node[:]
    for node in graph.node:
        result.node.extend(_parts(node) if node.op in _WRITTEN else [node])
    return result


def _softplus(x: Any) -> Any:
    """Return the softplus of x, in x's shape and dtype."""
    return tf.nn.relu(x) + tf.math.log(1.0 + tf.exp(-tf.abs(x)))


def _selu(x: Any) -> Any:
    """Return the SELU of x, in x's shape and dtype."""
    return _SCALE * (tf.nn.relu(x) + _ALPHA * tf.nn.elu(-tf.nn.relu(-x)))


_WRITTEN: dict[str, Callable[[Any], Any]] = {"Softplus": _softplus, "Selu": _selu}


def _parts(node: Any) -> list[Any]:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(node.attr["T"].type, name="x")
        tf.identity(_WRITTEN[node.op](x), name="y")
    return grafted(graph, {"x": node.input[0], "y": node.name}, node.name)
