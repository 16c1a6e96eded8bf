"""Why an operator's output is far from the float file's, in words: its weights, its inputs, its range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from litert_quantizer.qtyping import TFLOperationName as Name

from kit.quantizer.inside.tensor_sums import Sums

_OUTLIER = 8.0  # a channel whose numbers are so many times the median channel's
_APART = 8.0  # a range that is so many times another one
_SATURATED = 0.01  # of the values lie at an end of the whole numbers
_BAD = 20.0  # decibels: below this a saturated range matters
_TINY = 1e-6  # the largest weight
_FIXED = ("SOFTMAX", "LOGISTIC", "TANH", "LOG_SOFTMAX", "L2_NORMALIZATION")  # their scale is the type's, not measured


@dataclass(frozen=True)
class Seen:
    """What is known of an operator: its weights, float32 [...], its output and what it is fed, both files' values.

    span: what the steps of its output's type cover in the product, in real values; None for a float.
    """

    operator: Name
    weights: tuple[np.ndarray, ...]
    output: Sums
    inputs: tuple[Sums, ...]
    span: float | None


def reason(seen: Seen) -> str:
    """Return what makes an operator hard to quantize, "" for nothing."""
    for why in (_weights(seen), _concatenation(seen), _range(seen), _channel(seen)):
        if why:
            return why
    return ""


def _weights(seen: Seen) -> str:
    """Say what is odd about the weights. A scale holds for an output channel: an input apart takes all of its steps."""
    weights = seen.weights[0] if seen.weights else np.zeros(0, np.float32)
    if weights.ndim < 2:
        return ""
    sizes = np.abs(weights)
    if float(sizes.max(initial=0.0)) < _TINY:
        return f"tiny weights: the largest is {sizes.max(initial=0.0):.1e}"
    of_depth = seen.operator == Name.DEPTHWISE_CONV_2D
    if not of_depth and (found := _apart(sizes.max(axis=tuple(range(weights.ndim - 1))))):
        return f"outlier channel {found[0]} of its inputs: its weights are {found[1]:.0f} times the others'"
    axis = weights.ndim - 1 if of_depth else 0
    if found := _apart(sizes.max(axis=tuple(at for at in range(weights.ndim) if at != axis))):
        return f"outlier channel {found[0]}: its weights are {found[1]:.0f} times the others'"
    return ""


def _concatenation(seen: Seen) -> str:
    """Say how far apart the ranges of a concatenation's inputs are: in whole numbers they share one scale."""
    sizes = [float(each.largest.max()) for each in seen.inputs if each.signal.any()]
    if seen.span is None or seen.operator != Name.CONCATENATION or len(sizes) < 2:
        return ""
    times = max(sizes) / min(sizes)
    return f"concat of different ranges: one is {times:.0f} times the other" if times > _APART else ""


def _range(seen: Seen) -> str:
    """Say whether the steps of the output's type fit its values."""
    output = seen.output
    extent = max(output.high, 0.0) - min(output.low, 0.0)
    if seen.operator.value in _FIXED:
        return ""
    if seen.span is not None and extent > 0 and seen.span > _APART * extent:
        return f"shares the scale of larger tensors: its steps cover {seen.span / extent:.0f} times its range"
    if output.count and output.at_ends / output.count > _SATURATED and output.snr < _BAD:
        return "saturated: values lie beyond the measured range"
    return ""


def _channel(seen: Seen) -> str:
    """Say whether one channel of the output takes the steps of all."""
    found = None if seen.span is None else _apart(seen.output.largest)
    return "" if found is None else f"outlier channel {found[0]}: its values are {found[1]:.0f} times the others'"


def _apart(sizes: Sequence[float] | np.ndarray) -> tuple[int, float] | None:
    """Return the channel that is far larger than the others, and how many times. sizes: float64 [channels]."""
    every = np.asarray(sizes, np.float64)
    middle = float(np.median(every[every > 0])) if (every > 0).sum() > 2 else 0.0
    times = float(every.max()) / middle if middle else 0.0
    return (int(every.argmax()), times) if times > _OUTLIER else None
