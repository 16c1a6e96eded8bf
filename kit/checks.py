"""Gates: what the recipe asks of the converted model, held against what was measured. Measures nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kit.recipe import Checks, Recipe
from kit.worker.job import OutputMeasure, Result


@dataclass(frozen=True)
class Verdict:
    """One gate. `limit` and `value` are text for people; `hint` is the next thing to try where it failed."""

    name: str
    limit: str
    value: str
    passed: bool
    hint: str = ""


def judge(recipe: Recipe, result: Result, size: int) -> tuple[Verdict, ...]:
    """Return a verdict for each gate that the recipe sets. size is model.tflite's, in bytes."""
    checks = recipe.checks
    verdicts = [_size(checks, size, recipe.quantize.scheme)] if checks.max_bytes is not None else []
    for measure in result.measures:
        verdicts += _output(checks, measure, recipe)
    return tuple(verdicts)


def failures(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Return the gates that refused."""
    return [verdict for verdict in verdicts if not verdict.passed]


def _size(checks: Checks, size: int, scheme: str) -> Verdict:
    assert checks.max_bytes is not None
    smaller = {"float32": "float16, dynamic or int8", "float16": "dynamic or int8", "dynamic": "int8"}.get(scheme)
    hint = f"try [quantize] scheme = {smaller}" if smaller else "train a smaller model, or allow more bytes"
    return Verdict("max_bytes", f"<= {checks.max_bytes:,} B", f"{size:,} B", size <= checks.max_bytes, hint)


def _output(checks: Checks, measure: OutputMeasure, recipe: Recipe) -> list[Verdict]:
    verdicts = []
    if checks.min_agreement is not None and measure.agreement is not None:
        verdicts.append(
            Verdict(
                f"min_agreement ({measure.name})",
                *_percents(">=", checks.min_agreement, measure.agreement),
                measure.agreement >= checks.min_agreement,
                _milder(recipe),
            )
        )
    if checks.max_drop is not None and measure.accuracy is not None and measure.float_accuracy is not None:
        drop = measure.float_accuracy - measure.accuracy
        # The limit is a decimal and the drop a difference of fractions: 0.01 may come out as 0.010000000000000009.
        verdicts.append(
            Verdict(
                f"max_drop ({measure.name})",
                *_percents("<=", checks.max_drop, drop),
                drop <= checks.max_drop + 1e-12,
                _milder(recipe),
            )
        )
    return verdicts


def _percents(sign: str, limit: float, value: float) -> tuple[str, str]:
    """Return a limit and a value as percentages, with as many digits as it takes to tell them apart."""
    digits = next((n for n in (2, 4, 6) if f"{limit:.{n}%}" != f"{value:.{n}%}"), 2)
    return f"{sign} {limit:.{digits}%}", f"{value:.{digits}%}"


def _milder(recipe: Recipe) -> str:
    if recipe.quantize.scheme == "int8":
        return (
            "check that the representative data looks like real input (same normalization, every class), "
            'then try scheme = "dynamic" or "float16"'
        )
    if recipe.quantize.scheme == "dynamic":
        return 'try scheme = "float16"'
    return "the float conversion itself differs: try another TensorFlow version"
