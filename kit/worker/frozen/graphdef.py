"""A signature as a GraphDef that TensorFlow 1 can import: inputs, outputs and kept variables by their own names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2, node_def_pb2
from tensorflow.python.framework import tensor_util

from kit.worker.conversion.export import plain
from kit.worker.graph.freeze import Frozen
from kit.worker.source.contract import Contract

INIT = "init"  # the operation that gives every kept variable its initial value
_VALID = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")  # what TensorFlow takes as a node's name


@dataclass(frozen=True)
class Named:
    """A GraphDef, and the nodes that have the contract's names: mostly the names themselves."""

    graph: graph_pb2.GraphDef
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    variables: Mapping[str, str]  # node by variable


def node_name(name: str) -> str:
    """Return a name as a node can have it: unchanged where TensorFlow takes it."""
    return name if _VALID.fullmatch(name) else plain(name)


def named_graph(contract: Contract, frozen: Frozen, initial: Mapping[str, np.ndarray]) -> Named:
    """Return the frozen graph with its inputs, outputs and kept variables under the contract's names.

    A node inside that has such a name already gets another.

    initial: the value of each kept variable by name, in its shape and dtype.
    """
    inputs = _names([spec.name for spec in contract.inputs], ())
    outputs = _names([spec.name for spec in contract.outputs], inputs)
    variables = dict(zip(frozen.kept, _names(list(frozen.kept), [*inputs, *outputs]), strict=True))
    new = {name.partition(":")[0]: own for name, own in zip(frozen.inputs, inputs, strict=True)}
    new |= {holder: variables[name] for name, holder in frozen.kept.items()}
    taken = {*inputs, *outputs, *variables.values(), *(f"{n}/{w}" for n in variables.values() for w in _PARTS), INIT}
    there = {node.name for node in frozen.unfolded.node}
    for name in sorted(there & taken - new.keys()):
        new[name] = _free(f"{name}_inside", there | taken)
    graph = graph_pb2.GraphDef()
    graph.CopyFrom(frozen.unfolded)
    holders = {variables[name]: initial[name] for name in frozen.kept}
    for node in graph.node:
        node.name = new.get(node.name, node.name)
        node.input[:] = [_renamed(each, new) for each in node.input]
        if node.name in holders:
            node.CopyFrom(_handle(node.name, holders[node.name]))
    for name, tensor in zip(outputs, frozen.outputs, strict=True):
        graph.node.append(_output(name, _renamed(tensor, new), [new.get(each, each) for each in frozen.assigns], graph))
    for name, value in holders.items():
        graph.node.extend(_initializer(name, value))
    if holders:
        graph.node.append(node_def_pb2.NodeDef(name=INIT, op="NoOp", input=[f"^{name}/Assign" for name in holders]))
    return Named(graph, tuple(inputs), tuple(outputs), variables)


_PARTS = ("initial", "Assign", "value", "read")


def _names(names: Sequence[str], taken: Sequence[str]) -> list[str]:
    """Return node names, no two the same, none of them taken: an output can have an input's name."""
    found: list[str] = []
    for name in names:
        found.append(_free(node_name(name), {*taken, *found}))
    return found


def _free(name: str, taken: set[str]) -> str:
    own, count = name, 0
    while own in taken:
        count += 1
        own = f"{name}_{count}"
    return own


def _renamed(reference: str, new: Mapping[str, str]) -> str:
    """Return a node's input with the node under its new name: "^x", "x", "x:1"."""
    head = "^" if reference.startswith("^") else ""
    base, colon, port = reference[len(head) :].partition(":")
    return f"{head}{new.get(base, base)}{colon}{port}"


def _handle(name: str, value: np.ndarray) -> Any:
    """Return the node of a variable that has value's shape and dtype."""
    node = node_def_pb2.NodeDef(name=name, op="VarHandleOp")
    node.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
    node.attr["shape"].shape.CopyFrom(tf.TensorShape(value.shape).as_proto())
    node.attr["shared_name"].s = name.encode()
    node.attr["container"].s = b""
    return node


def _initializer(name: str, value: np.ndarray) -> list[Any]:
    """Return what gives a variable its initial value, what assigns another, and what reads it.

    value: of the variable's shape and dtype.
    """
    kind = tf.as_dtype(value.dtype).as_datatype_enum
    initial = node_def_pb2.NodeDef(name=f"{name}/initial", op="Const")
    initial.attr["dtype"].type = kind
    initial.attr["value"].tensor.CopyFrom(tensor_util.make_tensor_proto(value))
    # Another value is fed: {"head/kernel/value:0": array}, and then "head/kernel/Assign" run.
    fed = node_def_pb2.NodeDef(name=f"{name}/value", op="PlaceholderWithDefault", input=[initial.name])
    fed.attr["dtype"].type = kind
    fed.attr["shape"].shape.CopyFrom(tf.TensorShape(value.shape).as_proto())
    assign = node_def_pb2.NodeDef(name=f"{name}/Assign", op="AssignVariableOp", input=[name, fed.name])
    read = node_def_pb2.NodeDef(name=f"{name}/read", op="ReadVariableOp", input=[name])
    for node in (assign, read):
        node.attr["dtype"].type = kind
    return [initial, fed, assign, read]


def _output(name: str, tensor: str, after: Sequence[str], graph: graph_pb2.GraphDef) -> Any:
    node = node_def_pb2.NodeDef(name=name, op="Identity", input=[tensor, *(f"^{each}" for each in after)])
    base = tensor.partition(":")[0]
    source = next(each for each in graph.node if each.name == base)
    # What freezing gives ends in the Identity that the contract's trace put there, which knows its type.
    node.attr["T"].CopyFrom(source.attr["T"])
    return node
