"""The layers of a Keras model as its JSON lists them: what each is, and which others it takes its inputs from.

Of Keras 2 and 3, functional models and sequential ones, and models inside them. Runs nothing, and guesses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MODELS = frozenset({"Functional", "Model", "Sequential"})
Shape = tuple[int | None, ...]  # without the batch axis


@dataclass(frozen=True)
class Layer:
    """One layer. given: the shapes of what it takes, where the file says them, as Keras 3 does."""

    name: str
    kind: str  # its class without a package: "Dense"
    config: Mapping[str, Any]
    sources: tuple[str, ...] = ()  # the layers that it takes, in the order of its first call
    given: tuple[Shape, ...] = ()
    inner: LayerGraph | None = None  # of a model inside
    calls: int = 1  # how often the model calls it


@dataclass(frozen=True)
class LayerGraph:
    """The layers of one model by name, in its own order."""

    layers: Mapping[str, Layer]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    name: str = ""
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
    """Return the layers of a model's JSON, None where it does not list them all: a subclassed model, say."""
    body, kind = config.get("config"), str(config.get("class_name")).rpartition(">")[2]
    raw = body.get("layers") if isinstance(body, dict) else None
    if kind not in MODELS or not isinstance(body, dict) or not isinstance(raw, list) or not raw or depth > 20:
        return None
    if any(not isinstance(each, dict) or not isinstance(each.get("config"), dict) for each in raw):
        return None
    chained = kind == "Sequential"
    layers: dict[str, Layer] = {}
    for each in raw:
        before = tuple(list(layers)[-1:]) if chained else None
        layer = _layer(each, before, depth)
        if layer.name in layers:
            return None
        layers[layer.name] = layer
    if chained:
        first = next(iter(layers.values()))
        inputs: tuple[str, ...] = (first.name,) if first.kind == "InputLayer" else ()
        outputs = tuple(list(layers)[-1:])
    else:
        inputs, outputs = tuple(_names(body.get("input_layers"))), tuple(_names(body.get("output_layers")))
    if not outputs or not {*inputs, *outputs} <= set(layers):
        return None
    return LayerGraph(layers, inputs, outputs, str(body.get("name") or ""))


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


PASSING = frozenset("Dropout Identity Reshape ExpandDims Cast Flatten GaussianNoise Masking".split())


def _entry(layer: Layer, source: str) -> str | None:
    """Return the input layer of a model inside that takes what source gives."""
    assert layer.inner is not None
    place = layer.sources.index(source)
    return layer.inner.inputs[place] if place < len(layer.inner.inputs) else None


def _layer(raw: Mapping[str, Any], before: tuple[str, ...] | None, depth: int) -> Layer:
    """Return a layer. before: what it takes in a Sequential."""
    config = raw["config"]
    kind = str(raw.get("class_name")).rpartition(">")[2]
    nodes = raw.get("inbound_nodes")
    tensors = [*_tensors(nodes[0])] if isinstance(nodes, list) and nodes else []
    return Layer(
        str(config.get("name") or raw.get("name")),
        kind,
        config,
        tuple(name for name, _ in tensors) if before is None else before,
        tuple(shape for _, shape in tensors if shape is not None),
        read_graph(raw, depth + 1),
        len(nodes) if isinstance(nodes, list) and nodes else 1,
    )


def _tensors(node: Any) -> Iterator[tuple[str, Shape | None]]:
    """Yield the layer and the shape of each tensor that a call takes."""
    if isinstance(node, dict):
        history = node.get("config", {}).get("keras_history") if isinstance(node.get("config"), dict) else None
        if isinstance(history, list) and history:
            yield str(history[0]), shape_of(node["config"].get("shape"))
            return
        for value in node.values():
            yield from _tensors(value)
    elif isinstance(node, list):
        if len(node) in {3, 4} and isinstance(node[0], str) and type(node[1]) is int and type(node[2]) is int:
            yield node[0], None
            for value in node[3].values() if len(node) == 4 and isinstance(node[3], dict) else ():
                yield from _tensors(value)
            return
        for value in node:
            yield from _tensors(value)


def _names(value: Any) -> Iterator[str]:
    """Yield the layers of a model's inputs or outputs: of one, a list or a dict of [name, node, tensor]."""
    if isinstance(value, dict):
        for each in value.values():
            yield from _names(each)
    elif isinstance(value, list):
        if len(value) == 3 and isinstance(value[0], str) and type(value[1]) is int:
            yield value[0]
            return
        for each in value:
            yield from _names(each)


def shape_of(value: Any) -> Shape | None:
    """Return a shape of JSON without its batch axis, None where it is none."""
    if not isinstance(value, list) or not value or not all(n is None or type(n) is int for n in value):
        return None
    return tuple(value[1:])
