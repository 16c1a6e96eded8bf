"""The outputs of calls as real values: their best classes, their numbers, or what is decoded of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import preprocess

from .entries import Classes, ClassScore, Values
from .files import Array, Arrays
from .frame import Frame
from .numbers import MOST_VALUES, number, numbers
from .signature import Signature
from .tensor import Tensor

if TYPE_CHECKING:
    from .decode import Decoded

    Read = Classes | Values | Decoded
    Named = tuple[tuple[str, Read], ...]  # what a report says of a call's outputs, by name


def read_outputs(signature: Signature, calls: Sequence[Arrays], top: int, frame: Frame) -> list[Named]:
    """Return what a report says of the outputs of each call.

    calls: [*shape] of each tensor in its dtype. frame: of all of them. Raises ValueError where shapes do not fit.
    """
    columns = [
        [(name, read) for read in _column(tensor, signature, calls, top, frame)]
        for name, tensor in signature.outputs.items()
    ]
    return list(zip(*columns, strict=True))


def _column(tensor: Tensor, signature: Signature, calls: Sequence[Arrays], top: int, frame: Frame) -> Sequence[Read]:
    """Return what a report says of one output of each call. calls: [*shape] of each tensor in its dtype."""
    produced = [call[tensor.name] for call in calls]
    if tensor.form is None:
        return read_output(tensor, produced, top)
    decoded = [_decoded(tensor, signature, call, frame) for call in calls]
    return [each or read_output(tensor, [array], top)[0] for each, array in zip(decoded, produced, strict=True)]


def _decoded(tensor: Tensor, signature: Signature, produced: Arrays, frame: Frame) -> Decoded | None:
    """Return what an output holds, None where a call has several samples: those are numbers for the app.

    produced: [*shape] of each tensor in its dtype.
    """
    if tensor.form is None or (tensor.batched and len(produced[tensor.name]) != 1):
        return None
    from .decode import decode

    real = {name: to_real(other, produced[name]) for name, other in signature.outputs.items()}
    single = {name: values[0] if signature.outputs[name].batched else values for name, values in real.items()}
    return decode(tensor.form, tensor.name, single, frame)


def read_output(tensor: Tensor, calls: Sequence[Array], top: int) -> Sequence[Classes | Values]:
    """Return the best `top` classes of one output, or its values, of each call.

    calls: [*shape] in the tensor's dtype.
    """
    if len({array.shape for array in calls}) > 1:
        return [read_output(tensor, [array], top)[0] for array in calls]
    if tensor.kind == "classes":
        real = to_real(tensor, np.stack(calls))
        if real[0].size == real.shape[-1]:
            return _best_classes(tensor, real.reshape(len(calls), -1), top)
    return [values_of(tensor, to_real(tensor, array)) for array in calls]


def _best_classes(tensor: Tensor, real: Array, top: int) -> list[Classes]:
    """Return the best classes of each row of real values, [calls, classes], of any dtype."""
    scores = preprocess.apply_activation(real, tensor.activation)
    order = np.argsort(np.where(np.isnan(scores), np.inf, -scores), kind="stable")[:, :top]
    indices = order.reshape(-1).tolist()
    labels = [None] * len(indices) if tensor.labels is None else [tensor.labels[index] for index in indices]
    best = numbers(np.take_along_axis(scores, order, -1).reshape(-1))
    found = tuple(map(ClassScore, indices, labels, best))
    count = order.shape[-1]
    return [Classes(found[start : start + count]) for start in range(0, len(found), count)]


def values_of(tensor: Tensor, real: Array) -> Values:
    """Return the limits and the first values of real values of any shape and dtype."""
    values = real.reshape(-1)
    finite = values[np.isfinite(values)]
    return Values(
        dtype=tensor.dtype,
        shape=real.shape,
        min=number(finite.min()) if finite.size else None,
        max=number(finite.max()) if finite.size else None,
        values=numbers(values[:MOST_VALUES]),
        truncated=values.size > MOST_VALUES,
    )


def to_real(tensor: Tensor, produced: Array) -> Array:
    """Return real values of produced's shape: float32 where the tensor is quantized, else produced as it is."""
    if tensor.scale is None:
        return produced
    return preprocess.dequantize(produced, tensor.scale, tensor.zero_point)
