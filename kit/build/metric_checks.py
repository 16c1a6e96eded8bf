"""Metrics against the recipe's limits, and in words for tables. Measures nothing itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.build.metrics import OutputMeasure
from kit.metrics.scorer import MetricMeasure
from kit.metrics.table import metric_of, title
from kit.recipe.checks import Checks, MetricCheck

SLACK = 1e-9  # a limit is a decimal, and a difference of fractions may miss it by the last bits


@dataclass(frozen=True)
class Judgement:
    """One limit of a metric: its name, limit and value as text to read, and whether it holds."""

    name: str
    limit: str
    value: str
    passed: bool


def judge_metrics(checks: Checks, measure: OutputMeasure) -> Iterator[Judgement]:
    """Yield a judgement for each limit that the recipe sets on a metric of this output."""
    for check in checks.metrics:
        if check.output == measure.name:
            yield from _judged(check, found(measure, check.metric, check.k))


def found(measure: OutputMeasure, name: str, k: int | None = None) -> MetricMeasure:
    """Return a metric of an output that was measured."""
    wanted = metric_of(name).k if k is None else k
    return next(metric for metric in measure.metrics if (metric.name, metric.k) == (name, wanted))


def drop(metric: MetricMeasure) -> tuple[float, float | None, float | None] | None:
    """Return by how much the file is worse than the float model, and the ends of the interval of that.

    None where one of both has no value.
    """
    if metric.before is None or metric.after is None:
        return None
    lost = metric.before - metric.after
    if metric_of(metric.name).higher and not metric.lower_is_better:
        return lost, metric.low, metric.high
    return -lost, _negative(metric.high), _negative(metric.low)


def shown(metric: MetricMeasure) -> str:
    """Return the value of a file alone."""
    return f"no value: {metric.why}" if metric.after is None else _number(metric.after)


def metric_words(metric: MetricMeasure) -> str:
    """Return a metric for a table: "0.8123 before -> 0.8011 after (-0.0112, 95 % interval -0.02..0.001)"."""
    if metric.why:
        return f"no value: {metric.why}"
    if metric.before is None:
        return f"{_number(metric.after)}, against the float model"
    assert metric.after is not None
    return (
        f"{_number(metric.before)} before -> {_number(metric.after)} after "
        f"({metric.after - metric.before:+.4g}{interval_words(metric)})"
    )


def interval_words(metric: MetricMeasure, scale: float = 1.0) -> str:
    """Return the interval of after - before in words, "" where there is none. scale: 100 for points."""
    if metric.low is None or metric.high is None:
        return ""
    digits = ".2f" if scale != 1 else ".4g"
    return f", 95 % interval {-scale * metric.high:+{digits}}..{-scale * metric.low:+{digits}}"


def too_few(checks: Checks, measure: OutputMeasure) -> Iterator[str]:
    """Yield a sentence for each limit on a drop that holds, but that these samples are too few to tell."""
    limits = [(check.metric, check.k, check.max_drop) for check in checks.metrics if check.output == measure.name]
    if measure.truth is not None:
        limits.append(("accuracy", None, checks.max_drop))
    for name, k, limit in limits:
        metrics = [each for each in measure.metrics if each.name == name] if limit is not None else []
        if not metrics or limit is None:
            continue
        metric = found(measure, name, k)
        lost = drop(metric)
        if lost is None or lost[0] > limit + SLACK:
            continue
        few = f"{metric.samples:,} samples are too few to say that {title(name, metric.k)} of output '{measure.name}'"
        if lost[1] is None or lost[2] is None:
            yield f"{few} drops by at most {limit:g}; give more [checks] data"
        elif lost[2] > limit + SLACK:
            yield (
                f"{few} drops by at most {limit:g}: the 95 % interval of its drop is {lost[1]:.3g}..{lost[2]:.3g}; "
                "give more [checks] data"
            )


def _judged(check: MetricCheck, metric: MetricMeasure) -> Iterator[Judgement]:
    name, missing = f"{title(metric.name, metric.k)} ({check.output})", f"no value: {metric.why}"
    if check.max_drop is not None:
        lost, limit = drop(metric), f"<= {check.max_drop:g}"
        if lost is None:
            yield Judgement(f"max_drop of {name}", limit, missing, False)
        else:
            value = f"{_apart(lost[0], check.max_drop)} ({_number(metric.before)} -> {_number(metric.after)})"
            yield Judgement(f"max_drop of {name}", limit, value, lost[0] <= check.max_drop + SLACK)
    for sign, bound in ((">=", check.min), ("<=", check.max)):
        if bound is None:
            continue
        limit = f"{sign} {bound:g}"
        if metric.after is None:
            yield Judgement(name, limit, missing, False)
        else:
            passed = metric.after >= bound - SLACK if sign == ">=" else metric.after <= bound + SLACK
            yield Judgement(name, limit, _apart(metric.after, bound), passed)


def _apart(value: float, limit: float) -> str:
    """Return a value with as many digits as it takes to tell it from its limit."""
    digits = next((n for n in (4, 6, 8) if f"{limit:.{n}g}" != f"{value:.{n}g}"), 4)
    return f"{value:.{digits}g}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _negative(value: float | None) -> float | None:
    return None if value is None else -value
