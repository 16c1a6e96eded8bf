"""The layers of a Keras model as its JSON lists them: what each is, and which others it takes its inputs from.

Of Keras 2 and 3, functional models and sequential ones, and models inside them. Runs nothing, and guesses nothing.
`layer_shapes` says what each gives, `layers` what each holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MODELS = frozenset({"Functional", "Model", "Sequential"})
PASSING = frozenset("Dropout Identity Reshape ExpandDims Cast Flatten GaussianNoise Masking".split())
_DEEPEST = 20  # of models inside models, and of lists inside a call
Shape = tuple[int | None, ...]  # with the batch axis; None for an open one


@dataclass(frozen=True)
class Taken:
    """A tensor that a layer takes from another one."""

    layer: str  # which gives it
    shape: Shape | None = None  # where the file says it, as Keras 3 does
    first: bool = True  # it is the first tensor of that layer's first call


@dataclass(frozen=True)
class Layer:
    """One layer."""

    name: str
    kind: str  # its class without a package: "Dense"
    config: Mapping[str, Any]
    takes: tuple[Taken, ...] = ()  # by its first call, in that order
    later: tuple[Taken, ...] = ()  # by its other calls
    inner: LayerGraph | None = None  # of a model inside

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the layers that it takes tensors from, in the order of its first call."""
        return tuple(taken.layer for taken in self.takes)


@dataclass(frozen=True)
class LayerGraph:
    """The layers of one model by name, in its own order. entry: what a Sequential without an input layer takes."""

    layers: Mapping[str, Layer]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    name: str = ""
    entry: Shape | None = None
    _takers: dict[str, tuple[Layer, ...]] = field(default_factory=dict, compare=False, repr=False)

    def takers(self, name: str) -> tuple[Layer, ...]:
        """Return the layers that take what the layer of that name gives."""
        if not self._takers:
            for each in self.layers:
                self._takers[each] = ()
            for layer in self.layers.values():
                for source in layer.sources:
                    self._takers[source] = (*self._takers.get(source, ()), layer)
        return self._takers.get(name, ())


def read_graph(config: Mapping[str, Any], depth: int = 0) -> LayerGraph | None:
    """Return the layers of a model's JSON, None where it does not list them all: a subclassed model, say.

    The outermost model can be of a class of the user's own that is made of layers as a functional one.
    """
    raw, kind = layer_rows(config), str(config.get("class_name")).rpartition(">")[2]
    own = config.get("config")
    body: Mapping[str, Any] = own if isinstance(own, dict) else {}
    known = kind in MODELS or (depth == 0 and "input_layers" in body and "output_layers" in body)
    if not known or not raw or depth > _DEEPEST or any(not isinstance(each.get("config"), dict) for each in raw):
        return None
    chained = kind == "Sequential"
    layers: dict[str, Layer] = {}
    for each in raw:
        before = tuple(Taken(name) for name in list(layers)[-1:]) if chained else None
        layer = _layer(each, before, depth)
        if layer.name in layers:
            return None
        layers[layer.name] = layer
    first = next(iter(layers.values()))
    entry = first.config.get("batch_shape") or first.config.get("batch_input_shape") or body.get("build_input_shape")
    if chained:
        inputs: tuple[str, ...] = (first.name,) if first.kind == "InputLayer" else ()
        outputs = tuple(list(layers)[-1:])
    else:
        inputs, outputs = tuple(_names(body.get("input_layers"))), tuple(_names(body.get("output_layers")))
    if not outputs or not {*inputs, *outputs} <= set(layers):
        return None
    return LayerGraph(layers, inputs, outputs, str(body.get("name") or ""), shape_of(entry) if chained else None)


def layer_rows(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the descriptions of a model's layers; [] where one is none, or there are none."""
    body = config.get("config")
    raw = body.get("layers") if isinstance(body, dict) else body  # Keras before 2.2: a Sequential is a list
    rows = raw if isinstance(raw, list) else []
    return rows if all(isinstance(row, dict) for row in rows) else []


def layer_name(row: Mapping[str, Any]) -> str:
    """Return a layer's name, as the model has it."""
    own = row.get("config")
    return str((own.get("name") if isinstance(own, dict) else "") or row.get("name") or "")


def behind(graph: LayerGraph, name: str) -> Iterator[Layer]:
    """Yield the layers directly behind an input, in models inside, too; what changes no number is passed through."""
    seen: set[tuple[int, str]] = set()
    ways = [(graph, name)]
    while ways:
        inside, at = ways.pop(0)
        if (id(inside), at) in seen:
            continue
        seen.add((id(inside), at))
        for layer in inside.takers(at):
            if layer.inner is not None:
                entry = _entry(layer, at)
                ways += [(layer.inner, entry)] if entry else []
                if entry is None and not layer.inner.inputs:  # a Sequential without an input layer
                    yield next(iter(layer.inner.layers.values()))
            elif layer.kind in PASSING:
                ways.append((inside, layer.name))
            else:
                yield layer


def _entry(layer: Layer, source: str) -> str | None:
    """Return the input layer of a model inside that takes what source gives."""
    assert layer.inner is not None
    place = layer.sources.index(source)
    return layer.inner.inputs[place] if place < len(layer.inner.inputs) else None


def _layer(raw: Mapping[str, Any], before: tuple[Taken, ...] | None, depth: int) -> Layer:
    """Return a layer. before: what it takes in a Sequential."""
    nodes = raw.get("inbound_nodes")
    calls = [tuple(_tensors(node, 0)) for node in nodes] if isinstance(nodes, list) else []
    return Layer(
        layer_name(raw),
        str(raw.get("class_name")).rpartition(">")[2],
        raw["config"],
        before if before is not None else calls[0] if calls else (),
        tuple(taken for call in calls[1:] for taken in call),
        read_graph(raw, depth + 1),
    )


def _tensors(node: Any, depth: int) -> Iterator[Taken]:
    """Yield each tensor that a call takes."""
    if depth > _DEEPEST:
        return
    if isinstance(node, dict):
        own = node.get("config")
        history = own.get("keras_history") if isinstance(own, dict) else None
        if isinstance(own, dict) and isinstance(history, list) and history:
            yield Taken(str(history[0]), shape_of(own.get("shape")), history[1:] == [0, 0])
            return
        for value in node.values():
            yield from _tensors(value, depth + 1)
    elif isinstance(node, list):
        if len(node) in {3, 4} and isinstance(node[0], str) and type(node[1]) is int and type(node[2]) is int:
            yield Taken(node[0], None, node[1:3] == [0, 0])
            for value in node[3].values() if len(node) == 4 and isinstance(node[3], dict) else ():
                yield from _tensors(value, depth + 1)
            return
        for value in node:
            yield from _tensors(value, depth + 1)


def _names(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield the layers of a model's inputs or outputs: of one, a list or a dict of [name, node, tensor]."""
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        for each in value.values():
            yield from _names(each, depth + 1)
    elif isinstance(value, list):
        if len(value) == 3 and isinstance(value[0], str) and type(value[1]) is int:
            yield value[0]
            return
        for each in value:
            yield from _names(each, depth + 1)


def shape_of(value: Any) -> Shape | None:
    """Return a shape of JSON, None where it is none."""
    if not isinstance(value, list) or not value or not all(n is None or type(n) is int for n in value):
        return None
    return tuple(value)
