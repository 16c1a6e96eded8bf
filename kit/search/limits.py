"""What `auto` has to keep: the recipe's own checks; where it has none, half a point of each output's metric."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from kit.build.checks import Verdict, failures, judge
from kit.build.metrics import OutputMeasure
from kit.metrics.table import DEFAULTS
from kit.recipe.checks import MetricCheck
from kit.recipe.schema import Recipe
from kit.shared.job import Result

POINT = 0.005  # half a point of accuracy, R2, mAP, IoU or recall
AGREEMENT = 0.99  # classes without truth
SNR = 20.0  # decibels, of all others without truth: errors of a tenth of the values
_LIMITS = ("min_agreement", "max_drop", "min_correlation", "max_relative_error")


def with_limits(recipe: Recipe, result: Result, truths: Collection[str]) -> Recipe:
    """Return the recipe with limits to search by: its own where it has any. truths: outputs whose truth is known."""
    checks = recipe.checks
    if checks.metrics or any(getattr(checks, name) is not None for name in _LIMITS):
        return recipe
    return recipe.model_copy(
        update={"checks": checks.model_copy(update={"metrics": list(_limits(recipe, result, truths))})}
    )


def broken(recipe: Recipe, result: Result, measures: Sequence[OutputMeasure], size: int) -> tuple[Verdict, ...]:
    """Return the checks that a candidate does not keep on some samples."""
    return tuple(failures(judge(recipe, result, measures, size)))


def _limits(recipe: Recipe, result: Result, truths: Collection[str]) -> Iterator[MetricCheck]:
    """Yield a limit for each output that is not drawn anew in each call."""
    kinds = {output.name: output.kind for output in recipe.outputs}
    for spec in result.signature.outputs:
        kind = kinds.get(spec.name, "tensor")
        if spec.name in result.drawn:
            continue
        if spec.name in truths and kind in DEFAULTS:
            yield MetricCheck(output=spec.name, metric=DEFAULTS[kind][0], max_drop=POINT)
        elif kind == "classes":
            yield MetricCheck(output=spec.name, metric="agreement", min=AGREEMENT)
        elif kind != "boxes" or not truths:
            yield MetricCheck(output=spec.name, metric="snr", min=SNR)
