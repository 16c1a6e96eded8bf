"""What `auto` has to keep: the recipe's own checks; where it has none, half a point of accuracy or its like."""

from __future__ import annotations

from collections.abc import Sequence

from kit.build.checks import Verdict, failures, judge
from kit.build.metrics import OutputMeasure
from kit.recipe.schema import Recipe
from kit.shared.job import Result

POINT = 0.005  # half a point of accuracy
AGREEMENT = 0.99  # classes without y
CORRELATION, ERROR = 0.99, 0.1  # tensors
_LIMITS = ("min_agreement", "max_drop", "min_correlation", "max_relative_error")


def with_limits(recipe: Recipe, result: Result, *, truth: bool) -> Recipe:
    """Return the recipe with limits to search by: its own where it has any. truth: the data has y."""
    checks = recipe.checks
    if any(getattr(checks, name) is not None for name in _LIMITS):
        return recipe
    classes = {output.name for output in recipe.outputs if output.kind == "classes"}
    update: dict[str, float] = {}
    if classes:
        update |= {"max_drop": POINT} if truth else {"min_agreement": AGREEMENT}
    if any(spec.name not in classes for spec in result.signature.outputs):
        update |= {"min_correlation": CORRELATION, "max_relative_error": ERROR}
    return recipe.model_copy(update={"checks": checks.model_copy(update=update)})


def broken(recipe: Recipe, result: Result, measures: Sequence[OutputMeasure], size: int) -> tuple[Verdict, ...]:
    """Return the checks that a candidate does not keep on some samples."""
    return tuple(failures(judge(recipe, result, measures, size)))
