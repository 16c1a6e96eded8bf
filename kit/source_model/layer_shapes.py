"""Shapes that a Keras model's layers give, read off its JSON: what it says of them, and what follows from that.

Keras 3 writes the shape of a tensor beside the layer that takes it, Keras 2 those of inputs alone. The rest follows
layer by layer, by Keras's own rules, where channels are last; of a layer that is not known here there is no shape.
Source of the rules: compute_output_shape of keras.layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Shape = tuple[int, ...]  # with the batch axis; -1 for an open one
Rule = Callable[[Mapping[str, Any], Sequence[Shape]], "Shape | None"]

_AS_IT_IS = frozenset(
    """
    Activation ActivityRegularization AlphaDropout BatchNormalization Dropout ELU GaussianDropout GaussianNoise
    GroupNormalization Identity LayerNormalization LeakyReLU Masking Normalization PReLU RandomContrast RandomFlip
    RandomRotation RandomTranslation RandomZoom ReLU Rescaling Softmax SpatialDropout1D SpatialDropout2D ThresholdedReLU
    UnitNormalization
    """.split()
)
_SUMS = frozenset("Add Average Maximum Minimum Multiply Subtract".split())


def layer_shapes(config: Mapping[str, Any]) -> dict[str, Shape]:
    """Return the shape that each layer of the outermost model gives, by its name; of a layer with several the first."""
    body = config.get("config")
    layers = body.get("layers") if isinstance(body, Mapping) else body
    rows = [layer for layer in layers if isinstance(layer, Mapping)] if isinstance(layers, list) else []
    found = _stated(rows)
    last: Shape | None = None
    for layer in rows:
        own, name = _own(layer), layer_name(layer)
        inputs = [found.get(each) for each in _sources(layer)] if "inbound_nodes" in layer else [last]
        if name not in found:
            shape = _of_input(own) or _after(str(layer.get("class_name")), own, inputs)
            if shape:
                found[name] = shape
        last = found.get(name)
    return found


def layer_name(layer: Mapping[str, Any]) -> str:
    """Return a layer's name, as the model has it."""
    return str(_own(layer).get("name") or layer.get("name") or "")


def _own(layer: Mapping[str, Any]) -> Mapping[str, Any]:
    own = layer.get("config")
    return own if isinstance(own, Mapping) else {}


def _stated(layers: Sequence[Mapping[str, Any]]) -> dict[str, Shape]:
    """Return what the layers that take a tensor say of the one that gives it."""
    found: dict[str, Shape] = {}
    for layer in layers:
        for tensor in _tensors(layer.get("inbound_nodes"), 0):
            shape = numbers(tensor.get("shape"))
            history = tensor.get("keras_history")
            if shape and isinstance(history, list) and history[1:] == [0, 0]:
                found.setdefault(str(history[0]), shape)
    return found


def _tensors(value: Any, depth: int) -> list[Mapping[str, Any]]:
    """Return the configurations of the tensors anywhere in the call of a layer of Keras 3."""
    if depth > 20:
        return []
    if isinstance(value, Mapping):
        own = value.get("config")
        if value.get("class_name") == "__keras_tensor__" and isinstance(own, Mapping):
            return [own]
        return [found for each in value.values() for found in _tensors(each, depth + 1)]
    return [found for each in value for found in _tensors(each, depth + 1)] if isinstance(value, list) else []


def _sources(layer: Mapping[str, Any]) -> list[str]:
    """Return the layers whose tensors a layer takes in its first call."""
    nodes = layer.get("inbound_nodes")
    first = nodes[0] if isinstance(nodes, list) and nodes else None
    if isinstance(first, Mapping):
        histories = [tensor.get("keras_history") for tensor in _tensors(first, 0)]
        return [str(history[0]) for history in histories if isinstance(history, list) and history]
    calls = first if isinstance(first, list) and first and isinstance(first[0], list) else [first]
    return [str(call[0]) for call in calls if isinstance(call, list) and call]


def _of_input(config: Mapping[str, Any]) -> Shape | None:
    return numbers(config.get("batch_shape") or config.get("batch_input_shape")) if _is_input(config) else None


def _is_input(config: Mapping[str, Any]) -> bool:
    # Other layers of Keras 2 have a batch_input_shape, too: it is what they take.
    return "sparse" in config and ("batch_shape" in config or "batch_input_shape" in config)


def _after(kind: str, config: Mapping[str, Any], inputs: Sequence[Shape | None]) -> Shape | None:
    """Return what a layer gives for its inputs, None where that is not known."""
    first = numbers(config.get("batch_input_shape"))
    given = [shape or first for shape in inputs]
    known = [shape for shape in given if shape]
    if not known or len(known) != len(given) or config.get("data_format") == "channels_first":
        return None
    if kind in _AS_IT_IS:
        return known[0]
    if kind in _SUMS:
        return known[0] if len(set(known)) == 1 else None
    try:
        rule = _RULES.get(kind) or _RULES.get(kind[:-2]) if kind[-2:] in {"1D", "2D", "3D"} else _RULES.get(kind)
        shape = rule(config, known) if rule else None
    except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    whole = shape and all(type(size) is int and (size == -1 or size > 0) for size in shape)
    return shape if whole else None


def numbers(sizes: Any) -> Shape | None:
    """Return a shape of JSON, -1 for an open axis; None where it is none."""
    if isinstance(sizes, list) and sizes and all(size is None or type(size) is int for size in sizes):
        return tuple(-1 if size is None else size for size in sizes)
    return None


def _dense(config: Mapping[str, Any], inputs: Sequence[Shape]) -> Shape:
    return (*inputs[0][:-1], config["units"])


def _window(config: Mapping[str, Any], shape: Shape, sizes: Sequence[int], strides: Sequence[int]) -> Shape:
    """Return the axes between batch and channels behind a window that goes over them."""
    axes = shape[1:-1]
    spread = config.get("dilation_rate") or [1] * len(axes)
    spread = [spread] * len(axes) if isinstance(spread, int) else spread
    if config["padding"] not in {"same", "valid", "causal"} or not len(axes) == len(sizes) == len(strides):
        raise ValueError
    whole = config["padding"] != "valid"
    return tuple(
        axis if axis < 0 else -(-(axis if whole else axis - (size - 1) * step) // stride)
        for axis, size, stride, step in zip(axes, sizes, strides, spread, strict=True)
    )


def _each(value: Any, count: int) -> Sequence[int]:
    return [value] * count if isinstance(value, int) else value


def _convolution(config: Mapping[str, Any], inputs: Sequence[Shape]) -> Shape:
    (shape, *_), axes = inputs, len(inputs[0]) - 2
    sizes, strides = _each(config["kernel_size"], axes), _each(config["strides"], axes)
    return (shape[0], *_window(config, shape, sizes, strides), config["filters"])


def _depthwise(config: Mapping[str, Any], inputs: Sequence[Shape]) -> Shape:
    return _convolution(dict(config) | {"filters": inputs[0][-1] * config["depth_multiplier"]}, inputs)


def _transposed(config: Mapping[str, Any], inputs: Sequence[Shape]) -> Shape:
    (shape, *_), axes = inputs, len(inputs[0]) - 2
    if config.get("output_padding") or any(each != 1 for each in _each(config.get("dilation_rate", 1), axes)):
        raise ValueError
    pairs = zip(_each(config["kernel_size"], axes), _each(config["strides"], axes), shape[1:-1], strict=True)
    same = config["padding"] == "same"
    sizes = (n if n < 0 else n * stride + (0 if same else max(size - stride, 0)) for size, stride, n in pairs)
    return (shape[0], *sizes, config["filters"])


def _pooling(config: Mapping[str, Any], inputs: Sequence[Shape]) -> Shape:
    (shape, *_), axes = inputs, len(inputs[0]) - 2
    sizes = _each(config["pool_size"], axes)
    strides = _each(config.get("strides") or sizes, axes)
    return (shape[0], *_window(config, shape, sizes, strides), shape[-1])


def _global_pooling(config: Mapping[str, Any], inputs: Sequence[Shape]) -> Shape:
    shape = inputs[0]
    return (shape[0], *((1,) * (len(shape) - 2) if config.get("keepdims") else ()), shape[-1])


def _flatten(_: Mapping[str, Any], inputs: Sequence[Shape]) -> Shape:
    rest = inputs[0][1:]
    return (inputs[0][0], -1 if -1 in rest else math.prod(rest))


def _reshape(config: Mapping[str, Any], inputs: Sequence[Shape]) -> Shape:
    target, rest = [*config["target_shape"]], inputs[0][1:]
    if -1 in target and -1 not in rest:
        at = target.index(-1)
        target[at] = math.prod(rest) // math.prod(size for size in target if size != -1)
    return (inputs[0][0], *target)


def _permute(config: Mapping[str, Any], inputs: Sequence[Shape]) -> Shape:
    return (inputs[0][0], *(inputs[0][axis] for axis in config["dims"]))


def _concatenate(config: Mapping[str, Any], inputs: Sequence[Shape]) -> Shape:
    axis = config.get("axis", -1) % len(inputs[0])
    sizes = [shape[axis] for shape in inputs]
    return (*inputs[0][:axis], -1 if -1 in sizes else sum(sizes), *inputs[0][axis + 1 :])


def _padding(config: Mapping[str, Any], inputs: Sequence[Shape]) -> Shape:
    shape, added = inputs[0], config["padding"]
    pairs = [[each, each] if isinstance(each, int) else each for each in _each(added, len(shape) - 2)]
    pairs = [added] if len(shape) == 3 and isinstance(added, list) else pairs
    return (shape[0], *(n if n < 0 else n + sum(p) for n, p in zip(shape[1:-1], pairs, strict=True)), shape[-1])


def _enlarged(config: Mapping[str, Any], inputs: Sequence[Shape]) -> Shape:
    shape, times = inputs[0], _each(config["size"], len(inputs[0]) - 2)
    return (shape[0], *(n if n < 0 else n * t for n, t in zip(shape[1:-1], times, strict=True)), shape[-1])


def _embedding(config: Mapping[str, Any], inputs: Sequence[Shape]) -> Shape:
    return (*inputs[0], config["output_dim"])


def _recurrent(config: Mapping[str, Any], inputs: Sequence[Shape]) -> Shape:
    steps = inputs[0][1:2] if config.get("return_sequences") else ()
    if config.get("return_state"):
        raise ValueError
    return (inputs[0][0], *steps, config["units"])


def _repeated(config: Mapping[str, Any], inputs: Sequence[Shape]) -> Shape:
    return (inputs[0][0], config["n"], inputs[0][-1])


_RULES: Mapping[str, Rule] = {
    "Dense": _dense,
    "Conv": _convolution,
    "SeparableConv": _convolution,
    "DepthwiseConv": _depthwise,
    "Conv2DTranspose": _transposed,
    "MaxPooling": _pooling,
    "AveragePooling": _pooling,
    "GlobalMaxPooling": _global_pooling,
    "GlobalAveragePooling": _global_pooling,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "Concatenate": _concatenate,
    "ZeroPadding": _padding,
    "UpSampling": _enlarged,
    "Embedding": _embedding,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "SimpleRNN": _recurrent,
    "RepeatVector": _repeated,
}
