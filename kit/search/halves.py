"""The evaluation data in two halves: one to choose on, one to report on. The best of many on one set is flattered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kit.build.metrics import OutputMeasure, measure
from kit.build.output_metrics import with_metrics
from kit.build.write_bundle import Parts

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Halves:
    """What one candidate was measured at on either half."""

    chosen_on: tuple[OutputMeasure, ...]
    reported_on: tuple[OutputMeasure, ...]


def halves(parts: Parts, evaluated: Arrays, predictions: Arrays) -> Halves:
    """Measure a candidate on the even samples and on the odd ones, those with intervals.

    evaluated, predictions: as kit.build.metrics.measure has them: [N, ...] in their own dtype.
    """
    count = len(next(array for name, array in predictions.items() if name.startswith("output/")))
    return Halves(_half(parts, evaluated, predictions, range(0, count, 2), intervals=False),
                  _half(parts, evaluated, predictions, range(1, count, 2)))  # fmt: skip


def whole(parts: Parts, evaluated: Arrays, predictions: Arrays) -> tuple[OutputMeasure, ...]:
    """Measure a candidate on all samples, without intervals.

    evaluated, predictions: as halves has them: [N, ...] in their own dtype.
    """
    count = len(next(array for name, array in predictions.items() if name.startswith("output/")))
    return _half(parts, evaluated, predictions, range(count), intervals=False)


def _half(
    parts: Parts, evaluated: Arrays, predictions: Arrays, rows: range, *, intervals: bool = True
) -> tuple[OutputMeasure, ...]:
    """Measure some samples. evaluated, predictions: as halves has them: [N, ...] in their own dtype."""
    total = rows.stop
    one, other = _rows(evaluated, rows), _rows(predictions, rows)
    truths = {name: truth.rows(total).take(rows) for name, truth in parts.truths.items()}
    some = replace(parts, truths=truths)
    recipe, result = parts.recipe, parts.result
    measures = measure(recipe, result.signature, one, other, result.drawn, truths)
    return with_metrics(some, one, other, measures, intervals=intervals)


def _rows(arrays: Arrays, rows: range) -> dict[str, np.ndarray]:
    """Return some samples of arrays [N, ...] of any dtype; those without a sample each stay as they are."""
    return {
        name: a[rows.start : rows.stop : rows.step] if a.ndim and len(a) == rows.stop else a
        for name, a in arrays.items()
    }
