"""The outputs of a call as real values: their best classes, or their numbers."""

from typing import Any

import numpy as np
import preprocess

from .files import Array, Arrays
from .report import Classes, ClassScore, Number, Values
from .signature import Signature
from .tensor import Tensor

MOST_VALUES = 1000  # of one tensor, in a report


def read_outputs(signature: Signature, produced: Arrays, top: int) -> tuple[tuple[str, Classes | Values], ...]:
    """Return what a report says of each output by name. produced: [*shape] of each tensor in its dtype."""
    return tuple((name, read_output(tensor, produced[name], top)) for name, tensor in signature.outputs.items())


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


def number(value: Any) -> Number:
    """Return a scalar of Python or of any dtype in the fewest digits of its own type; None where it is not finite."""
    if not np.isfinite(value):
        return None
    return float(str(value)) if np.asarray(value).dtype.kind == "f" else int(value)


def _class_score(tensor: Tensor, index: int, scores: Array) -> ClassScore:
    """Return one class of scores, float32 [classes]."""
    label = None if tensor.labels is None else tensor.labels[index]
    return ClassScore(index, label, number(scores[index]))
