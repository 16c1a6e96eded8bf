"""What a candidate loses, as one number beside the limit that it is held against. For charts: the checks decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kit.build.metric_checks import drop, found
from kit.build.metrics import OutputMeasure
from kit.metrics.table import metric_of, title
from kit.recipe.checks import MetricCheck
from kit.recipe.schema import Recipe

Value = Callable[[OutputMeasure], float | None]


@dataclass(frozen=True)
class Loss:
    """A check that can be drawn: more is worse, 0 is the float model, and limit the most that passes."""

    name: str
    limit: float
    output: str  # "" for any
    value: Value

    def of(self, measures: tuple[OutputMeasure, ...]) -> float | None:
        """Return what is lost, the most of all outputs that it is of; None where that has no value."""
        values = [self.value(measure) for measure in measures if self.output in {"", measure.name}]
        known = [value for value in values if value is not None]
        return max(known, default=None)


def first_loss(limits: Recipe) -> Loss | None:
    """Return the first check on a loss: of metrics, then of the short forms. limits: a recipe with what to keep."""
    return next(_losses(limits), None)


def _losses(limits: Recipe) -> Iterator[Loss]:
    checks = limits.checks
    for check in checks.metrics:
        yield from _metric(check)
    if checks.max_drop is not None:
        yield Loss("loss of accuracy", checks.max_drop, "", _dropped)
    if checks.min_agreement is not None:
        yield Loss("disagreement with float", 1 - checks.min_agreement, "", _disagreement)
    if checks.max_relative_error is not None:
        yield Loss("relative error", checks.max_relative_error, "", lambda measure: measure.relative_error)
    if checks.min_correlation is not None:
        yield Loss("1 - correlation with float", 1 - checks.min_correlation, "", _uncorrelated)


def _metric(check: MetricCheck) -> Iterator[Loss]:
    """Yield the loss of a metric: by how much it drops, or how far it is from its best value against float."""
    name = f"{title(check.metric, check.k)} ({check.output})"
    if check.max_drop is not None:

        def dropped(measure: OutputMeasure) -> float | None:
            lost = drop(found(measure, check.metric, check.k))
            return None if lost is None else lost[0]

        yield Loss(f"loss of {name}", check.max_drop, check.output, dropped)
    elif check.metric == "snr" and check.min is not None:

        def noise(measure: OutputMeasure) -> float | None:
            after = found(measure, check.metric, check.k).after
            return None if after is None else 10 ** (-after / 20)

        yield Loss(f"noise as a share of the signal ({check.output})", 10 ** (-check.min / 20), check.output, noise)
    elif metric_of(check.metric).against == "float" and metric_of(check.metric).higher and check.min is not None:

        def missing(measure: OutputMeasure) -> float | None:
            after = found(measure, check.metric, check.k).after
            return None if after is None else 1 - after

        yield Loss(f"1 - {name}", 1 - check.min, check.output, missing)


def _dropped(measure: OutputMeasure) -> float | None:
    return None if measure.truth is None else measure.truth.float_accuracy - measure.truth.accuracy


def _disagreement(measure: OutputMeasure) -> float | None:
    return None if measure.agreement is None else 1 - measure.agreement


def _uncorrelated(measure: OutputMeasure) -> float | None:
    return None if measure.correlation is None else 1 - measure.correlation
