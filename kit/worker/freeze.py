"""A traced signature as one flat graph: its variables as constants, but for those that are kept.

A kept variable stays a placeholder of its resource, which whoever imports the graph ties to a variable of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.python.framework import convert_to_constants

from kit.worker.bincount import without_bincount
from kit.worker.fold import fold_normalization
from kit.worker.job import JobError
from kit.worker.source import Variable, unique


@dataclass(frozen=True)
class Frozen:
    """A flat graph. Tensors by name ("x:0"), operations by name ("x")."""

    graph: graph_pb2.GraphDef  # batch normalization folded, and no operator that TFLite lacks and others can replace
    unfolded: graph_pb2.GraphDef
    inputs: tuple[str, ...]  # in the order of the contract
    outputs: tuple[str, ...]
    kept: Mapping[str, str]  # the resource placeholder of each kept variable that it uses, by the variable's name
    constants: Mapping[str, str]  # the Const node of each frozen variable that it uses, by the variable's name
    assigns: tuple[str, ...]  # operations that change a kept variable: they have to run, too


def freeze(traced: Any, variables: Sequence[Variable], keep: Collection[str]) -> Frozen:
    """Freeze a concrete function. Raises JobError for a variable that changes in a call and is not kept."""
    taken = _captures(traced, variables)
    changed = _changed(traced.graph)
    for name, placeholder in taken.items():
        if placeholder in changed and name not in keep:
            raise JobError(
                "model",
                f"the variable '{name}' changes from call to call: the model keeps state",
                f'keep it as a variable: [variables] keep = ["{name}"]; or build the model without state',
            )
    kept = {name: placeholder for name, placeholder in taken.items() if name in keep}
    _announce(traced.graph, [variable.value for variable in variables if variable.name in taken])
    # Internal to TensorFlow, and in every pinned version: the public function freezes all or nothing.
    data = convert_to_constants._FunctionConverterDataInEager(
        func=traced, lower_control_flow=False, aggressive_inlining=False, variable_names_denylist=set(kept.values())
    )
    graph, converted = convert_to_constants._replace_variables_by_constants(converter_data=data)
    try:
        function = convert_to_constants._construct_concrete_function(traced, graph, converted)
    except ValueError as error:
        if "incompatible with expected resource" not in str(error):
            raise
        raise JobError(
            "model",
            "a variable changes from call to call, in a function of the model: it keeps state",
            f"keep it as a variable: [variables] keep, one of {', '.join(taken)}; or build the model without state",
        ) from error
    _refuse_left(function.graph, set(kept.values()))

    whole = function.graph.as_graph_def()
    resources = {f"{placeholder}:0" for placeholder in kept.values()}
    return Frozen(
        fold_normalization(without_bincount(whole)),
        whole,
        tuple(tensor.name for tensor in function.inputs if tensor.name not in resources),
        tuple(tensor.name for tensor in function.outputs),
        kept,
        {name: placeholder for name, placeholder in taken.items() if name not in keep},
        tuple(op.name for op in function.graph.get_operations() if op.type in ASSIGNS),
    )


ASSIGNS = {"AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp"}


def _captures(traced: Any, variables: Sequence[Variable]) -> dict[str, str]:
    """Return the name of the placeholder by which the function reaches each variable that it uses."""
    names = {id(variable.value.handle): variable.name for variable in variables}
    return {
        names[id(outer)]: inner.name.partition(":")[0] for outer, inner in traced.graph.captures if id(outer) in names
    }


def _announce(graph: Any, used: Sequence[Any]) -> None:
    """Tell a graph which variables it uses: of one that was imported into it, it does not know."""
    known = {id(value.handle) for value in graph.variables}
    graph.variables = [*graph.variables, *(value for value in used if id(value.handle) not in known)]


def _changed(graph: Any) -> set[str]:
    return {_holder(op) for op in graph.get_operations() if op.type in ASSIGNS}


def _holder(op: Any) -> str:
    """Return the node that holds the variable which an op reads or changes."""
    holder = op.inputs[0].op
    while holder.type == "Identity":
        holder = holder.inputs[0].op
    return str(holder.name)


def _refuse_left(graph: Any, kept: set[str]) -> None:
    left = [
        op.name
        for op in graph.get_operations()
        if op.type == "VarHandleOp" or (op.type == "ReadVariableOp" and _holder(op) not in kept)
    ]
    if left:
        raise JobError(
            "model",
            f"{len(left)} variables could not be frozen: {', '.join(left[:3])}",
            "the model makes variables of its own inside its call: make them in build(), or keep them out of it",
        )


def with_hidden(variables: Sequence[Variable], functions: Sequence[Any]) -> tuple[Variable, ...]:
    """Return the variables, and those beside them that the functions use: a recurrent layer's state is no weight."""
    known = {id(variable.value.handle) for variable in variables}
    hidden = {
        id(value.handle): value
        for function in functions
        for value in function.graph.variables
        if id(value.handle) not in known
    }
    names = unique([*(variable.name for variable in variables), *(_name(value) for value in hidden.values())])
    found = zip(names[len(variables) :], hidden.values(), strict=True)
    return (*variables, *(Variable(name, value) for name, value in found))


def _name(value: Any) -> str:
    return str(getattr(value, "path", None) or value.name).removesuffix(":0")


def takes_ids(frozen: Frozen, name: str) -> bool:
    """Say whether all that the graph does with an input is to cast it to whole numbers."""
    casts, waiting = 0, [name.partition(":")[0]]
    while waiting:
        base = waiting.pop()
        for node in frozen.graph.node:
            if base not in (each.partition(":")[0] for each in node.input):
                continue
            if node.op in {"Identity", "Reshape", "ExpandDims", "Squeeze"}:
                waiting.append(node.name)
            elif node.op == "Cast" and tf.as_dtype(node.attr["DstT"].type).is_integer:
                casts += 1
            else:
                return False
    return casts > 0


def imported(frozen: Frozen, feeds: Sequence[Any], handles: Mapping[str, Any]) -> list[Any]:
    """Put the graph into the one that is being built; return its outputs in order. handles: by variable's name."""
    inputs = dict(zip(frozen.inputs, feeds, strict=True))
    inputs |= {f"{placeholder}:0": handles[name] for name, placeholder in frozen.kept.items()}
    elements = tf.graph_util.import_graph_def(
        frozen.graph, input_map=inputs, return_elements=[*frozen.outputs, *frozen.assigns], name=""
    )
    outputs = elements[: len(frozen.outputs)]
    if not frozen.assigns:
        return list(outputs)
    with tf.control_dependencies(elements[len(frozen.outputs) :]):
        return [tf.identity(output) for output in outputs]


def nodes_of(graph: graph_pb2.GraphDef) -> Iterator[Any]:
    """Yield every node, those inside functions (loops, branches), too."""
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def
