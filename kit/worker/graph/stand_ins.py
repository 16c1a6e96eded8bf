"""Large constants outside of a graph: a stand-in of a few bytes in it, the numbers in the variable that they came from.

A graph is copied by each step that rewrites it, and Python's protobuf holds each copy whole. So a constant above
LARGE bytes is a Const of its shape and type with an attribute that says which numbers are meant. `value_of` reads a
Const's numbers wherever they are, `placed` puts a graph with stand-ins into the one that is being built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2, node_def_pb2, types_pb2
from tensorflow.python.framework import tensor_util
from tensorflow.python.ops import gen_resource_variable_ops

LARGE = 1 << 16  # bytes
_ATTRIBUTE = "_dropkit_numbers"  # TensorFlow takes any attribute of a node that begins so
_KINDS = {types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE, types_pb2.DT_HALF, types_pb2.DT_BFLOAT16, types_pb2.DT_INT32,
          types_pb2.DT_INT64, types_pb2.DT_INT8, types_pb2.DT_UINT8}  # fmt: skip
Place = Callable[[str], Any]  # what stands for numbers, by their key, in the graph that is being built

# By key: a tf.Variable, or an eager tensor. Of the one model that a worker's process converts.
_numbers: dict[str, Any] = {}


def hollowed(graph: graph_pb2.GraphDef, variables: Mapping[str, Any]) -> graph_pb2.GraphDef:
    """Return a graph with a stand-in for each large constant. variables: by name of the Const, what it was read from.

    Constants inside functions (the bodies of loops) stay.
    """
    made = graph_pb2.GraphDef(versions=graph.versions, library=graph.library)
    for node in graph.node:
        if not _is_large(node):
            made.node.append(node)
            continue
        numbers = variables.get(node.name)
        if numbers is None:
            with tf.init_scope():
                numbers = tf.constant(tensor_util.MakeNdarray(node.attr["value"].tensor))
        made.node.append(_stand_in(node.name, numbers))
    return made


def constant_node(name: str, values: np.ndarray) -> Any:
    """Return the node of a constant: values of any shape, as float32."""
    node = node_def_pb2.NodeDef(name=name, op="Const")
    make_constant(node, values.astype(np.float32))
    return node


def make_constant(node: Any, values: np.ndarray) -> None:
    """Make a node a constant: values of any shape, in their dtype."""
    name = node.name
    if values.nbytes > LARGE and tf.as_dtype(values.dtype).as_datatype_enum in _KINDS:
        with tf.init_scope():
            stand_in = _stand_in(name, tf.constant(values))
        node.CopyFrom(stand_in)
        return
    tensor = tensor_util.make_tensor_proto(values)
    node.Clear()
    node.name, node.op = name, "Const"
    node.attr["dtype"].type = tensor.dtype
    node.attr["value"].tensor.CopyFrom(tensor)


def value_of(node: Any) -> np.ndarray:
    """Return a Const's numbers, in their shape and dtype."""
    if _ATTRIBUTE in node.attr:
        numbers = _numbers[_key(node)]
        with tf.init_scope():
            return np.asarray(_read(numbers))
    return np.asarray(tensor_util.MakeNdarray(node.attr["value"].tensor))


def placed(
    graph: graph_pb2.GraphDef, inputs: Mapping[str, Any], wanted: Sequence[str], place: Place | None = None
) -> list[Any]:
    """Put a graph into the one that is being built; return wanted tensors and operations of it, in order.

    inputs: what takes the place of tensors, by their names, in their shape and dtype; place: what stands for numbers
    outside, instead of themselves.
    """
    here = place or _captured
    stand_ins = {node.name: here(_key(node)) for node in graph.node if _ATTRIBUTE in node.attr}
    if not stand_ins:
        return list(
            tf.graph_util.import_graph_def(graph, input_map=dict(inputs), return_elements=list(wanted), name="")
        )
    rest = graph_pb2.GraphDef(versions=graph.versions, library=graph.library)
    for node in graph.node:
        if node.name not in stand_ins:
            rest.node.append(node)
            waits = [each for each in node.input if not each.startswith("^") or each[1:] not in stand_ins]
            if len(waits) < len(node.input):
                rest.node[-1].input[:] = waits
    read = {each.partition(":")[0] for node in rest.node for each in node.input}
    tied = {f"{name}:0": tensor for name, tensor in stand_ins.items() if name in read}
    # Import gives no element of what it does not put there: one that is wanted itself is the tensor itself.
    own = {name: stand_ins[name.partition(":")[0]] for name in wanted if name.partition(":")[0] in stand_ins}
    others = [name for name in wanted if name not in own]
    found = iter(tf.graph_util.import_graph_def(rest, {**inputs, **tied}, others, name=""))
    return [own[name] if name in own else next(found) for name in wanted]


def filled(graph: graph_pb2.GraphDef) -> graph_pb2.GraphDef:
    """Return a graph with all numbers inside."""
    made = graph_pb2.GraphDef()
    made.CopyFrom(graph)
    for node in made.node:
        if _ATTRIBUTE in node.attr:
            tensor = tensor_util.make_tensor_proto(value_of(node))
            del node.attr[_ATTRIBUTE]
            node.attr["value"].tensor.CopyFrom(tensor)
    return made


def numbers_of(key: str) -> Any:
    """Return what holds numbers: a tf.Variable, or an eager tensor of their shape and dtype."""
    return _numbers[key]


def _stand_in(name: str, numbers: Any) -> Any:
    """Return the node that stands for numbers: a variable or an eager tensor, of any shape and dtype."""
    key = str(len(_numbers))
    _numbers[key] = numbers
    node = node_def_pb2.NodeDef(name=name, op="Const")
    kind = tf.as_dtype(numbers.dtype)
    node.attr["dtype"].type = kind.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tensor_util.make_tensor_proto(0, kind, numbers.shape))
    node.attr[_ATTRIBUTE].s = key.encode()
    return node


def _key(node: Any) -> str:
    return str(node.attr[_ATTRIBUTE].s.decode())


def _is_large(node: Any) -> bool:
    """Say whether a node is a constant of numbers that belong outside, and are not there yet."""
    if node.op != "Const" or node.attr["dtype"].type not in _KINDS or _ATTRIBUTE in node.attr:
        return False
    return len(node.attr["value"].tensor.tensor_content) > LARGE


def _captured(key: str) -> Any:
    """Return numbers as a tensor, of their shape and dtype, of the function that is being traced."""
    numbers = _numbers[key]
    graph = tf.compat.v1.get_default_graph()
    if not isinstance(numbers, tf.Variable):
        return graph.capture(numbers)
    return gen_resource_variable_ops.read_variable_op(graph.capture(numbers.handle), numbers.dtype)


def _read(numbers: Any) -> Any:
    """Return numbers as an eager tensor of their shape and dtype."""
    return numbers.read_value() if isinstance(numbers, tf.Variable) else numbers
