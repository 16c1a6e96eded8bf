"""A number that is added to all channels of a transposed convolution, as one number for each channel.

The converter makes it the operator's bias, of one element; the kernel reads one for each channel. Interpreters of
TensorFlow up to 2.19 refuse such a file, later ones read beyond the constant. So do matrix products in TensorFlow 2.12.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from kit.worker.graph.folded import folded
from kit.worker.graph.needed import full
from kit.worker.graph.stand_ins import constant_node
from kit.worker.graph.subgraph import rewritten, with_inputs

# The axis of the weights that has the channels of the output, and the axes of a number that becomes a false bias.
_CHANNELS = {"Conv2DBackpropInput": (2, (0, 1)), "MatMul": (1, (1,))}
_WEIGHTS = 1  # which input they are, of both
_ADDING = {"Add", "AddV2", "BiasAdd", "Sub"}
_PASSING = {"Identity", "Squeeze"}
_SCALING = {"Add", "AddV2", "Mul", "RealDiv", "Sub"}


def with_whole_biases(graph: graph_pb2.GraphDef, source: tf.Graph) -> graph_pb2.GraphDef:
    """Return the graph with every such number as a vector [channels]. source: the graph's tensors, for their shapes."""
    nodes = {node.name: node for node in graph.node}
    return rewritten(graph, lambda node: _replacement(node, nodes, source))


def _replacement(node: Any, nodes: Mapping[str, Any], source: tf.Graph) -> list[Any]:
    """Return what stands for a node: itself, or an addition of float32 [channels] and that constant."""
    if node.op not in _ADDING:
        return [node]
    left, right = node.input[:2]
    for number, other in ((right, left), (left, right)):
        value = folded(number, nodes)
        if value is None or value.size != 1 or (node.op == "Sub" and number == left):
            continue
        if (channels := _channels(_product(other, nodes), value.ndim, source)) > 1:
            name = f"{node.name}/bias"
            vector = constant_node(name, np.full(channels, value.reshape(()), np.float64))
            return [vector, with_inputs(node, [name if each == number else each for each in node.input])]
    return [node]


def _product(name: str, nodes: Mapping[str, Any]) -> Any:
    """Return the node of the product that a tensor scales and shifts, None where it is of none."""
    node = nodes.get(name.partition(":")[0])
    while node is not None and node.op not in _CHANNELS:
        inputs = [each for each in node.input if not each.startswith("^")]
        varying = [each for each in inputs if folded(each, nodes) is None]
        if node.op not in _PASSING | _SCALING or len(varying) != 1:
            return None
        node = nodes.get(varying[0].partition(":")[0])
    return node


def _channels(product: Any, axes: int, source: tf.Graph) -> int:
    """Return the channels of a product, 0 where what is added to it is right as it is.

    axes: of the number that is added.
    """
    if product is None or (product.op == "MatMul" and product.attr["transpose_b"].b):
        return 0
    axis, false = _CHANNELS[product.op]
    shape = source.get_tensor_by_name(full(product.input[_WEIGHTS])).shape
    return int(shape[axis] or 0) if axes in false and shape.rank is not None else 0
