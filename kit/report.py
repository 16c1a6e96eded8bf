"""What a person wants to know at the end: tables, from values that others computed."""

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

from kit.bundle import measures
from kit.checks import Verdict
from kit.files import size_of
from kit.pipeline import Built
from kit.toolchain import find_runtime
from kit.worker.job import ASSIGN, READ, OutputMeasure, Result

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
    if built.verdicts:
        console.print(_gates(built.verdicts))
    if built.bundle:
        # Outside of the table: a path that is wrapped cannot be copied.
        sys.stdout.write(f"bundle: {built.bundle}\n")
        sys.stdout.write(
            f"next:   python {built.bundle}/emulate/emulate.py tries it on a desktop\n"
            f"        kit android {built.bundle} proves its Kotlin, kit drop {built.bundle} --into YOUR_APP copies it\n"
        )


def build_facts(built: Built) -> dict[str, Any]:
    """Return what --json prints: the manifest, or what was measured and judged where a gate refused."""
    if built.manifest is not None:
        return dict(built.manifest)
    assert built.result is not None
    return {
        "checks": [asdict(verdict) for verdict in built.verdicts],
        "measures": measures(built.result),
        "model": {"bytes": built.size},
    }


def _rows(built: Built) -> Iterator[Row]:
    result, recipe = built.result, built.recipe
    if result is None:
        return
    before = sum(size_of(recipe.file(name)) for name in recipe.model.paths)
    yield (
        "size",
        f"{_bytes(before)} {' + '.join(recipe.model.paths)} -> {_bytes(built.size)} model.tflite "
        f"(x{built.size / before:.2f}), {recipe.quantize.scheme}, {recipe.io} in and out",
    )
    for measure in result.measures:
        yield from _measured(measure, len(result.measures) > 1)
    yield (
        "measured on",
        {
            "checks": f"{result.samples} samples of [checks] data",
            "representative": f"{result.samples} samples of the representative data (no [checks] data)",
            "random": f"{result.samples} random inputs (no data in the recipe: says little)",
        }[result.measured_on],
    )
    if built.manifest:
        runtime = find_runtime(recipe.android.runtime).name
        stands = "" if runtime == recipe.android.runtime else f"; it stands for {recipe.android.runtime}"
        yield f"on {runtime}", _emulated(built.manifest["emulation"]) + stands
    yield (
        "toolchain",
        f"TensorFlow {result.tensorflow}, {result.loader}, {result.machine}; engine: {built.engine}",
    )
    if result.kept:
        yield "variables", _variables(result)
    for note in result.notes:
        yield "note", note
    if not result.portable:
        yield "note", "the order of float sums could not be fixed here: on another type of CPU, bytes may differ"


def _variables(result: Result) -> str:
    """Say what stayed a variable, and what became of the rest: "2 kept (head/kernel, head/bias), 10 constant"."""
    kept = ", ".join(spec.name for spec in result.kept)
    counts = Counter(fate.fate for fate in result.variables if fate.fate != "kept")
    rest = "".join(f", {count} {fate}" for fate, count in sorted(counts.items()))
    train = f"; signature {result.train.key}" if result.train else ""
    return f"{len(result.kept)} kept ({kept}){rest}; signatures {READ}, {ASSIGN}{train}"


def _measured(measure: OutputMeasure, several: bool) -> Iterator[Row]:
    of = f" ({measure.name})" if several else ""
    if measure.accuracy is not None and measure.float_accuracy is not None:
        change = measure.accuracy - measure.float_accuracy
        yield (
            f"accuracy{of}",
            f"{measure.float_accuracy:.2%} before -> {measure.accuracy:.2%} after ({100 * change:+.2f} points)",
        )
    if measure.agreement is not None:
        yield f"agreement{of}", f"{measure.agreement:.2%} same top-1 as the float Keras model"
    steps = "" if measure.worst_steps is None else f" = {measure.worst_steps:.1f} quantization steps"
    yield f"output error{of}", f"worst {measure.worst_error:.4g}{steps}, mean {measure.mean_error:.4g}"


def _emulated(report: dict[str, Any]) -> str:
    if "why" in report:
        return f"{report['verdict']}: {report['why']}"
    outputs = report.get("outputs", {})
    parts = []
    for name, facts in outputs.items():
        worst = facts.get("worst_steps")
        off = f"{worst:g} steps" if worst is not None else f"{facts.get('worst', 0):.2g}"
        parts.append(f"{name} off by {off}")
    return f"golden vectors {report.get('verdict')}: {', '.join(parts)}"


def _gates(verdicts: Sequence[Verdict]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title="checks", title_justify="left")
    for heading in ("check", "limit", "measured", "verdict"):
        table.add_column(heading)
    for v in verdicts:
        table.add_row(escape(v.name), v.limit, v.value, "[green]pass[/]" if v.passed else "[red]FAIL[/]")
    return table


def _bytes(count: int) -> str:
    return f"{count / 1000:,.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:,.2f} MB"
