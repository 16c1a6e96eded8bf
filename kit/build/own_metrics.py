"""Metrics of the user's own: whether they may run, whether the file has them, and what they give."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.bounded import MOST_TEXT, read_bounded
from kit.engine import Engine, Limits
from kit.engine.own_metrics import MetricPlace, run_metrics
from kit.errors import RecipeError
from kit.metrics.interval import resampled
from kit.metrics.scorer import MetricMeasure
from kit.metrics.table import OWN, is_own
from kit.recipe.checks import MetricCheck
from kit.recipe.schema import Recipe
from kit.shared.own_metrics import MetricJob, MetricRequest, MetricValue
from kit.toolchains.toolchain import Toolchain

if TYPE_CHECKING:
    import numpy as np

Own = Mapping[tuple[str, str], MetricMeasure]  # by output and name


@dataclass(frozen=True)
class Asked:
    """A metric of the user's own, and what it is a function of: [N, ...] of any dtype, and float32 [N, ...] twice."""

    check: MetricCheck
    truth: np.ndarray
    before: np.ndarray
    after: np.ndarray


def own_checks(recipe: Recipe) -> list[MetricCheck]:
    """Return the recipe's metrics that are functions of the user's own."""
    return [check for check in recipe.checks.metrics if is_own(check.metric)]


def refuse_missing_functions(recipe: Recipe) -> None:
    """Refuse a file that cannot have what the recipe names of it, before anything runs. Raises RecipeError."""
    checks = own_checks(recipe)
    if not checks or recipe.checks.code is None:
        return
    path = recipe.file(recipe.checks.code)
    try:
        tree = ast.parse(read_bounded(path, MOST_TEXT))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        why = error.msg if isinstance(error, SyntaxError) else str(error)
        raise RecipeError(f"{path}{line}: [checks] code: it is no Python: {why}", "correct that line") from error
    if _opens(tree):
        return
    there = sorted(node.name for node in tree.body if isinstance(node, ast.FunctionDef))
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | {*there, *_imported(tree)}
    for check in checks:
        function = check.metric.removeprefix(OWN)
        if function not in named:
            raise RecipeError(
                f"{path}: [checks] code: it has no function {function}",
                f"write it, def {function}(truth, outputs): ...; there is: {', '.join(there) or 'none'}",
            )


def metric_place(recipe: Recipe, toolchain: Toolchain, engine: Engine, limits: Limits) -> MetricPlace | None:
    """Return where the recipe's own metrics run, None where it has none. Raises RecipeError where they may not."""
    if not own_checks(recipe) or recipe.checks.code is None:
        return None
    path = recipe.file(recipe.checks.code)
    if not (engine.isolated or recipe.model.allow_code):
        raise RecipeError(
            f"{path}: [checks] code runs on what the model gives, and the local engine is no sandbox",
            "build it in a container (--engine docker), or trust it: [model] allow_code = true",
        )
    return MetricPlace(engine, toolchain, path, limits)


def measure_own(place: MetricPlace | None, asked: list[Asked]) -> Own:
    """Return what the functions give, with the intervals. Raises RecipeError where one gives no number."""
    if place is None or not asked:
        return {}
    requests = tuple(MetricRequest(each.check.metric.removeprefix(OWN), each.check.output) for each in asked)
    arrays: dict[str, np.ndarray] = {}
    for number, each in enumerate(asked):
        arrays |= {f"truth/{number}": each.truth, f"before/{number}": each.before, f"after/{number}": each.after}
    values = run_metrics(place, MetricJob(place.code.name, requests), arrays)
    return {
        (each.check.output, each.check.metric): _measure(each, value) for each, value in zip(asked, values, strict=True)
    }


def _measure(asked: Asked, value: MetricValue) -> MetricMeasure:
    ends = None
    if value.before is not None and value.after is not None:
        ends = resampled(value.before - value.after, value.differences)
    low, high = ends or (None, None)
    return MetricMeasure(
        asked.check.metric,
        len(asked.truth),
        value.before,
        value.after,
        low,
        high,
        why=value.why,
        lower_is_better=asked.check.lower_is_better,
    )


def _opens(tree: ast.Module) -> bool:
    """Say whether names may come from elsewhere: `from x import *`."""
    return any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in ast.walk(tree))


def _imported(tree: ast.Module) -> set[str]:
    found = [node.names for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {alias.asname or alias.name for names in found for alias in names}
