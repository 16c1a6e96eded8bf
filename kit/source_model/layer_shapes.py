"""The shape that each layer of a Keras model gives, read off its JSON: what that says, and what follows from it.

Keras 3 writes the shape of a tensor beside the layer that takes it, Keras 2 those of inputs alone. The rest follows
layer by layer, through models inside, by `shape_rules`; of a class that is not there, and of all behind it, there is no
shape: the worker, which loads the model, knows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kit.source_model.layer_graph import Layer, LayerGraph, Shape, read_graph, shape_of
from kit.source_model.shape_rules import RULES

_WRAPPERS = frozenset({"SpectralNormalization"})  # give what the layer inside gives


def layer_shapes(graph: LayerGraph, given: Mapping[str, Shape] | None = None) -> dict[str, Shape]:
    """Return what the first call of each layer gives, by its name: of several tensors the first, of layers that it is
    known of. Shapes have the batch axis, None for an open axis.

    given: the shapes of the inputs by layer, where they are not those of the file.
    """
    found: dict[str, Shape] = dict(given or {})
    for layer in graph.layers.values():
        for taken in (*layer.takes, *layer.later):
            if taken.first and taken.shape is not None and _holds(taken.shape, given):
                found.setdefault(taken.layer, taken.shape)
    for name in graph.layers:
        _find(graph, name, found, given)
    return found


def output_shapes(graph: LayerGraph) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a model's outputs by the name of their layer, without the batch axis: of those that are
    fixed and known alone."""
    shapes = layer_shapes(graph)
    found = {name: tuple(size or 0 for size in shapes[name][1:]) for name in graph.outputs if name in shapes}
    return {name: shape for name, shape in found.items() if shape and min(shape) > 0}


def _holds(stated: Shape, given: Mapping[str, Shape] | None) -> bool:
    """Say whether a shape in the file is right for these inputs: what is open there may be known here."""
    return given is None or None not in stated[1:]


def _find(graph: LayerGraph, name: str, found: dict[str, Shape], given: Mapping[str, Shape] | None) -> None:
    """Put the shape of a layer, and of all before it, into found. A list instead of recursion: models are deep."""
    waiting = [name]
    entered: set[str] = set()
    while waiting:
        at = waiting[-1]
        layer = graph.layers.get(at)
        missing = [source for source in layer.sources if source not in found] if layer else []
        if layer is None or at in found or at in entered or not missing:
            waiting.pop()
            if layer is not None and at not in found:
                shape = _shape(graph, layer, found, given)
                if shape is not None:
                    found[at] = shape
            continue
        entered.add(at)
        waiting += [source for source in missing if source not in entered]


def _shape(
    graph: LayerGraph, layer: Layer, found: Mapping[str, Shape], given: Mapping[str, Shape] | None
) -> Shape | None:
    if layer.kind == "InputLayer":
        return shape_of(layer.config.get("batch_shape") or layer.config.get("batch_input_shape"))
    inputs: list[Shape | None] = [] if layer.takes else [graph.entry]
    for taken in layer.takes:
        shape = found.get(taken.layer) if taken.first else None
        stated = taken.shape if taken.shape is not None and _holds(taken.shape, given) else None
        inputs.append(shape or stated)
    known = [shape for shape in inputs if shape]
    try:
        return _after(layer, known) if known and len(known) == len(inputs) else None
    except (TypeError, ValueError, KeyError, IndexError, ZeroDivisionError, AttributeError, RecursionError):
        return None  # a configuration that Keras did not write


def _after(layer: Layer, inputs: Sequence[Shape]) -> Shape | None:
    """Return what a layer gives for its inputs; both have the batch axis. Raises for what Keras did not write."""
    if layer.inner is not None:
        return _of_model(layer.inner, inputs)
    if layer.config.get("data_format") == "channels_first":
        return None
    if layer.kind == "TimeDistributed":
        steps = _inside(layer, [inputs[0][1:]])  # each step is to the layer inside what a sample is to this one
        return None if steps is None else (inputs[0][0], *steps)
    if layer.kind in _WRAPPERS:
        return _inside(layer, inputs)
    rule = RULES.get(layer.kind)
    rest = rule(layer, [shape[1:] for shape in inputs]) if rule is not None else None
    whole = rest is not None and all(size is None or (type(size) is int and size > 0) for size in rest)
    return (inputs[0][0], *rest) if rest is not None and whole else None


def _inside(wrapper: Layer, inputs: Sequence[Shape]) -> Shape | None:
    """Return what the layer inside a wrapper gives."""
    raw = wrapper.config["layer"]
    kind = str(raw["class_name"]).rpartition(">")[2]
    return _after(Layer("", kind, raw["config"], inner=read_graph(raw, depth=1)), inputs)


def _of_model(model: LayerGraph, inputs: Sequence[Shape]) -> Shape | None:
    if len(model.outputs) != 1:
        return None
    if model.inputs:
        return layer_shapes(model, dict(zip(model.inputs, inputs, strict=True))).get(model.outputs[0])
    shape: Shape | None = inputs[0]
    for layer in model.layers.values():  # a Sequential without an input layer
        shape = _after(layer, [shape]) if shape is not None else None
    return shape
