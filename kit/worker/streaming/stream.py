"""A graph that takes one step of a sequence: what its recurrent layers carry from step to step is kept variables.

Each loop outside of functions is a layer over the sequence. What it carries in floats is its state: the initial value
becomes a read of a variable, the last one is assigned to it, and the loop is written out: it has one step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2, node_def_pb2

from kit.shared.job import JobError, TensorSpec
from kit.worker.conversion.converter import Origin
from kit.worker.conversion.limits import where
from kit.worker.graph.freeze import Frozen
from kit.worker.graph.needed import base, data, full, unordered, upstream
from kit.worker.graph.stand_ins import placed
from kit.worker.graph.unroll import LOOPS, OpenLoopError, Unrolled, flat_function, unrolled
from kit.worker.source.model import Variable, unique

WITHOUT = "leave [model] streaming out: the file then takes whole sequences"
_LIMIT = 64  # steps: of all loops of one call, which have one each
_SHAPES = {"Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike"}  # whose values the numbers do not change


@dataclass(frozen=True)
class Streamed:
    """The graph of one step, without loops, and its state: variables that hold what a sequence begins with."""

    written: Unrolled
    states: tuple[Variable, ...]


@dataclass(frozen=True)
class _Place:
    """One tensor that a loop carries from step to step."""

    loop: str
    at: int
    layer: str

    @property
    def read(self) -> str:
        """Return the name of the node that stands for what the step before left."""
        return f"{self.loop}/before_{self.at}"


def streamed(frozen: Frozen, inputs: Sequence[TensorSpec], origin: Origin, taken: Sequence[str]) -> Streamed:
    """Return the graph of one step with its state. frozen: traced on one step; inputs: its inputs' shapes and types.

    taken: names that other variables have.
    Raises JobError (kind "model") where a layer cannot be streamed, and where nothing carries a state.
    """
    if frozen.assigns:
        raise JobError(
            "model",
            "[model] streaming: the model keeps a state itself, from call to call",
            "leave streaming out and keep that state: [variables] keep",
        )
    _refuse_backwards(frozen.graph, origin)
    places = list(_places(frozen.graph, origin))
    if not places:
        raise JobError(
            "model",
            "[model] streaming: no recurrent layer of the model runs as a loop over its sequence",
            f"build recurrent layers with unroll=False; or {WITHOUT}",
        )
    _refuse_computed(frozen, places)
    initial = _initial(frozen, inputs, places)
    names = unique([*taken, *(f"{place.layer or place.loop}/state" for place in places)])[len(taken) :]
    states = tuple(Variable(n, tf.Variable(v, trainable=False)) for n, v in zip(names, initial, strict=True))
    return Streamed(_written(frozen, places, states, origin), states)


def _places(graph: graph_pb2.GraphDef, origin: Origin) -> Iterator[_Place]:
    for node in graph.node:
        if node.op not in LOOPS:
            continue
        body = flat_function(graph, node.attr["body"].func.name)
        for at, (argument, result) in enumerate(zip(body.arguments, body.results, strict=True)):
            kind = tf.as_dtype(node.attr["T"].list.type[at])
            if kind.is_floating and body.origin(result) != argument:
                yield _Place(node.name, at, origin.layer_of(node.name))


# ---------------------------------------------------------------- what cannot be streamed


def _refuse_backwards(graph: graph_pb2.GraphDef, origin: Origin) -> None:
    """Refuse a layer that reads its sequence from the end: its first step needs the last of the sequence."""
    nodes, bare = {node.name: node for node in graph.node}, unordered(graph)
    for loop in (node for node in graph.node if node.op in LOOPS):
        for name in upstream(bare, data(loop), stop=LOOPS):
            if nodes[name].op == "ReverseV2":
                layer = origin.layer_of(loop.name) or origin.layer_of(name)
                raise JobError(
                    "model",
                    f"[model] streaming: {where(layer, loop.name)} reads its sequence from the end, "
                    "and a stream has none yet",
                    f"build the model with forward layers alone (no Bidirectional, no go_backwards); or {WITHOUT}",
                )


def _refuse_computed(frozen: Frozen, places: Sequence[_Place]) -> None:
    """Refuse a layer whose initial state is computed from the inputs: a stream begins before it has seen them."""
    nodes, bare = {node.name: node for node in frozen.graph.node}, unordered(frozen.graph)
    fed = {base(name) for name in frozen.inputs}
    for place in places:
        before = upstream(bare, [data(nodes[place.loop])[place.at]], stop=_SHAPES)
        if fed & before:
            raise JobError(
                "model",
                f"[model] streaming: {where(place.layer, place.loop)} begins with a state that the model computes "
                "from its inputs",
                f"build the layer without initial_state, and let the app assign its state; or {WITHOUT}",
            )


# ---------------------------------------------------------------- the graph of one step


def _initial(frozen: Frozen, inputs: Sequence[TensorSpec], places: Sequence[_Place]) -> list[np.ndarray]:
    """Return what each place holds before the first step, in its shape and dtype."""
    nodes = {node.name: node for node in frozen.graph.node}
    wanted = [full(data(nodes[place.loop])[place.at]) for place in places]

    def run(*feeds: Any) -> list[Any]:
        """Return what the places hold for the graph's inputs in order, each in its shape and dtype."""
        known = dict(zip(frozen.inputs, feeds, strict=True))
        return placed(frozen.graph, known, wanted)

    zeros = [tf.zeros(spec.shape, spec.dtype) for spec in inputs]
    return [np.asarray(value) for value in tf.function(run, autograph=False)(*zeros)]


def _written(frozen: Frozen, places: Sequence[_Place], states: Sequence[Variable], origin: Origin) -> Unrolled:
    graph = graph_pb2.GraphDef()
    graph.CopyFrom(frozen.graph)
    nodes = {node.name: node for node in graph.node}
    for place, state in zip(places, states, strict=True):
        graph.node.append(_placeholder(place.read, state.value.dtype, state.value.shape))
        nodes[place.loop].input[place.at] = place.read
    ends = tuple(f"{place.loop}:{place.at}" for place in places)
    reads = tuple(f"{place.read}:0" for place in places)
    try:
        one = unrolled(
            replace(frozen, graph=graph, inputs=(*frozen.inputs, *reads), outputs=(*frozen.outputs, *ends)), _LIMIT
        )
    except OpenLoopError as error:
        raise JobError(
            "model",
            f"[model] streaming: {where(origin.layer_of(error.node), error.node)} is a loop that has no one step: "
            f"{error.cause}",
            WITHOUT,
        ) from error
    count = len(frozen.outputs)
    tied = _tied(one.frozen.graph, places, states, one.frozen.outputs[count:])
    assigns = tuple(f"{place.read}/assign" for place in places)
    kept = {state.name: f"{place.read}/variable" for place, state in zip(places, states, strict=True)}
    return replace(
        one,
        frozen=replace(
            frozen,
            graph=tied,
            outputs=one.frozen.outputs[:count],
            kept={**frozen.kept, **kept},
            assigns=assigns,
        ),
    )


def _tied(
    graph: graph_pb2.GraphDef, places: Sequence[_Place], states: Sequence[Variable], ends: Sequence[str]
) -> graph_pb2.GraphDef:
    """Put a variable in the place of each placeholder: it is read there, and the step's end is assigned to it."""
    result = graph_pb2.GraphDef()
    result.CopyFrom(graph)
    nodes = {node.name: node for node in result.node}
    for place, state, end in zip(places, states, ends, strict=True):
        resource, dtype = f"{place.read}/variable", state.value.dtype
        read = nodes[place.read]
        read.Clear()
        read.CopyFrom(_node(place.read, "ReadVariableOp", [resource], dtype))
        assign = _node(f"{place.read}/assign", "AssignVariableOp", [resource, end, f"^{place.read}"], dtype)
        result.node.extend([_placeholder(resource, tf.resource, tf.TensorShape(())), assign])
    return result


def _placeholder(name: str, dtype: Any, shape: Any) -> Any:
    node = _node(name, "Placeholder", [], dtype)
    node.attr["shape"].shape.CopyFrom(shape.as_proto())
    return node


def _node(name: str, op: str, inputs: Sequence[str], dtype: Any) -> Any:
    node = node_def_pb2.NodeDef(name=name, op=op, input=inputs)
    node.attr["dtype"].type = dtype.as_datatype_enum
    return node
