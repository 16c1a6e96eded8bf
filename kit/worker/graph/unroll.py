"""A graph with its loops written out, step by step: TensorFlow's quantizer cannot calibrate what runs inside a loop.

The graph is evaluated in the abstract: counters are numbers, a list of tensors is a Python list, and everything else
becomes a node of a new graph, once for each step. What a step calculates from constants alone, or from its own part of
the sequence and constants (the projection of the inputs), is calculated once for all steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.python.framework import function_def_to_graph, op_def_registry  # no public name in any version

from kit.worker.graph.freeze import Frozen
from kit.worker.graph.needed import base, data, full, pruned
from kit.worker.graph.sequence import Pair, Part, attributes_of, over_all, pair_of, parts_of
from kit.worker.graph.subgraph import nodes_of
from kit.worker.graph.whole_numbers import value_of

LOOPS = {"While", "StatelessWhile"}
_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
_BRANCHES = {"If", "StatelessIf"}
_SMALL = 4096  # numbers: what counts steps and says shapes is far smaller, and weights are no whole numbers


class OpenLoopError(Exception):
    """A loop whose steps cannot be counted before it runs."""

    def __init__(self, node: str, cause: str) -> None:
        super().__init__(f"{node}: {cause}")
        self.node = node
        self.cause = cause


@dataclass(frozen=True)
class Unrolled:
    """A graph without loops, and what became of each: the number of its steps by the loop's node."""

    frozen: Frozen
    steps: Mapping[str, int]


def has_loops(frozen: Frozen) -> bool:
    """Say whether a graph has a loop, in a function of it or not."""
    return any(node.op in LOOPS for node in nodes_of(frozen.graph))


def unrolled(frozen: Frozen, limit: int) -> Unrolled:
    """Write out every loop of a graph.

    Raises OpenLoopError for a loop whose steps cannot be counted before it runs, or that has more than limit.
    """
    if not has_loops(frozen):
        return Unrolled(frozen, {})
    writer = _Writer(frozen.graph, limit)
    outputs = writer.write(frozen.outputs)
    graph = pruned(writer.graph.as_graph_def(), outputs, frozen.inputs, frozen.assigns)
    del graph.library.function[:]
    _with_needed_functions(graph, frozen.graph)
    return Unrolled(replace(frozen, graph=graph, outputs=tuple(outputs)), writer.steps)


def _with_needed_functions(graph: graph_pb2.GraphDef, source: graph_pb2.GraphDef) -> None:
    """Put in the functions that a graph still calls, and those that they call."""
    functions = {each.signature.name: each for each in source.library.function}
    waiting = [name for node in graph.node for name in _called(node)]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in seen and name in functions:
            seen.add(name)
            waiting += [each for node in functions[name].node_def for each in _called(node)]
    graph.library.function.extend(each for each in source.library.function if each.signature.name in seen)


def _called(node: Any) -> list[str]:
    values = node.attr.values()
    return [each.func.name for each in values if each.HasField("func")] + [f.name for v in values for f in v.list.func]


@dataclass(frozen=True)
class Function:
    """A function's nodes in the order in which they can run, its arguments, and what it returns."""

    nodes: tuple[Any, ...]
    arguments: tuple[str, ...]
    results: tuple[str, ...]

    def origin(self, result: str) -> str:
        """Return the node that a result comes from, past those that only hand it on."""
        nodes = {node.name: node for node in self.nodes}
        name = base(result)
        while name in nodes and nodes[name].op == "Identity":
            name = base(nodes[name].input[0])
        return name


def flat_function(graph: graph_pb2.GraphDef, name: str) -> Function:
    """Return a function of a graph's library, its nodes with the names that they have in a graph."""
    definition = next(each for each in graph.library.function if each.signature.name == name)
    flat, names = function_def_to_graph.function_def_to_graph_def(definition)
    return Function(
        tuple(_ordered(list(flat.node))),
        tuple(each.name for each in definition.signature.input_arg),
        tuple(names[definition.ret[each.name]] for each in definition.signature.output_arg),
    )


class _Writer:
    """Writes one graph. A value is a tensor, a part of a sequence, or a list of such; None is an empty place in one."""

    def __init__(self, graph: graph_pb2.GraphDef, limit: int) -> None:
        self.graph = tf.Graph()
        self.steps: dict[str, int] = {}
        self._limit = limit
        self._source = graph
        self._functions: dict[str, Function] = {}
        self._known: dict[str, np.ndarray] = {}  # whole numbers by the tensor's name
        self._constant: set[str] = set()  # tensors that hang on constants alone
        self._here: set[str] = set()  # nodes that are operations of the new graph, by their own name
        self._made: dict[tuple[Any, ...], list[Any]] = {}  # what is there already, by operation and inputs
        with self.graph.as_default():
            tf.graph_util.import_graph_def(graph_pb2.GraphDef(library=graph.library), name="")

    def write(self, outputs: Sequence[str]) -> list[str]:
        """Write the whole graph; return the names of its output tensors."""
        nodes = _ordered(list(self._source.node))
        with self.graph.as_default():
            found = self._run(nodes, {}, "")
            return [str(self._tensor(found[full(name)]).name) for name in outputs]

    # ------------------------------------------------------------ nodes

    def _run(self, nodes: Sequence[Any], found: dict[str, Any], path: str) -> dict[str, Any]:
        """Write nodes, given their functions' arguments by tensor name; return every value by tensor name.

        path: the place of this step, "" outside of loops.

        Values are of any shape and dtype.
        """
        for node in nodes:
            if f"{node.name}:0" in found:
                continue  # an argument
            inputs = [found[full(name)] for name in data(node)]
            values = self._values(node, inputs, path)
            found |= {f"{node.name}:{at}": value for at, value in enumerate(values)}
        return found

    def _values(self, node: Any, inputs: list[Any], path: str) -> list[Any]:
        """Write a node, whatever it is; return its outputs. inputs: values of any shape and dtype."""
        if node.op in LOOPS:
            return self._loop(node, inputs, path)
        if (chosen := self._chosen(node, inputs)) is not None:
            return self._call(*chosen, _placed(node.name, path))
        if node.op in _LISTS:
            return [_LISTS[node.op](self, node, inputs)]
        if path and (pair := pair_of(node, inputs, self._is_constant)) is not None:
            return [Part(self._once(node, pair, path), pair.part.at)]
        if any(isinstance(each, list) for each in inputs) and node.op != "Identity":
            raise OpenLoopError(node.name, f"{node.op} takes a whole list of tensors")
        return inputs if path and node.op == "Identity" else self._plain(node, list(map(self._tensor, inputs)), path)

    def _chosen(self, node: Any, inputs: list[Any]) -> tuple[str, list[Any]] | None:
        """Return the function that a node calls, and what it gives it; None for one that calls none for certain.

        inputs: values of any shape and dtype.
        """
        if node.op in _CALLS:
            return node.attr["f"].func.name, inputs
        known = self._number(inputs[0]) if node.op in _BRANCHES else None
        if known is None:
            return None
        return node.attr["then_branch" if bool(np.any(known)) else "else_branch"].func.name, inputs[1:]

    def _plain(self, node: Any, inputs: list[Any], path: str = "") -> list[Any]:
        """Write a node as it is, but for its inputs; one that is there already is taken.

        inputs: tensors of any shape and dtype.
        """
        stateful = op_def_registry.get(node.op).is_stateful
        attributes = attributes_of(node)
        key = (
            node.op,
            tuple(each.name for each in inputs),
            tuple(sorted((k, v.SerializeToString(deterministic=True)) for k, v in attributes.items())),
        )
        if path and not stateful and key in self._made:
            return self._made[key]
        # What was written out, as a loop is, is no operation any more that another could wait for.
        waits = [base(name) for name in node.input if name.startswith("^") and not path]
        controls = [self.graph.as_graph_element(name) for name in waits if name in self._here]
        with self.graph.control_dependencies([each for each in controls if each is not None]):
            made = self.graph.create_op(
                node.op, inputs, None, name=_placed(node.name, path) + ("" if path else "/"), attrs=attributes
            )
        if not path:
            self._here.add(node.name)
        if node.op == "Const" or (inputs and not stateful and all(map(self._is_constant, inputs))):
            self._constant.update(each.name for each in made.outputs)
        values = [self._folded(each, stateful=stateful) for each in made.outputs]
        if path and not stateful:
            self._made[key] = values
        return values

    def _once(self, node: Any, pair: Pair, path: str) -> Any:
        """Return what a node gives for the whole sequence: [steps, ...] in its dtype."""
        key = ("all", node.name, pair.part.whole.name, pair.constant.name)
        if key not in self._made:
            self._made[key] = over_all(node, pair, _placed(node.name, f"{path.rpartition('/')[0]}/all"))
        return self._made[key]

    def _folded(self, tensor: Any, *, stateful: bool) -> Any:
        """Return integers or bool that follow from constants as a constant of their shape, another tensor as it is."""
        whole = tensor.dtype.is_integer or tensor.dtype.is_bool
        count = tensor.shape.num_elements()
        op = tensor.op
        if not whole or stateful or count is None or count > _SMALL:
            return tensor
        if op.type == "Shape" and op.inputs[0].shape.is_fully_defined():
            value = np.asarray(op.inputs[0].shape.as_list(), tensor.dtype.as_numpy_dtype)
        elif op.type == "Const":
            self._known[tensor.name] = tf.make_ndarray(op.get_attr("value"))
            return tensor
        elif not op.inputs or not all(each.name in self._known for each in op.inputs):
            return tensor
        else:
            value = value_of(op, [self._known[each.name] for each in op.inputs])[tensor.value_index]
        known = tf.constant(value, tensor.dtype, name=f"{op.name}/value")
        self._known[known.name] = value
        self._constant.add(known.name)
        return known

    # ------------------------------------------------------------ values

    def _tensor(self, value: Any) -> Any:
        """Return a value as one tensor of its shape and dtype: a part of a sequence is taken out of it."""
        if isinstance(value, list):
            raise OpenLoopError("", "a list of tensors leaves its loop")
        if not isinstance(value, Part):
            return value
        key = ("parts", value.whole.name)
        if key not in self._made:
            self._made[key] = parts_of(value.whole)
        return self._made[key][value.at]

    def _number(self, value: Any) -> np.ndarray | None:
        """Return a value's integers or bool, in its shape, where they are known before the graph runs, else None."""
        return None if isinstance(value, list | Part) or value is None else self._known.get(value.name)

    def _is_constant(self, value: Any) -> bool:
        """Say whether a value, of any shape and dtype, hangs on constants alone."""
        return not isinstance(value, list | Part) and value is not None and value.name in self._constant

    # ------------------------------------------------------------ loops and calls

    def _loop(self, node: Any, inputs: list[Any], path: str) -> list[Any]:
        """Write a loop out; return what its last step gives. inputs: values of any shape and dtype."""
        place = _placed(node.name, path)
        values, count = self._started(node, inputs, place), 0
        while True:
            (again,) = self._call(node.attr["cond"].func.name, values, f"{place}/{count}")
            known = self._number(again)
            if known is None:
                raise OpenLoopError(node.name, "how often it runs is known only when it runs")
            if not bool(np.any(known)):
                break
            count += 1
            self.steps[node.name] = self.steps.get(node.name, 0) + 1
            if sum(self.steps.values()) > self._limit:
                raise OpenLoopError(
                    node.name, f"with it there are more than {self._limit} steps, and each adds 2 to 6 kB to the file"
                )
            values = self._call(node.attr["body"].func.name, values, f"{place}/{count - 1}")
        return values

    def _started(self, node: Any, inputs: list[Any], place: str) -> list[Any]:
        """Return what a loop starts with; a state is no constant there, even if it starts at zero.

        What hangs on it would be calculated for the whole sequence, and be right for the first step alone.

        inputs: values of any shape and dtype, which stay so.
        """
        body = self._function(node.attr["body"].func.name)
        return [
            tf.identity(value, name=f"{place}/start/{argument}")
            if self._is_constant(value) and value.dtype.is_floating and base(result) != argument
            else value
            for value, argument, result in zip(inputs, body.arguments, body.results, strict=True)
        ]

    def _call(self, name: str, values: Sequence[Any], path: str) -> list[Any]:
        """Write a function; return its results. values: its arguments, of any shape and dtype."""
        function = self._function(name)
        found = {f"{argument}:0": value for argument, value in zip(function.arguments, values, strict=True)}
        found = self._run(function.nodes, found, path)
        return [found[full(result)] for result in function.results]

    def _function(self, name: str) -> Function:
        if name not in self._functions:
            self._functions[name] = flat_function(self._source, name)
        return self._functions[name]

    # ------------------------------------------------------------ lists

    def list_from(self, node: Any, inputs: list[Any]) -> list[Any]:
        """TensorListFromTensor: a sequence [steps, ...], part by part, in its dtype."""
        whole = self._tensor(inputs[0])
        if whole.shape.rank is None or whole.shape[0] is None:
            raise OpenLoopError(node.name, "its sequence has an open length")
        return [Part(whole, at) for at in range(whole.shape[0])]

    def reserve(self, node: Any, inputs: list[Any]) -> list[Any]:
        """TensorListReserve: empty places. inputs[1] is their number, an int32 scalar."""
        return [None] * int(self._index(node, inputs[1]))

    def get(self, node: Any, inputs: list[Any]) -> Any:
        """TensorListGetItem: the value, of any shape and dtype, at place inputs[1], an int32 scalar."""
        value = inputs[0][self._index(node, inputs[1])]
        if value is None:
            raise OpenLoopError(node.name, "it reads a tensor that was never set")
        return value

    def set(self, node: Any, inputs: list[Any]) -> list[Any]:
        """TensorListSetItem: the list with inputs[2], of any shape and dtype, at place inputs[1], an int32 scalar."""
        values = list(inputs[0])
        values[self._index(node, inputs[1])] = inputs[2]
        return values

    def length(self, _: Any, inputs: list[Any]) -> Any:
        """TensorListLength: an int32 scalar."""
        made = tf.constant(len(inputs[0]), tf.int32)
        self._known[made.name] = np.asarray(len(inputs[0]), np.int32)
        self._constant.add(made.name)
        return made

    def stack(self, node: Any, inputs: list[Any]) -> Any:
        """TensorListStack: [steps, ...] in the parts' dtype; the whole sequence, where nothing was changed in it."""
        values = inputs[0]
        if any(value is None for value in values):
            raise OpenLoopError(node.name, "it reads a tensor that was never set")
        first = values[0] if values else None
        if isinstance(first, Part) and values == [Part(first.whole, at) for at in range(first.whole.shape[0])]:
            return first.whole
        return tf.stack([self._tensor(value) for value in values], name=f"{node.name}/stacked")

    def _index(self, node: Any, value: Any) -> int:
        """Return the number that a value is, an int32 scalar. Raises OpenLoopError where it is not known yet."""
        known = self._number(value)
        if known is None:
            raise OpenLoopError(node.name, "which step it means is known only when it runs")
        return int(known)


_LISTS = {
    "TensorListFromTensor": _Writer.list_from,
    "TensorListReserve": _Writer.reserve,
    "TensorListGetItem": _Writer.get,
    "TensorListSetItem": _Writer.set,
    "TensorListLength": _Writer.length,
    "TensorListStack": _Writer.stack,
}


def _placed(name: str, path: str) -> str:
    """Return a step's name for a node: what both names begin with is said once."""
    if not path:
        return name
    words, place = name.split("/"), path.split("/")
    same = next((i for i, (a, b) in enumerate(zip(words, place, strict=False)) if a != b), min(len(words), len(place)))
    return "/".join([*place, *(words[same:] or words[-1:])])


def _ordered(nodes: Sequence[Any]) -> list[Any]:
    """Return nodes so that each comes behind what it takes."""
    by_name = {node.name: node for node in nodes}
    order: list[Any] = []
    state: dict[str, bool] = {}  # False while its inputs are looked at
    for start in nodes:
        waiting = [start.name]
        while waiting:
            name = waiting[-1]
            if state.get(name) is None:
                state[name] = False
                waiting += [base(n) for n in by_name[name].input if base(n) in by_name and base(n) not in state]
            else:
                waiting.pop()
                if not state[name]:
                    state[name] = True
                    order.append(by_name[name])
    return order
