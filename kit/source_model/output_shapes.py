"""Shapes of a Keras 3 model's outputs, as far as its description says them. Loads nothing, and guesses nothing.

Keras 3 writes the shape of each tensor beside the layer that takes it, and none beside the layer that gives it: so the
last layer's output follows from its input where the layer's own words are enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Shape = tuple[int, ...]  # without the batch axis

_AS_THEY_ARE = frozenset(
    """
    Activation BatchNormalization Dropout ELU Identity LayerNormalization LeakyReLU PReLU ReLU Rescaling Softmax
    """.split()
)


def output_shapes(config: Mapping[str, Any]) -> dict[str, Shape]:
    """Return the shapes of a model's outputs by the name of their layer: of those that are fixed and known alone."""
    body = config.get("config")
    layers = body.get("layers") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(layers, list):
        return {}
    named = {str(layer.get("name")): layer for layer in layers if isinstance(layer, dict)}
    found = {name: _shape(named[name]) for name in _names(body.get("output_layers")) if name in named}
    return {name: shape for name, shape in found.items() if shape and min(shape) > 0}


def _names(value: Any) -> list[str]:
    """Return the layers of outputs: of one, of a list or of a dict of [name, node, tensor]."""
    if isinstance(value, dict):
        return [name for each in value.values() for name in _names(each)]
    if isinstance(value, list):
        if len(value) == 3 and isinstance(value[0], str):
            return [value[0]]
        return [name for each in value if isinstance(each, list | dict) for name in _names(each)]
    return []


def _shape(layer: Mapping[str, Any]) -> Shape | None:
    """Return what a layer gives, None where its words are not enough."""
    config, kind = layer.get("config"), layer.get("class_name")
    given = _given(layer.get("inbound_nodes"))
    if not isinstance(config, dict) or given is None:
        return None
    if kind in _AS_THEY_ARE:
        return given
    if kind == "Reshape":
        return _numbers(config.get("target_shape"))
    if kind == "Permute":
        order = _numbers(config.get("dims"))
        fits = order is not None and sorted(order) == list(range(1, len(given) + 1))
        return tuple(given[place - 1] for place in order) if order and fits else None
    same = kind == "Conv2D" and config.get("padding") == "same" and config.get("strides") == [1, 1]
    last = _numbers([config.get("filters" if same else "units")]) if same or kind == "Dense" else None
    return (*given[:-1], *last) if last else None


def _given(nodes: Any) -> Shape | None:
    """Return the shape of the one tensor that a layer takes."""
    try:
        ((tensor,),) = [node["args"] for node in nodes]
        return _numbers(tensor["config"]["shape"][1:])
    except (TypeError, ValueError, KeyError):
        return None


def _numbers(sizes: Any) -> Shape | None:
    if isinstance(sizes, list) and sizes and all(type(size) is int for size in sizes):
        return tuple(sizes)
    return None
