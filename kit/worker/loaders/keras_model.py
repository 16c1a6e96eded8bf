"""A Keras model as a Source: loaded by the Keras that wrote it, called by names, its layers' tensors at hand."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.autograph.core import ag_ctx  # the public module does not have it

from kit.shared.job import SIGNATURE, InputSpec, JobError, ModelPart
from kit.shared.stored_member import stored_members
from kit.worker.failures.causes import described, next_step
from kit.worker.loaders.asks import refuse_byte_code, refuse_config, refuse_weights
from kit.worker.loaders.dequantized import holds_int8, with_float_weights
from kit.worker.loaders.keras_choice import keras_of
from kit.worker.loaders.lambdas import Renamed, renamed_file
from kit.worker.loaders.load_errors import cannot
from kit.worker.loaders.open_layers import open_layers
from kit.worker.loaders.subclassed import Feed, feed_of, outputs_of
from kit.worker.loaders.tfmot_strip import stripped, without_clusters
from kit.worker.source.custom_objects import Custom
from kit.worker.source.model import Port, Signature, Source, Variable, nearest, unique
from kit.worker.source.precision import precision_note


def load(
    path: Path,
    part: ModelPart,
    custom: Custom,
    requests: Sequence[InputSpec],
    *,
    allow_code: bool,
    trusted: bool = False,
) -> Source:
    """Load a .keras or .h5 file. Raises JobError (kind "model") where Keras cannot, or the file asks for too much."""
    keras = keras_of(legacy=part.legacy_keras)
    with tempfile.TemporaryDirectory() as scratch, stored_members():
        path = without_clusters(path, part, Path(scratch) / "plain.h5")
        changed = Path(scratch) / f"model{part.format}"
        renamed = renamed_file(path, part, custom.objects, changed, allow_code=allow_code)
        file = changed if renamed.changed else path
        if not trusted:
            refuse_config(keras, renamed.text, renamed.objects)
            refuse_weights(path)
        if part.legacy_keras and not allow_code:
            refuse_byte_code(renamed.text)
        with renamed.proved():
            model = _model(keras, file, part, renamed, allow_code=allow_code)
            model, note = with_float_weights(keras, model, renamed.text, renamed.objects)
            model, more = stripped(keras, model)
            source = _described(keras, model, file, requests)
            renamed.try_out(source)
        notes = (*renamed.notes, *([note] if note else []), *more)
        return with_precision(replace(source, notes=(*source.notes, *notes)), renamed)


def _model(keras: Any, file: Path, part: ModelPart, renamed: Renamed, *, allow_code: bool) -> Any:
    try:
        # The scope, too: Keras 2 forgets the argument inside an .h5.
        with keras.utils.custom_object_scope(renamed.objects):
            return keras.models.load_model(
                file, custom_objects=renamed.objects, compile=False, safe_mode=not allow_code
            )
    except JobError:
        raise
    except Exception as error:
        model = _unbuilt(keras, renamed, allow_code=allow_code) if part.format == ".keras" else None
        if model is None:
            raise cannot(keras, "load the model", error, renamed, quantized=holds_int8(file)) from error
        return model


def _described(keras: Any, model: Any, file: Path, requests: Sequence[InputSpec]) -> Source:
    loader = f"{keras.__name__} {keras.__version__}"
    source = describe(model, loader, requests)
    if getattr(model, "inputs", None):
        return source
    # A subclassed model may have got its layers only in that call, and then its weights were passed over.
    call_once(source)
    try:
        model.load_weights(str(file))
    except Exception as error:
        raise cannot(keras, "load the model's weights", error) from error
    return describe(model, loader, requests)


def with_precision(source: Source, renamed: Renamed) -> Source:
    """Return the source with a note on the precision that it was trained in, where that is not float32."""
    if not renamed.precisions:
        return source
    return replace(source, notes=(*source.notes, precision_note(renamed.precisions)))


def _unbuilt(keras: Any, renamed: Renamed, *, allow_code: bool) -> Any:
    """Return a subclassed model of Keras's description without its weights, None where that is no way either.

    Keras cannot build one whose call takes several tensors.
    """
    config = json.loads(renamed.text)
    if config.get("class_name") in {"Functional", "Sequential", "Model"}:
        return None
    config.pop("build_config", None)
    with suppress(Exception), keras.utils.custom_object_scope(renamed.objects):
        return keras.saving.deserialize_keras_object(config, renamed.objects, safe_mode=not allow_code)
    return None


def call_once(source: Source) -> None:
    """Call the main signature with zeros, so that a subclassed model makes its variables."""
    main = source.signatures[0]
    main.call({port.name: tf.zeros([n or 1 for n in port.shape], port.dtype) for port in main.inputs})


def describe(model: Any, loader: str, requests: Sequence[InputSpec] = ()) -> Source:
    """Return a Keras model as a Source. requests describe the inputs of one that does not do it itself."""
    if getattr(model, "inputs", None):
        feed = _feed(model)
        outputs = tuple(_port(*pair) for pair in _named(_structure(model, "outputs"), _output_names(model)))
    else:
        feed = feed_of(model, requests)
        try:
            outputs = outputs_of(model, feed)
        except Exception as error:
            reported = ", ".join(f"{port.name} {list(port.shape)} {port.dtype}" for port in feed.inputs)
            raise JobError(
                "model",
                f"the model cannot be called with {reported}: {described(error)}",
                next_step(error, "give each tensor of its call, in its order, as [[inputs]] with name and shape"),
            ) from error
    layers = dict(_layers(model))

    def call(
        feeds: Mapping[str, Any], inner: Sequence[str] = (), given: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the outputs, and the tensors that `inner` names, in the shapes and dtypes that the model gives.

        feeds, given: as Call has them.
        """
        args, kwargs = feed.pack({port.name: feeds[port.name] for port in feed.inputs})
        given = given or {}
        for name in (*inner, *given):
            if _layer_of(name) not in layers:
                raise JobError("recipe", f"the model has no layer '{name}'", nearest(name, tuple(layers)))
        watched = {_layer_of(name): layers[_layer_of(name)] for name in (*inner, *given)}
        opened = open_layers if loader.startswith("keras 3") else nullcontext
        with _recorded(watched, given) as found, _autograph(), opened():
            predictions = tf.nest.flatten(model(*args, **kwargs))
        _refuse_given(found, given)
        named = dict(zip([port.name for port in outputs], predictions, strict=True))
        return named | {name: _inner(found[_layer_of(name)], name) for name in inner}

    main = Signature(SIGNATURE, feed.inputs, outputs, call)
    variables = _variables(model)
    names = {id(variable.value): variable.name for variable in variables}
    weights = tuple(names[id(getattr(each, "_value", each))] for each in _real(model.weights))
    return Source((main,), variables, tuple(layers), loader, structure=_json(model), weights=weights)


def _json(model: Any) -> str:
    """Return the model's structure as JSON, "" where it cannot say it: a subclassed one, or one with code."""
    with suppress(Exception):
        return str(model.to_json())
    return ""


def _layers(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every layer with its path: "head", and "backbone/conv1" for one of a model inside.

    An InputLayer is none: nothing ever calls it.
    """
    # Keras 3 has operations such as x + y beside the layers.
    for layer in getattr(model, "operations", None) or getattr(model, "layers", None) or ():
        if type(layer).__name__ != "InputLayer":
            yield prefix + layer.name, layer
            yield from _layers(layer, f"{prefix}{layer.name}/")


def _layer_of(name: str) -> str:
    """Return the layer of "encoder:1"."""
    head, _, tail = name.rpartition(":")
    return head if head and tail.isdigit() else name


def _inner(found: Sequence[Any], name: str) -> Any:
    """Return which of a layer's tensors a name means: the second for "encoder:1", the first for "encoder".

    found: the layer's tensors in order, of any shape and dtype.
    """
    layer = _layer_of(name)
    index = 0 if layer == name else int(name.rpartition(":")[2])
    if not found:
        raise JobError(
            "recipe",
            f"the layer '{layer}' is not on the way from inputs to outputs",
            "name a layer that the outputs depend on: `kit inspect` lists the layers of the file",
        )
    if index >= len(found):
        raise JobError(
            "recipe",
            f"the layer '{layer}' gives {len(found)} tensors, and '{name}' would be one more",
            f"name one from '{layer}' to '{layer}:{len(found) - 1}'",
        )
    tensor = found[index]
    symbolic = not isinstance(tensor, tf.__internal__.EagerTensor)
    if symbolic and tensor.graph is not tf.compat.v1.get_default_graph():
        raise JobError(
            "recipe",
            f"the layer '{layer}' runs inside a loop or a branch, where no output can be taken from",
            "name the layer around it",
        )
    return tensor


def _refuse_given(found: Mapping[str, list[Any]], given: Mapping[str, Any]) -> None:
    """Raise JobError for a layer that no tensor can stand in for: one that also makes a mask, or runs several times.

    found, given: tensors of any shape and dtype, by layer and by name.
    """
    for name, tensor in given.items():
        layer = _layer_of(name)
        if any(getattr(each, "_keras_mask", None) is not None for each in (tensor, *found[layer])):
            raise JobError(
                "recipe",
                f"[[inputs]] source = '{layer}': this layer also makes a mask of what comes before it, and the layers "
                "behind it use that",
                "name the layer before it, or one behind those that use the mask",
            )
        if sum(each is tensor for each in found[layer]) != 1:
            raise JobError(
                "recipe",
                f"[[inputs]] source = '{layer}': this layer is not run once in a call of the model",
                "name a layer that runs once on the way to the outputs",
            )


def _replaced(output: Any, name: str, given: Mapping[str, Any]) -> Any:
    """Return a layer's output with the tensors that are given for it in their places.

    output: a tensor, or a nest of some; those that are given have the shape and dtype of those in it.
    """
    if not any(_layer_of(each) == name for each in given):
        return output
    flat = tf.nest.flatten(output)
    for each, tensor in given.items():
        if _layer_of(each) == name:
            at = 0 if each == name else int(each.rpartition(":")[2])
            if at >= len(flat):
                raise JobError(
                    "recipe",
                    f"[[inputs]] source = '{each}': the layer gives {len(flat)} tensors",
                    f"name one from '{name}' to '{name}:{len(flat) - 1}'",
                )
            flat[at] = tensor
    return tf.nest.pack_sequence_as(output, flat)


@contextmanager
def _recorded(layers: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[dict[str, list[Any]]]:
    """Give a mapping that fills up with what each of these layers returns, call after call, during the block.

    A layer returns what is given for it.

    given: tensors by name, in the shape and dtype of what the layer returns.
    """
    found: dict[str, list[Any]] = {name: [] for name in layers}

    def watch(name: str, layer: Any) -> None:
        original, own = layer.call, "call" in vars(layer)  # a layer made of a function has a `call` of its own

        def call(*args: Any, **kwargs: Any) -> Any:
            output = _replaced(original(*args, **kwargs), name, given)
            found[name].extend(tf.nest.flatten(output))
            return output

        # Past Keras's own __setattr__, which would track it.
        object.__setattr__(layer, "call", call)
        if own:
            stack.callback(object.__setattr__, layer, "call", original)
        else:
            stack.callback(object.__delattr__, layer, "call")

    with ExitStack() as stack:
        for name, layer in layers.items():
            watch(name, layer)
        yield found


def _autograph() -> Any:
    """Let Keras 2 turn a layer's own `if` on a tensor into a graph's, as it does when it calls the model itself."""
    return ag_ctx.ControlStatusCtx(status=ag_ctx.Status.ENABLED)


def _variables(model: Any) -> tuple[Variable, ...]:
    """Return the model's variables by their layer's path, the same in each Keras: "head/kernel"."""
    listed = _real(getattr(model, "variables", model.weights))
    named: dict[int, tuple[int, str]] = {}  # the innermost layer that has it gives the name
    for path, layer in _layers(model):
        depth = path.count("/")
        for each in _real(getattr(layer, "variables", ())):
            if named.get(id(each), (-1, ""))[0] < depth:
                named[id(each)] = (depth, _variable_name(path, layer.name, each))
    values = [getattr(each, "_value", each) for each in listed]  # Keras 3 wraps a tf.Variable
    names = [named.get(id(each), (0, _own_name(each)))[1] for each in listed]
    return tuple(Variable(name, value) for name, value in zip(unique(names), values, strict=True))


def _real(variables: Iterable[Any]) -> list[Any]:
    """Return the variables without what Keras 2 counts among them beside them: a text layer's vocabulary."""
    return [each for each in variables if hasattr(each, "shape") and hasattr(each, "name")]


def _own_name(variable: Any) -> str:
    return str(getattr(variable, "path", variable.name)).removesuffix(":0")


def _variable_name(path: str, layer: str, variable: Any) -> str:
    """Return "backbone/conv/kernel" for the variable "conv/kernel" of the layer "backbone/conv"."""
    parts = _own_name(variable).split("/")
    below = parts[parts.index(layer) + 1 :] if layer in parts else parts
    return "/".join([path, *below])


def _feed(model: Any) -> Feed:
    nest = _structure(model, "inputs")
    ports = tuple(_port(*pair) for pair in _named(nest, _input_names(model)))

    def pack(feeds: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Return the call's arguments: tensors, of any shape and dtype, in the nest that the model was built from."""
        return [tf.nest.pack_sequence_as(nest, list(feeds.values()))], {"training": False}

    return Feed(ports, pack)


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
    flat = tf.nest.flatten(nest)
    if isinstance(nest, dict) and len(nest) == len(flat):
        return sorted(nest.items())
    return list(
        zip(
            unique(names if len(names) == len(flat) else [f"output_{i}" for i in range(len(flat))]),
            flat,
            strict=True,
        )
    )


def _port(name: str, tensor: Any) -> Port:
    """Return the port of a symbolic tensor, with its shape and dtype."""
    return Port(name, tuple(tensor.shape), np.dtype(tf.as_dtype(tensor.dtype).as_numpy_dtype).name)
