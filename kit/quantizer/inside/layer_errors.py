"""Where a product differs from its float file: the error of every operator's output, worst first, with the reason."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from litert_quantizer.qtyping import TFLOperationName as Name

from kit.quantizer.inside.schemes import Operator
from kit.quantizer.inside.tensors import Tensors, real
from kit.shared.calls import Feeds
from kit.shared.quantization import LayerError

_PERFECT = 200.0  # decibels: no difference at all
_OUTLIER = 8.0  # a channel whose weights are so many times the median channel's
_SATURATED = 0.01  # of the values lie at an end of the whole numbers
_TINY = 1e-6  # the largest weight


@dataclass
class _Sums:
    """What is added up of one tensor over the calls."""

    signal: float = 0.0
    noise: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    count: int = 0
    at_ends: int = 0

    def add(self, exact: np.ndarray, got: np.ndarray, ends: int) -> None:
        """Add one call's values. exact, got: float64 of one shape; ends: how many lie at an end of whole numbers."""
        counted = np.isfinite(exact) & np.isfinite(got)
        one, other = exact[counted], got[counted]
        self.signal += float(np.sum(one * one))
        self.noise += float(np.sum((one - other) ** 2))
        self.low = min(self.low, float(one.min(initial=math.inf)))
        self.high = max(self.high, float(one.max(initial=-math.inf)))
        self.count += exact.size
        self.at_ends += ends

    @property
    def share(self) -> float:
        """Return the noise as a share of the signal."""
        return self.noise / self.signal if self.signal else 0.0

    @property
    def snr(self) -> float:
        """Return the signal to noise ratio in decibels."""
        if not self.noise:
            return _PERFECT
        return min(_PERFECT, 10 * math.log10(self.signal / self.noise)) if self.signal else 0.0


def layer_errors(
    exact: Tensors, product: Tensors, signature: str, calls: Iterable[Feeds], found: Sequence[Operator]
) -> tuple[LayerError, ...]:
    """Return the error of each operator whose output both files have, the worst first.

    calls: each by input name [...] in its dtype.
    """
    scales, compared = product.scales(signature), dict[str, _Sums]()
    wanted = {each.output for each in found}
    for call in calls:
        floats = dict(exact.values(signature, call, wanted))
        for name, value in product.values(signature, call, floats):
            if value.shape == floats[name].shape and floats[name].dtype == np.float32:
                got = real(value, scales.get(name))
                compared.setdefault(name, _Sums()).add(floats[name].astype(np.float64), got, _ends(value))
    fed = _fed(exact, signature)
    errors = []
    for operator in found:
        name = operator.output
        if name not in compared:
            continue
        inputs, weights = fed.get(name, ((), ()))
        sums, why = compared[name], _odd(weights[0], operator.name) if weights else ""
        reason = why or ("saturated: values lie beyond the measured range" if _saturated(sums) else "")
        before = max((compared[each].share for each in inputs if each in compared), default=0.0)
        errors.append(
            LayerError(
                tensor=name,
                layers=operator.layers,
                operator=operator.name.value,
                snr=round(sums.snr, 2),
                low=sums.low,
                high=sums.high,
                own=max(0.0, sums.share - before),
                weights=sum(array.nbytes for array in weights),
                reason=reason,
            )
        )
    return tuple(sorted(errors, key=lambda each: (each.snr, each.tensor)))


def _saturated(sums: _Sums) -> bool:
    return bool(sums.count) and sums.at_ends / sums.count > _SATURATED and sums.snr < 20


def _ends(value: np.ndarray) -> int:
    """Return how many values, [...] of any dtype, are whole numbers at the upper end of their type."""
    if value.dtype.kind not in "iu":
        return 0
    return int(np.count_nonzero(value == np.iinfo(value.dtype).max))


def _fed(exact: Tensors, signature: str) -> dict[str, tuple[tuple[str, ...], tuple[np.ndarray, ...]]]:
    """Return by an operator's first output the names of what it is fed, and its constants of numbers, float32 [...].

    Of the first subgraph: the interpreter lists the operators of no other.
    """
    if exact.graphs[signature] != 0:
        return {}
    names = {place: name for name, place in exact.places[signature].items()}
    operators = exact.interpreter._get_ops_details()
    calculated = {int(at) for operator in operators for at in operator["outputs"]}
    calculated |= {int(detail["index"]) for detail in exact.interpreter.get_input_details()}
    found: dict[str, tuple[tuple[str, ...], tuple[np.ndarray, ...]]] = {}
    for operator in operators:
        named = [int(at) for at in operator["inputs"] if int(at) in names]
        constants = [exact.interpreter.get_tensor(at) for at in named if at not in calculated]
        weights = tuple(array for array in constants if array.dtype == np.float32 and array.size > 1)
        outputs = [names[int(at)] for at in operator["outputs"][:1] if int(at) in names]
        found |= {output: (tuple(names[at] for at in named), weights) for output in outputs}
    return found


def _odd(weights: np.ndarray, operator: Name) -> str:
    """Return what makes weights, float32 [...], hard to quantize, "" for nothing."""
    if weights.ndim < 2:
        return ""
    axis = weights.ndim - 1 if operator == Name.DEPTHWISE_CONV_2D else 0
    largest = np.abs(np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1)).max(axis=1)
    middle = float(np.median(largest))
    if float(largest.max()) < _TINY:
        return f"tiny weights: the largest is {largest.max():.1e}"
    if middle and float(largest.max()) > _OUTLIER * middle:
        return (
            f"outlier channel {int(largest.argmax())}: its weights are {largest.max() / middle:.0f} times the others'"
        )
    return ""
