"""The layers that quantization hurts most, for a reader: a short table, and half a sentence on the worst one."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kit.shared.quantization import PERFECT, LayerError

_SHOWN = 6
_HEARD = 0.0005  # an error whose share rounds to no tenth of a percent hurts nothing


def worst_layers(errors: Sequence[LayerError]) -> list[LayerError]:
    """Return the layers that add error, those first that add most."""
    heard = [error for error in errors if error.added > _HEARD]
    return sorted(heard, key=lambda error: (-error.added, error.tensor))[:_SHOWN]


def layer_name(error: LayerError) -> str:
    """Return the names of a layer in the source model, that of its tensor where it belongs to none."""
    return ", ".join(error.layers) or error.tensor


def worst_words(errors: Sequence[LayerError]) -> str:
    """Return which layer adds most error, and why: "layer 'wide' adds most of the error (outlier channel ...)"."""
    worst = next(iter(worst_layers(errors)), None)
    if worst is None:
        return ""
    why = worst.reason or f"signal to noise {_decibels(worst)}"
    return f"layer '{layer_name(worst)}' adds most of the error ({why})"


def print_layers(errors: Sequence[LayerError], what: str) -> None:
    """Print the worst layers of a file; nothing where none adds error. what: the table's title."""
    worst = worst_layers(errors)
    if not worst:
        return
    table = Table(box=box.SIMPLE_HEAD, title=escape(what), title_justify="left")
    for heading in ("layer", "operator", "SNR", "adds", "weights", "outputs", "why"):
        table.add_column(heading, justify="right" if heading in {"SNR", "adds"} else "left")
    for error in worst:
        table.add_row(*(escape(cell) for cell in _cells(error)))
    Console(width=None if sys.stdout.isatty() else 160, soft_wrap=False).print(table)


def _cells(error: LayerError) -> tuple[str, ...]:
    return (
        layer_name(error),
        error.operator,
        _decibels(error),
        f"{error.added:.1%}",
        _range(error.weight_low, error.weight_high) if error.weights else "",
        _range(error.low, error.high),
        error.reason,
    )


def _decibels(error: LayerError) -> str:
    return "exact" if error.snr >= PERFECT else f"{error.snr:.1f} dB"


def _range(low: float, high: float) -> str:
    return f"{low:.3g} to {high:.3g}"
