"""The evaluation data in two halves: one to choose on, one to report on. The best of many on one set is flattered."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.build.metrics import OutputMeasure, measure, real, top1
from kit.recipe.schema import Recipe
from kit.shared.job import Result

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray]

_Z = 1.959963984540054  # of a normal distribution's 95 %


@dataclass(frozen=True)
class Interval:
    """A loss in points of a fraction, and half the width of its 95 % interval."""

    loss: float
    half: float
    count: int
    what: str  # "accuracy" or "agreement"


@dataclass(frozen=True)
class Halves:
    """What one candidate was measured at on either half; loss: on the half that was not used to choose."""

    chosen_on: tuple[OutputMeasure, ...]
    reported_on: tuple[OutputMeasure, ...]
    loss: Interval | None  # None without classes


def halves(recipe: Recipe, result: Result, evaluated: Arrays, predictions: Arrays) -> Halves:
    """Measure a candidate on the even samples and on the odd ones.

    evaluated, predictions: as kit.build.metrics.measure has them: [N, ...] in their own dtype.
    """
    parts = []
    for first in (0, 1):
        one, other = _part(evaluated, result.samples, first), _part(predictions, result.samples, first)
        parts.append((one, other, measure(recipe, result.signature, one, other, result.drawn)))
    return Halves(parts[0][2], parts[1][2], _loss(recipe, result, *parts[1][:2]))


def _part(arrays: Arrays, samples: int, first: int) -> dict[str, np.ndarray]:
    """Return every second sample of arrays [N, ...] of any dtype; those without a sample each stay as they are."""
    return {name: a[first::2] if a.ndim and len(a) >= samples > 1 else a for name, a in arrays.items()}


def _loss(recipe: Recipe, result: Result, evaluated: Arrays, predictions: Arrays) -> Interval | None:
    """Return what the first output of classes lost, in accuracy where there is y, else in agreement with float.

    evaluated, predictions: as halves has them, [N, ...] in their own dtype.
    """
    import numpy as np

    request = next((output for output in recipe.outputs if output.kind == "classes"), None)
    spec = next((each for each in result.signature.outputs if request and each.name == request.name), None)
    if request is None or spec is None:
        return None
    before = top1(evaluated[f"float/{spec.name}"], request)
    after = top1(real(predictions[f"output/{spec.name}"], spec), request)
    if "y" in evaluated:
        y = evaluated["y"]
        y = np.argmax(y, axis=-1) if y.ndim == before.ndim + 1 else y.reshape(before.shape)
        off = (before == y).astype(np.float64) - (after == y)
    else:
        off = (before != after).astype(np.float64)
    count = int(off.size)
    # Of a mean of paired differences; with none that differ, the rule of three bounds what was not seen.
    half = _Z * float(off.std(ddof=1)) / math.sqrt(count) if count > 1 else 1.0
    return Interval(float(off.mean()), half or 3.0 / count, count, "accuracy" if "y" in evaluated else "agreement")
