"""Names, shapes and types of inputs and outputs, as far as a model's description is certain of them.

Of a Keras model's JSON: what the loaded model will say, where it is made of layers and nothing renames them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Shape = tuple[int | None, ...]  # without the batch axis

# Their wrappers go while the model is loaded, and with them the names of layers.
_WRAPPERS = ("QuantizeWrapper", "QuantizeLayer", "PruneLowMagnitude", "ClusterWeights")


@dataclass(frozen=True)
class FileNames:
    """What a model file says of its main signature."""

    inputs: Mapping[str, Shape | None]  # None: it does not say the shape
    outputs: Mapping[str, int | None]  # the length of the last axis, None where it does not say it
    types: Mapping[str, str] = field(default_factory=dict)  # of inputs: "int32"; not of all
    inner: tuple[str, ...] | None = None  # the layers that a recipe can name; None: the file does not list them


def names_of_config(config: Mapping[str, Any]) -> FileNames | None:
    """Return the names in a Keras model's JSON, None where it is not certain of them: a subclassed model, say."""
    body = config.get("config")
    layers = body.get("layers") if isinstance(body, dict) else None
    known = {"Functional", "Model", "Sequential"}
    if config.get("class_name") not in known or not isinstance(body, dict) or not isinstance(layers, list):
        return None
    if any(not isinstance(layer, dict) or not isinstance(layer.get("config"), dict) for layer in layers):
        return None
    if any(str(layer.get("class_name", "")).startswith(_WRAPPERS) for layer in layers):
        return None
    named = {str(layer["config"].get("name") or layer.get("name")): layer for layer in layers}
    own = {name: layer for name, layer in named.items() if layer.get("class_name") == "InputLayer"}
    if config["class_name"] == "Sequential":
        inputs, outputs = list(own), list(named)[-1:]
    else:
        inputs, outputs = _listed(body.get("input_layers")), _listed(body.get("output_layers"))
    if not inputs or not outputs or not set(inputs) <= set(own) or not set(outputs) <= set(named):
        return None
    types = {name: own[name]["config"].get("dtype") for name in inputs}
    return FileNames(
        {name: _shape(own[name]["config"]) for name in inputs},
        {name: _width(named[name]) for name in outputs},
        {name: kind for name, kind in types.items() if isinstance(kind, str)},
        tuple(name for name in named if name not in own),
    )


def _listed(value: Any) -> list[str]:
    """Return the layers of a model's inputs or outputs; [] where they are in a dict or a nest, or one is twice."""
    triples = [value] if _is_triple(value) else value
    if not isinstance(triples, list) or not all(_is_triple(each) for each in triples):
        return []
    names = [each[0] for each in triples]
    return names if len(set(names)) == len(names) else []


def _is_triple(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and isinstance(value[0], str) and type(value[1]) is int


def _shape(config: Mapping[str, Any]) -> Shape | None:
    shape = config.get("batch_shape") or config.get("batch_input_shape")
    if not isinstance(shape, list) or not shape or not all(n is None or type(n) is int for n in shape):
        return None
    return tuple(shape[1:])


def _width(layer: Mapping[str, Any]) -> int | None:
    units = layer["config"].get("units")
    return units if layer.get("class_name") == "Dense" and type(units) is int else None
