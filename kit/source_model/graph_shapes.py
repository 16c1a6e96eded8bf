"""The shape that each layer of a Keras model gives, by the words of its configuration. Loads nothing, guesses nothing.

A class that is not here, and all that follows from it, has no shape: the worker, which loads the model, knows it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kit.source_model.layer_graph import Layer, LayerGraph, Shape, shape_of

_AS_THEY_ARE = frozenset(
    """
    Activation ActivityRegularization AlphaDropout BatchNormalization Dropout ELU GaussianDropout GaussianNoise
    GroupNormalization Identity LayerNormalization LeakyReLU Masking Normalization PReLU ReLU Rescaling
    RMSNormalization Softmax SpatialDropout1D SpatialDropout2D SpectralNormalization ThresholdedReLU UnitNormalization
    RandomFlip RandomRotation RandomZoom RandomContrast RandomTranslation RandomBrightness
    """.split()
)
_MERGED = frozenset("Add Average Maximum Minimum Multiply Subtract".split())
_RECURRENT = frozenset("LSTM GRU SimpleRNN CuDNNLSTM CuDNNGRU".split())
Inputs = Sequence[Shape]


def layer_shapes(graph: LayerGraph, given: Mapping[str, Shape] | None = None) -> dict[str, Shape]:
    """Return what each layer gives for one sample, by its name: of the layers that it is known of.

    given: the shapes of the inputs by layer, where they are not those of the file.
    """
    found: dict[str, Shape] = dict(given or {})
    for name in graph.layers:
        _find(graph, name, found)
    return found


def _find(graph: LayerGraph, name: str, found: dict[str, Shape]) -> None:
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
                shape = _shape(layer, found)
                if shape is not None:
                    found[at] = shape
            continue
        entered.add(at)
        waiting += [source for source in missing if source not in entered]


def _shape(layer: Layer, found: Mapping[str, Shape]) -> Shape | None:
    own = shape_of(layer.config.get("batch_shape") or layer.config.get("batch_input_shape"))
    if layer.kind == "InputLayer":
        return own
    inputs = [found[source] for source in layer.sources if source in found]
    if len(inputs) < len(layer.sources):
        inputs = list(layer.given) if len(layer.given) == len(layer.sources) else []
    if not layer.sources and own is not None:  # the first of a Sequential without an input layer
        inputs = [own]
    try:
        return _given(layer, inputs) if inputs else None
    except (TypeError, ValueError, KeyError, IndexError, ZeroDivisionError, AttributeError):
        return None  # a configuration that Keras did not write


def _given(layer: Layer, inputs: Inputs) -> Shape | None:
    if layer.inner is not None:
        return _of_model(layer.inner, inputs)
    if layer.kind in _AS_THEY_ARE:
        return inputs[0]
    if layer.kind in _MERGED:
        return _broadcast(inputs)
    if layer.kind in _RECURRENT:
        return _recurrent(layer.config, inputs[0])
    of_class = _CLASSES.get(layer.kind)
    return of_class(layer, inputs) if of_class is not None else None


def _of_model(model: LayerGraph, inputs: Inputs) -> Shape | None:
    if len(model.outputs) != 1:
        return None
    if model.inputs:
        return layer_shapes(model, dict(zip(model.inputs, inputs, strict=True))).get(model.outputs[0])
    shape: Shape | None = inputs[0]
    for layer in model.layers.values():  # a Sequential without an input layer
        shape = _given(layer, [shape]) if shape is not None else None
    return shape


def _broadcast(inputs: Inputs) -> Shape | None:
    ranks = {len(shape) for shape in inputs}
    if len(ranks) != 1:
        return None
    return tuple(None if None in axis else max(axis, key=lambda n: n or 0) for axis in zip(*inputs, strict=True))


def _recurrent(config: Mapping[str, Any], shape: Shape) -> Shape | None:
    if config.get("return_state"):
        return None  # several tensors
    units = int(config["units"])
    return (shape[0], units) if config.get("return_sequences") else (units,)


def _concatenated(layer: Layer, inputs: Inputs) -> Shape | None:
    rank = len(inputs[0])
    axis = int(layer.config.get("axis", -1))
    place = axis - 1 if axis > 0 else rank + axis
    if axis == 0 or not 0 <= place < rank or any(len(shape) != rank for shape in inputs):
        return None
    sizes = [shape[place] for shape in inputs]
    total = None if None in sizes else sum(int(size or 0) for size in sizes)
    return (*inputs[0][:place], total, *inputs[0][place + 1 :])


def _flat(_layer: Layer, inputs: Inputs) -> Shape:
    shape = inputs[0]
    return (None if None in shape else math.prod(int(size or 0) for size in shape),)


def _reshaped(layer: Layer, inputs: Inputs) -> Shape | None:
    target = [int(size) for size in layer.config["target_shape"]]
    if target.count(-1) == 1:
        if None in inputs[0]:
            return tuple(None if size == -1 else size for size in target)
        whole = math.prod(int(size or 0) for size in inputs[0])
        rest = math.prod(size for size in target if size != -1)
        return tuple(whole // rest if size == -1 else size for size in target)
    return tuple(target)


def _convolved(layer: Layer, inputs: Inputs) -> Shape | None:
    config, shape = layer.config, inputs[0]
    if config.get("data_format") == "channels_first":
        return None
    spatial = len(shape) - 1
    if layer.kind.startswith("Depthwise"):
        channels = shape[-1] * int(config.get("depth_multiplier", 1)) if shape[-1] else None
    else:
        channels = int(config["filters"])
    kernel, strides = _axes(config["kernel_size"], spatial), _axes(config.get("strides", 1), spatial)
    dilation = _axes(config.get("dilation_rate", 1), spatial)
    reach = [(size - 1) * factor + 1 for size, factor in zip(kernel, dilation, strict=True)]
    sizes = zip(shape[:-1], reach, strides, strict=True)
    if layer.kind.endswith("Transpose"):
        if config.get("output_padding") is not None or max(dilation) > 1:
            return None
        return (*(_enlarged(size, k, s, config["padding"]) for size, k, s in sizes), channels)
    return (*(_slid(size, k, s, config.get("padding", "valid")) for size, k, s in sizes), channels)


def _pooled(layer: Layer, inputs: Inputs) -> Shape | None:
    config, shape = layer.config, inputs[0]
    if config.get("data_format") == "channels_first":
        return None
    if layer.kind.startswith("Global"):
        return (*([1] * (len(shape) - 1) if config.get("keepdims") else []), shape[-1])
    spatial = len(shape) - 1
    pool = _axes(config["pool_size"], spatial)
    strides = _axes(config.get("strides") or config["pool_size"], spatial)
    sizes = zip(shape[:-1], pool, strides, strict=True)
    return (*(_slid(size, k, s, config.get("padding", "valid")) for size, k, s in sizes), shape[-1])


def _axes(value: Any, count: int) -> list[int]:
    return [int(size) for size in value] if isinstance(value, list) else [int(value)] * count


def _slid(size: int | None, kernel: int, stride: int, padding: str) -> int | None:
    """Return how many places a window has. Source: tf.nn.convolution."""
    if size is None:
        return None
    return -(-(size if padding in {"same", "causal"} else size - kernel + 1) // stride)


def _enlarged(size: int | None, kernel: int, stride: int, padding: str) -> int | None:
    return None if size is None else size * stride + (max(kernel - stride, 0) if padding == "valid" else 0)


def _upsampled(layer: Layer, inputs: Inputs) -> Shape:
    shape = inputs[0]
    factors = _axes(layer.config.get("size", 2), len(shape) - 1)
    return (*(size and size * factor for size, factor in zip(shape[:-1], factors, strict=True)), shape[-1])


def _padded(layer: Layer, inputs: Inputs) -> Shape:
    shape = inputs[0]
    raw = layer.config["cropping" if layer.kind.startswith("Cropping") else "padding"]
    pairs = [raw] if len(shape) == 2 else raw
    sign = -1 if layer.kind.startswith("Cropping") else 1
    sizes = zip(shape[:-1], (sum(int(n) for n in pair) for pair in pairs), strict=True)
    return (*(size and size + sign * both for size, both in sizes), shape[-1])


def _both_ways(layer: Layer, inputs: Inputs) -> Shape | None:
    inner = layer.config["layer"]
    shape = _recurrent(inner["config"], inputs[0])
    if shape is None or layer.config.get("merge_mode", "concat") != "concat":
        return shape if layer.config.get("merge_mode") else None
    return (*shape[:-1], 2 * int(shape[-1] or 0))


def _distributed(layer: Layer, inputs: Inputs) -> Shape | None:
    inner = layer.config["layer"]
    one = Layer("", str(inner["class_name"]).rpartition(">")[2], inner["config"])
    shape = _given(one, [inputs[0][1:]])
    return None if shape is None else (inputs[0][0], *shape)


def _embedded(layer: Layer, inputs: Inputs) -> Shape:
    return (*inputs[0], int(layer.config["output_dim"]))


def _vectorized(layer: Layer, _inputs: Inputs) -> Shape | None:
    length = layer.config.get("output_sequence_length")
    if layer.config.get("output_mode", "int") != "int" or (length is not None and type(length) is not int):
        return None
    return (length,)


def _permuted(layer: Layer, inputs: Inputs) -> Shape:
    return tuple(inputs[0][int(place) - 1] for place in layer.config["dims"])


def _dense(layer: Layer, inputs: Inputs) -> Shape:
    return (*inputs[0][:-1], int(layer.config["units"]))


def _attended(_layer: Layer, inputs: Inputs) -> Shape:
    return inputs[0]


_OfClass = Callable[[Layer, Inputs], Shape | None]
_CLASSES: Mapping[str, _OfClass] = {
    "Bidirectional": _both_ways,
    "Concatenate": _concatenated,
    "Dense": _dense,
    "Embedding": _embedded,
    "Flatten": _flat,
    "MultiHeadAttention": _attended,
    "Permute": _permuted,
    "RepeatVector": lambda layer, inputs: (int(layer.config["n"]), *inputs[0]),
    "Reshape": _reshaped,
    "TextVectorization": _vectorized,
    "StringLookup": lambda layer, inputs: inputs[0] if layer.config.get("output_mode", "int") == "int" else None,
    "TimeDistributed": _distributed,
    **dict.fromkeys(("UpSampling1D", "UpSampling2D", "UpSampling3D"), _upsampled),
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D"), _padded),
    **dict.fromkeys(
        """
        Conv1D Conv2D Conv3D SeparableConv1D SeparableConv2D DepthwiseConv1D DepthwiseConv2D Conv2DTranspose
        Convolution1D Convolution2D
        """.split(),
        _convolved,
    ),
    **dict.fromkeys(
        [
            *(f"{way}Pooling{n}D" for way in ("Max", "Average") for n in (1, 2, 3)),
            *(f"Global{way}Pooling{n}D" for way in ("Max", "Average") for n in (1, 2, 3)),
        ],
        _pooled,
    ),
}
