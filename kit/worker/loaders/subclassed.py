"""Keras models that do not say what they take: subclassed ones. Their inputs come from what they were built with."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from kit.shared.job import DYNAMIC, InputSpec, JobError
from kit.worker.source.model import Port, unique


@dataclass(frozen=True)
class Feed:
    """How a Keras model is fed. `pack` turns tensors by name, in order, into the call's arguments."""

    inputs: tuple[Port, ...]
    pack: Callable[[Mapping[str, Any]], tuple[list[Any], dict[str, Any]]]


def feed_of(model: Any, requests: Sequence[InputSpec]) -> Feed:
    """Return how a subclassed model is fed: what the recipe says comes before what the model was built with.

    Raises JobError (kind "recipe") where neither says it.
    """
    parameters, training = _parameters(model)
    nest = _built_with(model, parameters)
    wished = {request.source or request.name: request for request in requests}
    if isinstance(nest, tuple) and len(parameters) > 1:
        nest = None  # Keras keeps the shape of the first tensor alone
    if nest is None:
        shapes = {name: request.shape for name, request in wished.items()}
        if not shapes or None in shapes.values():
            raise JobError(
                "recipe",
                "the model does not say what its inputs are, and neither does the recipe",
                f"give each as [[inputs]] with name and shape; its call takes {', '.join(parameters)}",
            )
        ports = {name: _port(name, (None, *(shape or ())), wished) for name, shape in shapes.items()}
        return Feed(tuple(ports.values()), _packer(list(ports), parameters, training, None))
    names = _names(nest, parameters)
    if len(names) == len(wished) and not set(names) & set(wished):
        names = list(wished)  # the model has no names of its own here: those of the recipe, in its order
    ports = {name: _port(name, shape, wished) for name, shape in zip(names, _flat(nest), strict=True)}
    return Feed(tuple(ports.values()), _packer(list(ports), parameters, training, nest))


def outputs_of(model: Any, feed: Feed) -> tuple[Port, ...]:
    """Call the model once on symbols and return its outputs. A dict's keys are their names, else output_0 and so on."""

    def call(*tensors: Any) -> Any:
        args, kwargs = feed.pack(dict(zip([port.name for port in feed.inputs], tensors, strict=True)))
        return model(*args, **kwargs)

    specs = [tf.TensorSpec(port.shape, port.dtype) for port in feed.inputs]
    predictions = tf.function(call).get_concrete_function(*specs).structured_outputs
    flat = tf.nest.flatten(predictions)
    if isinstance(predictions, Mapping) and len(predictions) == len(flat):
        names = sorted(predictions)
    else:
        names = ["output"] if len(flat) == 1 else [f"output_{i}" for i in range(len(flat))]
    return tuple(
        Port(name, tuple(tensor.shape), np.dtype(tensor.dtype.as_numpy_dtype).name)
        for name, tensor in zip(names, flat, strict=True)
    )


def _parameters(model: Any) -> tuple[list[str], bool]:
    """Return the names of the tensors that the model's call takes, and whether it takes `training`."""
    found = inspect.signature(model.call).parameters
    plain = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    names = [
        name
        for name, each in found.items()
        if each.kind in plain and name not in {"training", "mask"} and each.default is inspect.Parameter.empty
    ]
    return names or ["inputs"], "training" in found


def _built_with(model: Any, parameters: Sequence[str]) -> Any:
    """Return the shapes that the model was built with: a tuple, or a list or dict of such; None where it has none."""
    try:
        config = model.get_build_config() or {}
    except Exception:  # noqa: BLE001 - a model's own method, and older Keras has none
        return None
    if "shapes_dict" in config:  # Keras 3, of a call with several tensors: by the call's arguments
        config = config["shapes_dict"]
    by_argument = {f"{name}_shape": name for name in parameters}
    if len(config) > 1 and set(config) <= set(by_argument):
        return {by_argument[key]: _tupled(shape) for key, shape in config.items()}
    return _tupled(config.get("input_shape", next(iter(config.values()), None)))


def _tupled(shape: Any) -> Any:
    """Return a nest of shapes with tuples at its leaves, from one that went through JSON; None where it is none."""
    if isinstance(shape, Mapping):
        return {str(name): _tupled(each) for name, each in shape.items()}
    if not isinstance(shape, list | tuple | tf.TensorShape):
        return None
    if all(n is None or isinstance(n, int) for n in shape):
        return tuple(shape)
    return [_tupled(each) for each in shape]


def _flat(nest: Any) -> list[tuple[int | None, ...]]:
    if isinstance(nest, tuple):
        return [nest]
    return [each for inner in (nest.values() if isinstance(nest, dict) else nest) for each in _flat(inner)]


def _names(nest: Any, parameters: Sequence[str]) -> list[str]:
    if isinstance(nest, tuple):
        return [parameters[0]]
    if isinstance(nest, dict):
        return list(nest)
    return unique([f"{parameters[0]}_{i}" for i in range(len(nest))])


def _port(name: str, shape: Sequence[int | None], wished: Mapping[str, InputSpec]) -> Port:
    """Return the port. Axis 0 counts samples: of how many the model was built with says nothing."""
    request = wished.get(name)
    inner = shape[1:] if request is None or request.shape is None else request.shape
    return Port(name, (None, *(None if n == DYNAMIC else n for n in inner)), (request and request.dtype) or "float32")


def _packer(
    names: list[str], parameters: list[str], training: bool, nest: Any
) -> Callable[[Mapping[str, Any]], tuple[list[Any], dict[str, Any]]]:
    keywords = {"training": False} if training else {}

    def pack(feeds: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        if len(parameters) > 1 and set(names) <= set(parameters):
            return [], {**feeds, **keywords}
        values = list(feeds.values())
        if len(parameters) > 1 and len(parameters) == len(values):
            return values, dict(keywords)
        if isinstance(nest, dict):
            return [dict(zip(nest, values, strict=True))], dict(keywords)
        if isinstance(nest, list) or len(values) > 1:
            return [values], dict(keywords)
        return values, dict(keywords)

    return pack
