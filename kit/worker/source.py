"""The source model in memory: load it with the Keras that wrote it, and call it by names. Converts nothing."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kit.worker.job import InputWish, Job, JobError


@dataclass(frozen=True)
class Port:
    """An input or output of the source model."""

    name: str
    shape: tuple[int | None, ...]  # with the batch axis; None where the model leaves an axis open
    dtype: str  # "float32"


@dataclass(frozen=True)
class Source:
    """A loaded model. `call` maps input tensors by name to output tensors by name, in inference mode."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    call: Callable[[Mapping[str, Any]], dict[str, Any]]
    parameters: int
    loader: str


def load(path: Path, job: Job) -> Source:
    """Load a .keras or .h5 file. Raises JobError (kind "model") where Keras cannot."""
    keras = _keras(legacy=job.legacy_keras)
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=not job.allow_code)
    except Exception as error:
        raise JobError(
            "model", f"Keras {keras.__version__} cannot load the model: {_first_line(error)}", _remedy(error)
        ) from error
    return _describe(model, f"{keras.__name__} {keras.__version__}")


def fix_shapes(source: Source, wishes: Mapping[str, InputWish]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each input with batch 1. Raises JobError for an axis that nobody fixed."""
    fixed = {}
    for port in source.inputs:
        wish = wishes.get(port.name)
        inner = port.shape[1:]
        if wish and wish.shape is not None:
            fits = len(wish.shape) == len(inner) and all(a in (None, b) for a, b in zip(inner, wish.shape, strict=True))
            if not fits:
                raise JobError(
                    "recipe",
                    f"[[inputs]] {port.name}: shape {list(wish.shape)} does not fit the model's {list(inner)}",
                    "give the shape without the batch axis, or leave it out",
                )
            inner = wish.shape
        if None in inner:
            raise JobError(
                "recipe",
                f"input '{port.name}' leaves an axis open: {list(inner)}",
                f'fix it in the recipe: [[inputs]] name = "{port.name}" and shape = [...], without the batch axis',
            )
        fixed[port.name] = (1, *(int(n) for n in inner if n is not None))
    return fixed


def check_names(job: Job, source: Source) -> None:
    """Raise JobError (kind "recipe") where the recipe names an input or output that the model lacks."""
    for what, wishes, ports in (
        ("inputs", job.inputs, source.inputs),
        ("outputs", job.outputs, source.outputs),
    ):
        names = [port.name for port in ports]
        for wish in wishes:
            if wish.name not in names:
                raise JobError(
                    "recipe",
                    f"[[{what}]] name = '{wish.name}': the model has none of that name",
                    nearest(wish.name, names),
                )
    for output in job.outputs:
        classes = next(port.shape[-1] for port in source.outputs if port.name == output.name)
        if output.labels is not None and classes is not None and output.labels != classes:
            raise JobError(
                "recipe",
                f"[[outputs]] {output.name}: {output.labels} labels for {classes} classes",
                "give one label a line, in the order of the model's classes",
            )
    for wish in job.inputs:
        port = next(port for port in source.inputs if port.name == wish.name)
        if wish.picture and not port.dtype.startswith("float"):
            raise JobError(
                "recipe",
                f"[[inputs]] {wish.name}: kind 'image' is normalized to float, and the model takes {port.dtype}",
                'use kind = "tensor": this model takes the values as they are',
            )


def nearest(wanted: str, names: list[str]) -> str:
    """Return a hint: the nearest of the names, and all there are."""
    near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.4)
    return (f"did you mean '{near[0]}'? " if near else "") + "there is: " + ", ".join(names)


def _keras(*, legacy: bool) -> Any:
    """Return Keras 3, or for a legacy file Keras 2: tf_keras beside Keras 3, and `keras` itself before that."""
    if legacy:
        with suppress(ModuleNotFoundError):
            import tf_keras

            return tf_keras
    import keras

    return keras


def _describe(model: Any, loader: str) -> Source:
    if not getattr(model, "inputs", None):
        raise JobError(
            "model",
            "the model does not say what its inputs are: it was saved before it saw any",
            "call it once on data, or model.build(input_shape), and save it again",
        )
    nest = _structure(model, "inputs")
    inputs = tuple(_port(name, tensor) for name, tensor in _named(nest, _input_names(model)))
    nested_outputs = _structure(model, "outputs")
    outputs = tuple(_port(name, tensor) for name, tensor in _named(nested_outputs, _output_names(model)))

    def call(feeds: Mapping[str, Any]) -> dict[str, Any]:
        packed = tf.nest.pack_sequence_as(nest, [feeds[name] for name, _ in _named(nest, _input_names(model))])
        answers = tf.nest.flatten(model(packed, training=False))
        return dict(zip([port.name for port in outputs], answers, strict=True))

    return Source(inputs, outputs, call, int(model.count_params()), loader)


def _structure(model: Any, which: str) -> Any:
    """Return the nest of symbolic tensors that the model was built from: a tensor, a list or a dict."""
    for attribute in (f"_{which}_struct", f"_nested_{which}"):  # Keras 3, Keras 2
        nest = getattr(model, attribute, None)
        if nest is not None:
            return nest
    flat = list(getattr(model, which))
    return flat[0] if len(flat) == 1 else flat


def _input_names(model: Any) -> list[str]:
    names = getattr(model, "input_names", None)
    return list(names) if names else [tensor.name for tensor in model.inputs]


def _output_names(model: Any) -> list[str]:
    names = getattr(model, "output_names", None)
    if names:
        return list(names)
    return [tensor._keras_history.operation.name for tensor in model.outputs]


def _named(nest: Any, names: list[str]) -> list[tuple[str, Any]]:
    """Pair each tensor of a nest, in tf.nest's order, with its name: a dict's key, else the model's name for it."""
    if isinstance(nest, dict):
        return sorted(nest.items())
    flat = tf.nest.flatten(nest)
    return list(
        zip(
            _unique(names if len(names) == len(flat) else [f"output_{i}" for i in range(len(flat))]),
            flat,
            strict=True,
        )
    )


def _unique(names: list[str]) -> list[str]:
    """Give the second "dense" the name "dense_1", as Keras itself does."""
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        count = seen.get(name, 0)
        seen[name] = count + 1
        unique.append(f"{name}_{count}" if count else name)
    return unique


def _port(name: str, tensor: Any) -> Port:
    return Port(name, tuple(tensor.shape), np.dtype(tf.as_dtype(tensor.dtype).as_numpy_dtype).name)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]


def _remedy(error: Exception) -> str:
    text = str(error)
    if "Unknown layer" in text or "Could not locate class" in text or "Could not locate function" in text:
        return "it has layers of its own, which Keras cannot rebuild from the file; custom objects are not taken yet"
    if "lambda" in text.lower() or "safe_mode" in text:
        return (
            "it runs Python code on load: build it in a container (--engine docker), or set [model] allow_code = true"
        )
    return "load it with the Keras that wrote it and save it again; the log has the whole message"
