"""What the layers of Keras make of shapes, class by class, where channels are last. Shapes here have no batch axis.

A rule returns None, or raises as Python does, where the words of a configuration are not enough.
Source of the rules: compute_output_shape of keras.layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kit.source_model.layer_graph import Layer, Shape

_AS_THEY_ARE = frozenset(
    """
    Activation ActivityRegularization AlphaDropout BatchNormalization Dropout ELU GaussianDropout GaussianNoise
    GroupNormalization Identity LayerNormalization LeakyReLU Masking Normalization PReLU ReLU Rescaling
    RMSNormalization Softmax SpatialDropout1D SpatialDropout2D SpatialDropout3D ThresholdedReLU UnitNormalization
    RandomFlip RandomRotation RandomZoom RandomContrast RandomTranslation RandomBrightness
    """.split()
)
_MERGED = frozenset("Add Average Maximum Minimum Multiply Subtract".split())
_RECURRENT = frozenset("LSTM GRU SimpleRNN CuDNNLSTM CuDNNGRU".split())
Inputs = Sequence[Shape]
Rule = Callable[[Layer, Inputs], Shape | None]


def _same(_layer: Layer, inputs: Inputs) -> Shape:
    return inputs[0]


def _merged(_layer: Layer, inputs: Inputs) -> Shape | None:
    """Return the shape of a sum: an axis of 1 takes the size of the others. None where they do not fit."""
    if len({len(shape) for shape in inputs}) != 1:
        return None
    axes = [set(axis) for axis in zip(*inputs, strict=True)]
    if any(len(axis - {1, None}) > 1 for axis in axes):
        return None
    return tuple(None if None in axis else max(size or 0 for size in axis) for axis in axes)


def _recurrent(layer: Layer, inputs: Inputs) -> Shape | None:
    return _of_cells(layer.config, inputs[0])


def _of_cells(config: Mapping[str, Any], shape: Shape) -> Shape | None:
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
    if layer.kind.startswith("Global"):
        return (*([1] * (len(shape) - 1) if config.get("keepdims") else []), shape[-1])
    spatial = len(shape) - 1
    pool = _axes(config["pool_size"], spatial)
    strides = _axes(config.get("strides") or config["pool_size"], spatial)
    sizes = zip(shape[:-1], pool, strides, strict=True)
    return (*(_slid(size, k, s, config.get("padding", "valid")) for size, k, s in sizes), shape[-1])


def _each(value: Any, count: int) -> list[Any]:
    return value if isinstance(value, list) else [value] * count


def _axes(value: Any, count: int) -> list[int]:
    return [int(size) for size in _each(value, count)]


def _slid(size: int | None, kernel: int, stride: int, padding: str) -> int | None:
    """Return how many places a window has. Raises ValueError for another padding. Source: tf.nn.convolution."""
    if padding not in {"same", "causal", "valid"}:
        raise ValueError(padding)
    if size is None:
        return None
    return -(-(size if padding != "valid" else size - kernel + 1) // stride)


def _enlarged(size: int | None, kernel: int, stride: int, padding: str) -> int | None:
    return None if size is None else size * stride + (max(kernel - stride, 0) if padding == "valid" else 0)


def _upsampled(layer: Layer, inputs: Inputs) -> Shape:
    shape = inputs[0]
    factors = _axes(layer.config.get("size", 2), len(shape) - 1)
    return (*(size and size * factor for size, factor in zip(shape[:-1], factors, strict=True)), shape[-1])


def _padded(layer: Layer, inputs: Inputs) -> Shape:
    shape = inputs[0]
    cropped = layer.kind.startswith("Cropping")
    raw = layer.config["cropping" if cropped else "padding"]
    pairs = [raw] if len(shape) == 2 and isinstance(raw, list) else _each(raw, len(shape) - 1)
    added = [sum(int(n) for n in _each(pair, 2)) * (-1 if cropped else 1) for pair in pairs]
    sizes = zip(shape[:-1], added, strict=True)
    return (*(None if size is None else size + both for size, both in sizes), shape[-1])


def _both_ways(layer: Layer, inputs: Inputs) -> Shape | None:
    inner = layer.config["layer"]
    shape = _of_cells(inner["config"], inputs[0]) if inner["class_name"].rpartition(">")[2] in _RECURRENT else None
    if shape is None or layer.config.get("merge_mode", "concat") != "concat":
        return shape if layer.config.get("merge_mode") else None
    return (*shape[:-1], 2 * int(shape[-1] or 0))


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


def _attended(layer: Layer, inputs: Inputs) -> Shape:
    own = layer.config.get("output_shape")
    return (*inputs[0][:-1], *_axes(own, 1)) if own else inputs[0]


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_AS_THEY_ARE, _same),
    **dict.fromkeys(_MERGED, _merged),
    **dict.fromkeys(_RECURRENT, _recurrent),
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
    **dict.fromkeys(("UpSampling1D", "UpSampling2D", "UpSampling3D"), _upsampled),
    **dict.fromkeys([f"{way}{n}D" for way in ("ZeroPadding", "Cropping") for n in (1, 2, 3)], _padded),
    **dict.fromkeys(
        """
        Conv1D Conv2D Conv3D SeparableConv1D SeparableConv2D DepthwiseConv1D DepthwiseConv2D
        Conv1DTranspose Conv2DTranspose Conv3DTranspose Convolution1D Convolution2D
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
