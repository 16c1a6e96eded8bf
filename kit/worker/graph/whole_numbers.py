"""What an operation makes of numbers that are known before the graph runs: counters of loops, shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

# Those that every step of a loop has: a session for each would take most of the time.
_PLAIN: dict[str, Any] = {
    "Add": np.add,
    "AddV2": np.add,
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterEqual": np.greater_equal,
    "Less": np.less,
    "LessEqual": np.less_equal,
    "LogicalAnd": np.logical_and,
    "LogicalNot": np.logical_not,
    "LogicalOr": np.logical_or,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "Mul": np.multiply,
    "NotEqual": np.not_equal,
    "Sub": np.subtract,
}


def value_of(operation: Any, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return what an operation of a graph gives for these inputs: as TensorFlow computes it."""
    if operation.type in _PLAIN:
        return [np.asarray(_PLAIN[operation.type](*inputs), operation.outputs[0].dtype.as_numpy_dtype)]
    with tf.Graph().as_default() as graph:
        fed = [tf.constant(value, each.dtype) for value, each in zip(inputs, operation.inputs, strict=True)]
        made = graph.create_op(operation.type, fed, None, attrs=dict(operation.node_def.attr))
        with tf.compat.v1.Session(graph=graph) as session:
            return [np.asarray(value) for value in session.run(list(made.outputs))]
