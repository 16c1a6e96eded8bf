"""The outputs of a call as real values: their best classes, their numbers, or what is decoded of them."""

import numpy as np
import preprocess

from .decode import Decoded, decode
from .entries import Classes, ClassScore, Values
from .files import Array, Arrays
from .frame import Frame
from .numbers import MOST_VALUES, number
from .signature import Signature
from .tensor import Tensor

Read = Classes | Values | Decoded


def read_outputs(signature: Signature, produced: Arrays, top: int, frame: Frame) -> dict[str, Read]:
    """Return what a report says of each output by name. produced: [*shape] of each tensor in its dtype."""
    read: dict[str, Read] = {}
    for name, tensor in signature.outputs.items():
        decoded = None if tensor.form is None else _decoded(tensor, signature, produced, frame)
        read[name] = decoded or read_output(tensor, produced[name], top)
    return read


def _decoded(tensor: Tensor, signature: Signature, produced: Arrays, frame: Frame) -> Decoded | None:
    """Return what an output holds, None where a call has several samples: those are numbers for the app.

    produced: [*shape] of each tensor in its dtype.
    """
    if tensor.form is None or (tensor.batched and len(produced[tensor.name]) != 1):
        return None
    real = {name: to_real(other, produced[name]) for name, other in signature.outputs.items()}
    single = {name: values[0] if signature.outputs[name].batched else values for name, values in real.items()}
    return decode(tensor.form, tensor.name, single, frame)


def read_output(tensor: Tensor, produced: Array, top: int) -> Classes | Values:
    """Return the best `top` classes of one output, or its values. produced: [*shape] in the tensor's dtype."""
    real = to_real(tensor, produced)
    if tensor.kind == "classes" and real.size == real.shape[-1]:
        scores = preprocess.apply_activation(real.reshape(-1), tensor.activation)
        order = np.argsort(np.where(np.isnan(scores), np.inf, -scores), kind="stable")[:top]
        return Classes(tuple(_class_score(tensor, int(index), scores) for index in order))
    return values_of(tensor, real)


def values_of(tensor: Tensor, real: Array) -> Values:
    """Return the limits and the first values of real values of any shape and dtype."""
    values = real.reshape(-1)
    finite = values[np.isfinite(values)]
    return Values(
        dtype=tensor.dtype,
        shape=real.shape,
        min=number(finite.min()) if finite.size else None,
        max=number(finite.max()) if finite.size else None,
        values=tuple(number(value) for value in values[:MOST_VALUES]),
        truncated=values.size > MOST_VALUES,
    )


def to_real(tensor: Tensor, produced: Array) -> Array:
    """Return real values of produced's shape: float32 where the tensor is quantized, else produced as it is."""
    if tensor.scale is None:
        return produced
    return preprocess.dequantize(produced, tensor.scale, tensor.zero_point)


def _class_score(tensor: Tensor, index: int, scores: Array) -> ClassScore:
    """Return one class of scores, float32 [classes]."""
    label = None if tensor.labels is None else tensor.labels[index]
    return ClassScore(index, label, number(scores[index]))
