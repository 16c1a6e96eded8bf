"""A matrix to read: the same words for the terminal's table and for the page. Computes nothing of its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kit.matrix.builds import VersionBuild
from kit.matrix.compare import Matrix
from kit.metrics.scorer import MetricMeasure
from kit.metrics.table import SHARES
from kit.metrics.table import title as metric_title

ABSENT = "-"


@dataclass(frozen=True)
class Row:
    """A build in words; ABSENT stands for what was not made or measured."""

    tensorflow: str
    keras: str
    state: str  # built, refused (by a check) or failed
    outcome: str
    bytes: str
    group: str  # a letter: the same one, the same operators, tensors and constants
    sha256: str
    runtime: str
    operators: tuple[str, ...]
    before: str
    after: str
    with_float: str
    with_others: str
    difference: str
    seconds: str
    cause: str = ""
    hint: str = ""
    detail: str = ""


def title(matrix: Matrix) -> str:
    """Return what the matrix is of."""
    model, count = matrix.recipe.model, len({build.tensorflow for build in matrix.builds})
    by = f"{model.id} {model.version} by {count} TensorFlow version{'' if count == 1 else 's'}"
    return by if matrix.has_own_scheme else f"{by} and {len(matrix.schemes)} schemes"


def rows(matrix: Matrix) -> list[Row]:
    """Return each build in words, in the order of the matrix."""
    groups, differing = matrix.groups(), matrix.differing_operators()
    return [_row(matrix, build, groups, differing) for build in matrix.builds]


def _row(
    matrix: Matrix, build: VersionBuild, groups: dict[str, str], differing: dict[str, dict[str, tuple[int, ...]]]
) -> Row:
    version, failure = build.name, build.failure
    before, after = accuracies(build)
    pairs = matrix.pairs_of(version)
    steps = _most([pair.steps for pair in pairs])
    worst = _most([pair.worst for pair in pairs])
    state = "built" if failure is None else "refused" if failure.code == 4 else "failed"
    mine = {name: by_version[version] for name, by_version in differing.items() if version in by_version}
    return Row(
        tensorflow=version,
        keras=build.keras,
        state=state,
        outcome=("unchanged" if build.unchanged else "built") if failure is None else f"{state} ({failure.code})",
        bytes=ABSENT if build.bytes is None else f"{build.bytes:,}",
        group=groups.get(version, ""),
        sha256=(build.sha256 or ABSENT)[:12],
        runtime=build.min_runtime or ABSENT,
        operators=tuple(f"{name} {operator_version(versions)}" for name, versions in mine.items()),
        before=percent(before),
        after=percent(after),
        with_float=percent(float_agreement(build)),
        with_others=percent(min((p.agreement for p in pairs if p.agreement is not None), default=None)),
        difference=difference(steps, worst),
        seconds=ABSENT if build.seconds is None else f"{build.seconds:.1f} s",
        cause=failure.cause if failure else "",
        hint=failure.hint if failure else "",
        detail=failure.detail if failure else "",
    )


def accuracies(build: VersionBuild) -> tuple[float | None, float | None]:
    """Return the accuracy of the float model and of the file, as fractions, of the first output that has one.

    Where no output is of classes, the first other metric that is a fraction stands in: mAP, mean IoU.
    """
    measured = [output for output in build.outputs if output.accuracy is not None]
    if measured:
        return measured[0].float_accuracy, measured[0].accuracy
    metric = _other_metric(build)
    return (None, None) if metric is None else (metric.before, metric.after)


def accuracy_title(matrix: Matrix) -> str:
    """Return what accuracies are called: "accuracy", or the metric that stands in."""
    if any(output.accuracy is not None for build in matrix.builds for output in build.outputs):
        return "accuracy"
    metrics = filter(None, map(_other_metric, matrix.builds))
    return next((metric_title(metric.name, metric.k) for metric in metrics), "accuracy")


def _other_metric(build: VersionBuild) -> MetricMeasure | None:
    metrics = (metric for output in build.outputs for metric in output.metrics)
    return next((metric for metric in metrics if metric.name in SHARES), None)


def float_agreement(build: VersionBuild) -> float | None:
    """Return the lowest agreement of an output with the float model."""
    return min((output.agreement for output in build.outputs if output.agreement is not None), default=None)


def percent(value: float | None) -> str:
    """Return a fraction in words. What is not quite all is never rounded to 100 %."""
    if value is None:
        return ABSENT
    return "100%" if value == 1 else f"{min(value, 0.9999):.2%}"


def difference(steps: float | None, worst: float | None) -> str:
    """Return the worst difference in words: in quantization steps, or absolute for float outputs."""
    if steps is None:
        return ABSENT if worst is None else f"{worst:.2g}"
    return f"{steps:.3g} step{'' if f'{steps:.3g}' == '1' else 's'}"


def operator_version(versions: Sequence[int]) -> str:
    """Return an operator's versions in one file: "v4", "v1+v4" where it comes in two, "none"."""
    return "+".join(f"v{version}" for version in versions) or "none"


def findings(matrix: Matrix) -> list[str]:
    """Return what differs, a sentence each; the failures stand in their rows."""
    found = [f"{build.name} chose {build.found}." for build in matrix.built if build.found]
    return [*_files(matrix), *_operators(matrix), *_runtimes(matrix), *found]


def _files(matrix: Matrix) -> list[str]:
    groups = matrix.groups()
    if len(groups) < 2:
        return []
    letters = list(dict.fromkeys(groups.values()))
    different = len({build.sha256 for build in matrix.built})
    if different == 1:
        what = "versions" if matrix.has_own_scheme else "builds"
        return [f"All {len(groups)} {what} wrote the same bytes."]
    if len(letters) == 1:
        return [f"{different} different files hold the same model: names and metadata differ, no operator or number."]
    return [f"{len(letters)} different models: {_by_value(groups, 'by')}."]


def _operators(matrix: Matrix) -> list[str]:
    differing = matrix.differing_operators()
    if not differing and len(matrix.built) > 1:
        return ["Every file has the same operators in the same versions."]
    return [
        f"{name} is {_by_value({v: operator_version(each) for v, each in by_version.items()}, 'in')}."
        for name, by_version in differing.items()
    ]


def _runtimes(matrix: Matrix) -> list[str]:
    named = {build.name: build.min_runtime or "none" for build in matrix.built}
    if len(set(named.values())) < 2:
        return []
    return [f"The oldest runtime that a file names is {_by_value(named, 'in')}."]


def _by_value(values: dict[str, str], word: str) -> str:
    """Return "v4 in 2.16.2 to 2.20.0; v12 in 2.21.0" of values by version; word is "in" there."""
    distinct = dict.fromkeys(values.values())
    return "; ".join(
        f"{value} {word} {_spans([v for v, mine in values.items() if mine == value], list(values))}"
        for value in distinct
    )


def _spans(chosen: Sequence[str], order: Sequence[str]) -> str:
    """Return versions as a user lists them: three or more that follow each other in order are a span."""
    runs: list[list[str]] = []
    for version in chosen:
        if runs and order.index(version) == order.index(runs[-1][-1]) + 1:
            runs[-1].append(version)
        else:
            runs.append([version])
    words = [word for run in runs for word in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else run)]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _most(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


# ---------------------------------------------------------------- the terminal


def print_matrix(matrix: Matrix, page: str) -> None:
    """Print the table, the causes of failed builds, what differs, and where the page is."""
    console = Console(width=None if sys.stdout.isatty() else 180, soft_wrap=False, highlight=False)
    console.print(_table(matrix))
    lines = []
    for row in rows(matrix):
        if row.cause:
            lines.append(f"{row.tensorflow}  {row.outcome}: {row.cause}")
            lines += [f"  next: {row.hint}"] if row.hint else []
    lines += findings(matrix)
    # Outside of the console: a cause or a path that is wrapped cannot be copied, nor searched for.
    sys.stdout.writelines(f"{line}\n" for line in [*lines, f"page: {page}"])


def _table(matrix: Matrix) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        title=escape(title(matrix)),
        title_justify="left",
    )
    for word, justify in _HEADINGS:
        heading = accuracy_title(matrix) if word == "accuracy" else word
        table.add_column(heading, justify=justify, no_wrap=heading not in {"operators that differ"})
    for row in rows(matrix):
        table.add_row(*map(escape, _texts(row)), style="" if row.state == "built" else "red")
    return table


_HEADINGS: tuple[tuple[str, Any], ...] = (
    ("tensorflow", "left"),
    ("outcome", "left"),
    ("bytes", "right"),
    ("file", "left"),
    ("runtime", "right"),
    ("operators that differ", "left"),
    ("accuracy", "right"),
    ("after", "right"),
    ("agreement with float", "right"),
    ("agreement with others", "right"),
    ("max difference", "right"),
    ("time", "right"),
)


def _texts(row: Row) -> tuple[str, ...]:
    return (
        row.tensorflow,
        row.outcome,
        row.bytes,
        f"{row.group} {row.sha256}".strip(),
        row.runtime,
        ", ".join(row.operators) or ABSENT,
        row.before,
        row.after,
        row.with_float,
        row.with_others,
        row.difference,
        row.seconds,
    )
