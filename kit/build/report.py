"""What a user wants to know at the end: tables, from values that others computed."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kit.build.checks import Verdict, ignored
from kit.build.layer_table import print_layers
from kit.build.metric_checks import interval_words, metric_words
from kit.build.metrics import OutputMeasure
from kit.build.pipeline import Built
from kit.build.plan import Plan
from kit.build.write_manifest import measured
from kit.bundle.replay_report import ReplayReport
from kit.files import size_of
from kit.metrics.table import title
from kit.shared.job import ASSIGN, READ, Result
from kit.tflite.weight_types import weights_text
from kit.toolchains.toolchain import find_runtime

Row = tuple[str, str]


def print_built(built: Built) -> None:
    """Print the table of a build: sizes, accuracies, errors, gates, and where to go on."""
    table = Table(
        box=box.SIMPLE_HEAD,
        show_header=False,
        title=f"{built.recipe.model.id} {built.recipe.model.version}",
        title_justify="left",
    )
    for row in _rows(built):
        table.add_row(*(escape(cell) for cell in row))
    # Where nobody reads it on a terminal, a log should not be cut to 80 columns.
    console = Console(width=None if sys.stdout.isatty() else 160, soft_wrap=False)
    console.print(table)
    if built.judged.verdicts:
        console.print(_gates(built.judged.verdicts))
    print_layers(built.layers, "layers that add most error")
    if not built.recipe.checks.gate:
        reported = "; ".join(f"{v.name} is {v.value}" for v in ignored(built.judged.verdicts)) or "nothing is beyond it"
        sys.stdout.write(f"gate:   off ([checks] gate = false): {reported}\n")
    if built.bundle:
        # Outside of the table: a path that is wrapped cannot be copied.
        sys.stdout.write(f"bundle: {built.bundle}\n")
        sys.stdout.write(
            f"next:   python {built.bundle}/emulate/emulate.py tries it on a desktop\n"
            f"        kit android {built.bundle} proves its Kotlin, kit drop {built.bundle} --into YOUR_APP copies it\n"
        )


def build_json(built: Built) -> dict[str, Any]:
    """Return what --json prints: the manifest, or what was measured and judged where a gate refused."""
    if built.manifest is not None:
        return built.manifest.to_json()
    return {
        "checks": [asdict(verdict) for verdict in built.judged.verdicts],
        "layers": [asdict(error) for error in built.layers],
        "measures": asdict(measured(built.result, built.judged)),
        "model": {"bytes": built.size},
    }


def _rows(built: Built) -> Iterator[Row]:
    result, recipe, measures = built.result, built.recipe, built.judged.measures
    before = sum(size_of(recipe.file(name)) for name in recipe.model.paths)
    yield (
        "size",
        f"{_bytes(before)} {' + '.join(recipe.model.paths)} -> {_bytes(built.size)} model.tflite "
        f"(x{built.size / before:.2f} of the training file), {recipe.quantize.scheme}, {recipe.io} in and out",
    )
    weights = built.judged.weights
    yield "weights", f"{weights_text(weights, recipe.quantize.scheme)}; {_bytes(weights.float32_bytes)} in float32"
    for measure in measures:
        yield from _measured(measure, len(measures) > 1)
        if measure.changed is not None:
            yield _changed(built.plan, measure.name, measure.changed, several=len(measures) > 1)
    yield (
        "measured on",
        {
            "checks": f"{result.samples} samples of [checks] data",
            "representative": f"{result.samples} samples of the representative data (no [checks] data)",
            "random": f"{result.samples} random inputs (no data in the recipe: says little)",
        }[result.measured_on]
        + f", on {built.judged.interpreter}",
    )
    if built.manifest:
        runtime = find_runtime(recipe.android.runtime).name
        stands = "" if runtime == recipe.android.runtime else f"; it stands for {recipe.android.runtime}"
        yield f"on {runtime}", _emulated(built.manifest.emulation) + stands
        if recipe.android.also:
            yield "works on", ", ".join(recipe.android.also)
    yield (
        "toolchain",
        f"TensorFlow {result.tensorflow}, {result.loader}, {result.machine}; engine: {built.engine}",
    )
    if result.kept:
        yield "variables", _variables(result)
    for note in built.judged.notes:
        yield "note", note
    if not result.portable:
        yield "note", "the order of float sums could not be fixed here: on another type of CPU, bytes may differ"


def _variables(result: Result) -> str:
    """Say what stayed a variable, and what became of the rest: "2 kept (head/kernel, head/bias), 10 constant"."""
    kept = ", ".join(spec.name for spec in result.kept)
    counts = Counter(status.status for status in result.variables if status.status != "kept")
    rest = "".join(f", {count} {status}" for status, count in sorted(counts.items()))
    train = f"; signature {result.train.key}" if result.train else ""
    return f"{len(result.kept)} kept ({kept}){rest}; signatures {READ}, {ASSIGN}{train}"


def _measured(measure: OutputMeasure, several: bool) -> Iterator[Row]:
    of = f" ({measure.name})" if several else ""
    if truth := measure.truth:
        change = f"{100 * (truth.accuracy - truth.float_accuracy):+.2f} points"
        interval = "".join(interval_words(each, 100) for each in measure.metrics if each.name == "accuracy")
        yield f"accuracy{of}", f"{truth.float_accuracy:.2%} before -> {truth.accuracy:.2%} after ({change}{interval})"
    for metric in measure.metrics:
        if metric.name != "accuracy":
            yield f"{title(metric.name, metric.k)}{of}", metric_words(metric)
    if measure.agreement is not None:
        yield f"agreement{of}", f"{measure.agreement:.2%} same top-1 as the float Keras model"
    steps = "" if measure.worst_steps is None else f" = {measure.worst_steps:.1f} quantization steps"
    share = "" if measure.worst_share is None else f" ({measure.worst_share:.2%} of its range)"
    yield f"output error{of}", f"worst {measure.worst_error:.4g}{steps}{share}, mean {measure.mean_error:.4g}"
    if measure.relative_error is not None and measure.correlation is not None:
        share = f"{measure.relative_error:.3%} of its spread, correlation {measure.correlation:.5f}"
        yield f"relative error{of}", f"{share} (spread: standard deviation {measure.spread:.4g})"


def _changed(plan: Plan, output: str, changed: tuple[int, int, int], *, several: bool) -> Row:
    """Return the row of the confusion that conversion changed most."""
    before, after, count = changed
    labels = plan.labels[output].texts if output in plan.labels else ()
    one, other = (f"'{labels[i]}'" if i < len(labels) else f"class {i}" for i in (before, after))
    return (
        f"changed most{f' ({output})' if several else ''}",
        f"{one} became {other}: {count:,} {'time' if count == 1 else 'times'}",
    )


def _emulated(report: ReplayReport) -> str:
    if report.why:
        return f"{report.verdict}: {report.why}"
    parts = []
    for name, output in report.outputs.items():
        worst = output.worst or 0.0
        parts.append(f"{name} max difference {f'{worst:g} steps' if output.unit == 'steps' else f'{worst:.2g}'}")
    return f"golden vectors {report.verdict}: {', '.join(parts)}"


def _gates(verdicts: Sequence[Verdict]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title="checks", title_justify="left")
    for heading in ("check", "limit", "measured", "verdict"):
        table.add_column(heading)
    for v in verdicts:
        table.add_row(
            escape(v.name),
            v.limit,
            v.value,
            "[green]pass[/]" if v.passed else "[red]FAIL[/]" if v.enforced else "beyond",
        )
    return table


def _bytes(count: int) -> str:
    return f"{count / 1000:,.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:,.2f} MB"
