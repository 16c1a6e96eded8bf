"""Slices that only add axes, `x[None, :, :]`, as EXPAND_DIMS: TFLite's STRIDED_SLICE adds none to an open shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from tensorflow.core.framework import graph_pb2, node_def_pb2, types_pb2
from tensorflow.python.framework import tensor_util

from kit.worker.graph.needed import base
from kit.worker.graph.stand_ins import value_of
from kit.worker.graph.subgraph import rewritten


def with_plain_slices(graph: graph_pb2.GraphDef) -> graph_pb2.GraphDef:
    """Return the graph with each slice that takes all of every axis, and adds some, as a chain of ExpandDims."""
    nodes = {node.name: node for node in graph.node}

    def plain(node: Any) -> list[Any]:
        axes = _added(node, nodes) if node.op == "StridedSlice" else []
        return _expanded(node, axes) if axes else [node]

    return rewritten(graph, plain)


def _added(node: Any, nodes: Mapping[str, Any]) -> list[int]:
    """Return the axes that a slice adds, [] where it does anything else, too."""
    begin, strides = (_constant(nodes.get(base(node.input[i]))) for i in (1, 3))
    masks = {name: int(node.attr[f"{name}_mask"].i) for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    if begin is None or strides is None or masks["ellipsis"] or masks["shrink_axis"]:
        return []
    added = [i for i in range(len(begin)) if masks["new_axis"] >> i & 1]
    rest = [i for i in range(len(begin)) if i not in added]
    whole = all(masks["begin"] >> i & 1 and masks["end"] >> i & 1 and strides[i] == 1 for i in rest)
    return added if whole else []


def _constant(node: Any) -> np.ndarray | None:
    """Return a constant's value in its shape and dtype, None for anything else."""
    return value_of(node) if node and node.op == "Const" else None


def _expanded(node: Any, axes: list[int]) -> list[Any]:
    made, before = [], node.input[0]
    for axis in axes:
        name = node.name if axis == axes[-1] else f"{node.name}/axis_{axis}"
        where = node_def_pb2.NodeDef(name=f"{node.name}/where_{axis}", op="Const")
        where.attr["dtype"].type = types_pb2.DT_INT32
        where.attr["value"].tensor.CopyFrom(tensor_util.make_tensor_proto(np.int32(axis)))
        expand = node_def_pb2.NodeDef(name=name, op="ExpandDims", input=[before, where.name])
        expand.attr["T"].CopyFrom(node.attr["T"])
        expand.attr["Tdim"].type = types_pb2.DT_INT32
        made += [where, expand]
        before = name
    return made
