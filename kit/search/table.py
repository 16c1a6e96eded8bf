"""A search for a reader: every candidate with its size and its loss, and the recipe's lines of the chosen one."""

from __future__ import annotations

import sys

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kit.search.auto import Found
from kit.search.halves import Interval
from kit.search.limits import POINT
from kit.search.trials import Trial


def print_search(found: Found) -> None:
    """Print all candidates, the smallest first, and the lines that build the chosen one without a search."""
    table = Table(box=box.SIMPLE_HEAD, title="candidates", title_justify="left")
    for heading in ("candidate", "size", "chosen on", "reported on", "verdict"):
        table.add_column(heading, justify="right" if heading == "size" else "left")
    for trial in sorted(found.trials, key=lambda each: (each.size == 0, each.size)):
        table.add_row(
            escape(trial.candidate.name),
            f"{trial.size:,} B" if trial.size else "-",
            *(escape(text) for text in _losses(trial)),
            "[bold green]chosen[/]" if trial is found.chosen else "keeps" if trial.keeps else escape(trial.why[:70]),
        )
    console = Console(width=None if sys.stdout.isatty() else 160, soft_wrap=False)
    console.print(table)
    if found.chosen.halves and (loss := found.chosen.halves.loss):
        sys.stdout.write(_loss_text(loss))
    sys.stdout.write(f"\nThe same without a search:\n\n{found.chosen.candidate.lines()}\n")


def _losses(trial: Trial) -> tuple[str, str]:
    """Return what a candidate loses on each half."""
    if trial.halves is None:
        return "-", "-"
    return _loss(trial.halves.chosen_on), _loss(trial.halves.reported_on)


def _loss(measures: tuple[object, ...]) -> str:
    from kit.build.metrics import OutputMeasure

    texts = []
    for measure in measures:
        assert isinstance(measure, OutputMeasure)
        if measure.truth is not None:
            texts.append(f"accuracy {100 * (measure.truth.accuracy - measure.truth.float_accuracy):+.2f} points")
        elif measure.agreement is not None:
            texts.append(f"agreement {measure.agreement:.2%}")
        elif measure.relative_error is not None:
            texts.append(f"error {measure.relative_error:.2%} of spread")
    return "; ".join(texts[:2])


def _loss_text(loss: Interval) -> str:
    """Return what the half that was not used to choose says of the chosen one."""
    low, high = 100 * (loss.loss - loss.half), 100 * (loss.loss + loss.half)
    line = (
        f"loss of {loss.what} on the {loss.count:,} samples that were not used to choose: "
        f"{100 * loss.loss:.2f} points, 95 % interval {low:.2f} to {high:.2f}\n"
    )
    if loss.half > POINT:
        line += "too few samples to tell half a point: give more [checks] data to be sure\n"
    return line
