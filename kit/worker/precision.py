"""Half and double precision as float32: how a model was trained says nothing of how it runs in an app.

A Keras model's policies are set to float32 before it is loaded: under a mixed policy the variables are float32 already.
What is left in a traced graph, because a model's own code or a SavedModel says so, is rewritten there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from tensorflow.core.framework import graph_pb2, types_pb2
from tensorflow.python.framework import tensor_util

FLOAT = "float32"
OTHERS = {"float16", "bfloat16", "float64", "half", "double"}
POLICIES = OTHERS | {"mixed_float16", "mixed_bfloat16"}
HALVES = {"float16", "bfloat16"}
_TYPES = {types_pb2.DT_HALF: "float16", types_pb2.DT_BFLOAT16: "bfloat16", types_pb2.DT_DOUBLE: "float64"}


def float_config(value: Any, found: set[str]) -> Any:
    """Return a Keras model's description (parsed JSON) with every policy and dtype of another float as float32.

    Adds what it replaced to found: "mixed_float16".
    """
    if isinstance(value, list):
        return [float_config(each, found) for each in value]
    if not isinstance(value, dict):
        return value
    policy = "Policy" in str(value.get("class_name"))
    result: dict[str, Any] = {}
    for key, each in value.items():
        if policy and key == "config" and isinstance(each, dict) and each.get("name") in POLICIES:
            found.add(each["name"])
            result[key] = {**each, "name": FLOAT}
        elif key == "dtype" and isinstance(each, str) and each in POLICIES:
            found.add(each)
            result[key] = FLOAT
        else:
            result[key] = float_config(each, found)
    return result


def precision_note(found: Collection[str]) -> str:
    """Return a sentence on what became float32."""
    names = sorted(name for name in found if f"mixed_{name}" not in found)
    return f"the model is made in {' and '.join(names)}: the file calculates in float32"


def float_type(dtype: str) -> str:
    """Return a tensor's numpy type in the product: float32 for any float."""
    return FLOAT if dtype in OTHERS else dtype


def other_precisions(graph: graph_pb2.GraphDef) -> frozenset[str]:
    """Return the types of other floats that a graph calculates in: {"bfloat16"}."""
    return frozenset(_TYPES[a.type] for node in _nodes(graph) for a in node.attr.values() if a.type in _TYPES)


def float_graph(graph: graph_pb2.GraphDef) -> graph_pb2.GraphDef:
    """Return the graph with every tensor of half or double precision as float32; casts between floats go."""
    if not any(_lists_other(node) for node in _nodes(graph)):
        return graph
    result = graph_pb2.GraphDef()
    result.CopyFrom(graph)
    for node in _nodes(result):
        _lower(node)
    for function in result.library.function:
        for argument in (*function.signature.input_arg, *function.signature.output_arg):
            if argument.type in _TYPES:
                argument.type = types_pb2.DT_FLOAT
    return result


def _nodes(graph: graph_pb2.GraphDef) -> Iterator[Any]:
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def _lists_other(node: Any) -> bool:
    return any(each.type in _TYPES or any(t in _TYPES for t in each.list.type) for each in node.attr.values())


def _lower(node: Any) -> None:
    if node.op == "Const" and node.attr["dtype"].type in _TYPES:
        values = np.asarray(tensor_util.MakeNdarray(node.attr["value"].tensor)).astype(np.float64)
        limits = np.finfo(np.float32)
        whole = np.where(np.isfinite(values), np.clip(values, limits.min, limits.max), values)  # a mask's -1e300
        node.attr["value"].tensor.CopyFrom(tensor_util.make_tensor_proto(whole.astype(np.float32)))
    for name, attribute in node.attr.items():
        if name != "value" and attribute.type in _TYPES:
            attribute.type = types_pb2.DT_FLOAT
        if attribute.list.type:
            attribute.list.type[:] = [types_pb2.DT_FLOAT if t in _TYPES else t for t in attribute.list.type]
    if node.op == "Cast" and node.attr["SrcT"].type == node.attr["DstT"].type:
        kind = node.attr["DstT"].type
        node.op = "Identity"
        node.attr.clear()
        node.attr["T"].type = kind
