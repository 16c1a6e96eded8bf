"""Values of tensors in a graph that follow from constants alone, read by TensorFlow itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from kit.worker.graph.needed import base, full, upstream
from kit.worker.graph.stand_ins import placed
from kit.worker.graph.subgraph import rewritten


def constants(graph: graph_pb2.GraphDef, names: Sequence[str]) -> list[np.ndarray]:
    """Return the values of tensors ("x" or "x:0") in order, each in its shape and dtype.

    graph: kit.worker.graph.needed.unordered's.
    """
    if not names:
        return []
    needed = upstream(graph, map(base, names))
    part = rewritten(graph, lambda node: [node] if node.name in needed else [])
    wanted = list(map(full, names))

    def read() -> list[Any]:
        """Return the tensors in order, each in its shape and dtype."""
        return placed(part, {}, wanted)

    return [np.asarray(value) for value in tf.compat.v1.wrap_function(read, [])()]
