"""A search for a reader: every candidate with its size and its loss, and the recipe's lines of the chosen one."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kit.build.layer_table import print_layers
from kit.build.metric_checks import drop, metric_words
from kit.build.metrics import OutputMeasure
from kit.bundle.latency import Latency
from kit.metrics.table import title
from kit.search.found import Found
from kit.search.limits import POINT
from kit.search.trials import Trial

_NAME = 64  # characters of a candidate's name


def print_search(found: Found) -> None:
    """Print all candidates, the smallest first, and the lines that build the chosen one without a search."""
    table = Table(box=box.SIMPLE_HEAD, title="candidates", title_justify="left")
    terminal = sys.stdout.isatty()
    # In a log a name stays in one line, so that it can be searched for; what it lost is folded instead.
    names = 0 if terminal else min(_NAME, max(len(trial.candidate.name) for trial in found.trials))
    for heading in ("candidate", "size", "latency", "chosen on", "reported on", "verdict"):
        table.add_column(
            heading,
            justify="right" if heading == "size" else "left",
            min_width=names if heading == "candidate" else None,
        )
    for trial in sorted(found.trials, key=lambda each: (each.size == 0, each.size)):
        table.add_row(
            escape(trial.candidate.name),
            f"{trial.size:,} B" if trial.size else "-",
            latency_words(trial.latency),
            *(escape(text) for text in _losses(trial)),
            "[bold green]chosen[/]" if trial is found.chosen else "keeps" if trial.keeps else escape(trial.why[:70]),
        )
    console = Console(width=None if terminal else 160, soft_wrap=False)
    console.print(table)
    if found.chosen.latency:
        sys.stdout.write(
            f"latency: of a call, beside {found.chosen.latency.of}'s, on {found.limits.android.runtime}, "
            "one thread of this machine, and its 95 % interval:\n"
            "a hint, which decided nothing; a phone's may be another\n"
        )
    for trial in _explained(found):
        print_layers(trial.errors, f"layers that add most error: {trial.candidate.name}")
    if found.chosen.halves:
        sys.stdout.writelines(_intervals(found.chosen.halves.reported_on))
    sys.stdout.write(f"\nThe same without a search:\n\n{found.chosen.candidate.lines()}\n")


def latency_words(latency: Latency | None) -> str:
    """Return a measured ratio: "0.53 (0.51 to 0.55)"."""
    return "-" if latency is None else f"{latency.ratio:.2f} ({latency.low:.2f} to {latency.high:.2f})"


def _explained(found: Found) -> Iterator[Trial]:
    """Yield whose layers are shown: the smallest plain candidate that does not keep the checks, and the chosen one."""
    smaller = [each for each in found.trials if each.halves and not each.keeps and not each.candidate.quantize.layers]
    yield from sorted(smaller, key=lambda each: each.size)[:1]
    yield found.chosen


def _losses(trial: Trial) -> tuple[str, str]:
    """Return what a candidate loses on each half."""
    if trial.halves is None:
        return "-", "-"
    return _loss(trial.halves.chosen_on), _loss(trial.halves.reported_on)


def _loss(measures: Sequence[OutputMeasure]) -> str:
    """Return what two outputs lose: "accuracy 0.9944 -> 0.9917", or the error where there is no truth."""
    texts = []
    for measure in measures:
        scored = [each for each in measure.metrics if each.before is not None and each.after is not None]
        if scored:
            metric = scored[0]
            texts.append(f"{title(metric.name, metric.k)} {metric.before:.4g} -> {metric.after:.4g}")
        elif measure.agreement is not None:
            texts.append(f"agreement {measure.agreement:.2%}")
        elif measure.relative_error is not None:
            texts.append(f"error {measure.relative_error:.2%} of spread")
    return "; ".join(texts[:2])


def _intervals(measures: Sequence[OutputMeasure]) -> Iterator[str]:
    """Yield what the half that was not used to choose says of the chosen one."""
    for measure in measures:
        for metric in measure.metrics[:1]:
            name = f"{title(metric.name, metric.k)} ({measure.name})"
            yield f"{name} on the {metric.samples:,} samples that were not used to choose: {metric_words(metric)}\n"
            lost = drop(metric)
            if lost is not None and lost[2] is not None and lost[2] > POINT:
                yield f"these are too few to tell {POINT:g}: give more [checks] data to be sure\n"
