"""A traced signature as one flat graph: its variables as constants, but for those that are kept.

A kept variable stays a placeholder of its resource, which whoever imports the graph ties to a variable of its own.
What no output needs is left out, and what TFLite has no operator for is written in others where that is possible.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.python.framework import convert_to_constants

from kit.shared.job import JobError
from kit.worker.graph.batch_norm import fold_normalization
from kit.worker.graph.counts import with_plain_counts
from kit.worker.graph.dot_product import with_summed_products
from kit.worker.graph.exact_functions import with_exact_functions
from kit.worker.graph.float_graph import float_graph, other_precisions
from kit.worker.graph.lookup import tables_of, with_plain_lookups
from kit.worker.graph.needed import base, pruned
from kit.worker.graph.random_ops import random_outputs, with_builtin_random
from kit.worker.graph.scalar_bias import with_whole_biases
from kit.worker.graph.settled import without_settled
from kit.worker.graph.slices import with_plain_slices
from kit.worker.graph.stand_ins import Place, hollowed, placed
from kit.worker.source.model import Variable, unique
from kit.worker.source.precision import HALVES


@dataclass(frozen=True)
class Frozen:
    """A flat graph. Tensors by name ("x:0"), operations by name ("x")."""

    # Batch normalization and functions of constants folded, and no operator that TFLite lacks and others can replace.
    graph: graph_pb2.GraphDef
    unfolded: graph_pb2.GraphDef
    inputs: tuple[str, ...]  # in the order of the contract
    outputs: tuple[str, ...]
    kept: Mapping[str, str]  # the resource placeholder of each kept variable that it uses, by the variable's name
    constants: Mapping[str, str]  # the Const node of each frozen variable that it uses, by the variable's name
    assigns: tuple[str, ...]  # operations that change a kept variable: they have to run, too
    random: tuple[bool, ...] = ()  # of each output: whether it is drawn anew in each call
    precisions: frozenset[str] = frozenset()  # floats of the source that are float32 here: "bfloat16"

    @property
    def raised(self) -> bool:
        """Say whether this graph is more exact than its source."""
        return bool(self.precisions & HALVES)


def freeze(traced: Any, variables: Sequence[Variable], keep: Collection[str]) -> Frozen:
    """Freeze a concrete function. Raises JobError for a variable that changes in a call and is not kept."""
    taken = _captures(traced, variables)
    kept = {name: placeholder for name, placeholder in taken.items() if name in keep}
    _announce(traced.graph, [variable.value for variable in variables if variable.name in taken])
    # Internal to TensorFlow, and in every pinned version: the public function freezes all or nothing.
    data = convert_to_constants._FunctionConverterDataInEager(
        func=traced, lower_control_flow=False, aggressive_inlining=False, variable_names_denylist=set(kept.values())
    )
    graph, converted = convert_to_constants._replace_variables_by_constants(converter_data=data)
    values = {variable.name: variable.value for variable in variables}
    graph = hollowed(graph, {place: values[name] for name, place in taken.items()})
    del data
    graph = without_settled(graph, {tensor.op.name for tensor in _arguments(traced)})
    changed = _changed(graph)
    plain = with_plain_counts(with_plain_lookups(float_graph(graph), tables_of(traced, graph)))
    if any(tensor.shape.rank is None or None in tensor.shape for tensor in _arguments(traced)):
        plain = with_plain_slices(plain)
    graph = _needed(with_builtin_random(plain, changed), traced, kept)
    left = {node.name for node in graph.node}
    for name, placeholder in taken.items():
        # One that only what is left out reads, such as a random layer's state, is no state of the product.
        if placeholder in changed and placeholder in left and name not in keep:
            raise JobError(
                "model",
                f"the variable '{name}' changes from call to call: the model keeps state",
                f'keep it as a variable: [variables] keep = ["{name}"]; or build the model without state',
            )
    unused = {i for i, (_, inner) in enumerate(traced.graph.captures) if inner.op.name not in left}
    try:
        function = convert_to_constants._construct_concrete_function(traced, graph, set(converted) | unused)
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
    outputs = tuple(tensor.name for tensor in function.outputs)
    return Frozen(
        with_summed_products(with_whole_biases(fold_normalization(with_exact_functions(whole)), function.graph)),
        whole,
        tuple(tensor.name for tensor in function.inputs if tensor.name not in resources),
        outputs,
        {name: placeholder for name, placeholder in kept.items() if placeholder in left},
        {name: placeholder for name, placeholder in taken.items() if name not in keep},
        tuple(op.name for op in function.graph.get_operations() if op.type in ASSIGNS),
        random_outputs(whole, list(outputs)),
        other_precisions(traced.graph.as_graph_def()),
    )


def _arguments(traced: Any) -> list[Any]:
    """Return a function's own inputs, without what it captures."""
    return list(traced.inputs[: len(traced.inputs) - len(traced.graph.captures)])


def _needed(graph: graph_pb2.GraphDef, traced: Any, kept: Mapping[str, str]) -> graph_pb2.GraphDef:
    """Return what the outputs and the kept variables' changes need of a graph."""
    holders = set(kept.values())
    changes = [node.name for node in graph.node if node.op in ASSIGNS and _origin(graph, node) in holders]
    inputs = [*(tensor.name for tensor in _arguments(traced)), *holders]
    return pruned(graph, [tensor.name for tensor in traced.outputs], inputs, changes)


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


def _changed(graph: graph_pb2.GraphDef) -> set[str]:
    """Return the nodes that hold a variable which the graph changes."""
    return {_origin(graph, node) for node in graph.node if node.op in ASSIGNS}


def _origin(graph: graph_pb2.GraphDef, node: Any) -> str:
    """Return the node that a node's first input comes from, past those that only hand it on."""
    nodes = {each.name: each for each in graph.node}
    name = base(node.input[0])
    while name in nodes and nodes[name].op == "Identity":
        name = base(nodes[name].input[0])
    return name


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


def imported(frozen: Frozen, feeds: Sequence[Any], handles: Mapping[str, Any], place: Place | None = None) -> list[Any]:
    """Put the graph into the one that is being built; return its outputs in order. handles: by variable's name.

    feeds: tensors in the order of frozen.inputs, of their shapes and dtypes; place: as kit.worker.graph.stand_ins has
    it.
    """
    inputs = dict(zip(frozen.inputs, feeds, strict=True))
    inputs |= {f"{placeholder}:0": handles[name] for name, placeholder in frozen.kept.items()}
    elements = placed(frozen.graph, inputs, [*frozen.outputs, *frozen.assigns], place)
    outputs = elements[: len(frozen.outputs)]
    if not frozen.assigns:
        return list(outputs)
    with tf.control_dependencies(elements[len(frozen.outputs) :]):
        return [tf.identity(output) for output in outputs]
