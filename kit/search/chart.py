"""dist/<id>.search.svg: size against loss of every candidate, the front, the chosen one, the checks as lines.

The same bytes for the same search. What lies far beyond the limit is a triangle at the upper edge.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.files import writable, write_whole
from kit.render import render_text
from kit.search.auto import Found
from kit.search.loss import Loss, first_loss
from kit.search.trials import Trial

TEMPLATE = "search/chart.svg.j2"
WIDTH, ROW = 1280, 18
BEYOND = 4.0  # the upper edge, in limits
COLORS = {"chosen": "#1e8449", "keeps": "#2c6fbb", "lost": "#8a8a8a"}


@dataclass(frozen=True)
class Plot:
    """Where the axes are, and what their ends stand for: bytes, and the loss."""

    most: float
    low: float
    high: float
    left: int = 90
    right: int = 720
    top: int = 50
    bottom: int = 430

    def x(self, size: float) -> float:
        """Return where a size is."""
        return self.left + (self.right - self.left) * size / self.most

    def y(self, loss: float) -> float:
        """Return where a loss is; the upper edge for one beyond it."""
        share = (min(loss, self.high) - self.low) / (self.high - self.low)
        return self.bottom - (self.bottom - self.top) * share


@dataclass(frozen=True)
class Tick:
    """A line of an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Check:
    """A check as a line."""

    x1: float
    y1: float
    x2: float
    y2: float
    text: str


@dataclass(frozen=True)
class Mark:
    """A candidate: its place, its row in the list, and what is said of it."""

    number: int
    name: str
    text: str
    x: float
    y: float
    row: int
    state: str  # a key of COLORS
    beyond: bool

    @property
    def color(self) -> str:
        """Return what it is drawn in."""
        return COLORS[self.state]


def write_chart(found: Found, bundle: Path) -> Path | None:
    """Write the chart beside a bundle, whole or not at all; return its place, None where no check is on a loss."""
    place, loss = bundle.with_name(f"{bundle.name}.search.svg"), first_loss(found.limits)
    with writable(bundle.parent):
        if loss is None:
            place.unlink(missing_ok=True)
            return None
        write_whole(place, render_chart(found, loss).encode())
    return place


def render_chart(found: Found, loss: Loss) -> str:
    """Return the chart as SVG: complete in itself, no script, nothing fetched."""
    points = sorted(_points(found.trials, loss), key=lambda point: (point[1], point[2], point[0].candidate.name))
    plot = _plot(points, loss)
    marks = [_mark(found, plot, number, point) for number, point in enumerate(points, 1)]
    values = {
        "width": WIDTH,
        "height": max(plot.bottom + 60, plot.top + ROW * len(marks) + 20),
        "title": f"{found.limits.model.id} {found.limits.model.version}: {len(points)} candidates",
        "plot": plot,
        "y_title": f"{loss.name}, on the half that chose",
        "x_ticks": [Tick(plot.x(at), f"{at / 1000:g}") for at in _ticks(0, plot.most)],
        "y_ticks": [Tick(plot.y(at), f"{at:g}") for at in _ticks(plot.low, plot.high)],
        "checks": list(_checks(found, plot, loss)),
        "front": " ".join(f"{x:.1f},{y:.1f}" for x, y in _front(plot, points)),
        "marks": marks,
    }
    return render_text(TEMPLATE, values, {"px": lambda value: f"{value:.1f}"})


Point = tuple[Trial, int, float]  # with its size and its loss


def _points(trials: Sequence[Trial], loss: Loss) -> Iterator[Point]:
    for trial in trials:
        lost = loss.of(trial.halves.chosen_on) if trial.halves else None
        if lost is not None and math.isfinite(lost):
            yield trial, trial.size, lost


def _plot(points: Sequence[Point], loss: Loss) -> Plot:
    """Return axes that hold every size, and losses up to some limits."""
    losses = [lost for _, _, lost in points]
    most = max([size for _, size, _ in points], default=1000)
    high = BEYOND * loss.limit if loss.limit > 0 else max([*losses, 0.01])
    low = min([*losses, 0.0])
    return Plot(1.05 * most, low - 0.05 * (high - low), 1.02 * high)


def _mark(found: Found, plot: Plot, number: int, point: Point) -> Mark:
    trial, size, lost = point
    state = "chosen" if trial is found.chosen else "keeps" if trial.keeps else "lost"
    text = f"{size:,} B, {lost:.4g}"
    row = plot.top + ROW * (number - 1) + 10
    return Mark(number, trial.candidate.name, text, plot.x(size), plot.y(lost), row, state, lost > plot.high)


def _checks(found: Found, plot: Plot, loss: Loss) -> Iterator[Check]:
    if loss.limit <= plot.high:
        at = plot.y(loss.limit)
        yield Check(plot.left, at, plot.right, at, f"at most {loss.limit:.4g}")
    most = found.limits.checks.max_bytes
    if most is not None and most <= plot.most:
        yield Check(plot.x(most), plot.bottom, plot.x(most), plot.top, f"max_bytes {most:,}")


def _front(plot: Plot, points: Sequence[Point]) -> Iterator[tuple[float, float]]:
    """Yield the corners of the front: no candidate is both smaller and better than one on it. points: by size."""
    best = math.inf
    for _, size, lost in points:
        if lost >= best:
            continue
        if best < math.inf:
            yield plot.x(size), plot.y(best)
        yield plot.x(size), plot.y(lost)
        best = lost


def _ticks(low: float, high: float) -> list[float]:
    """Return 3 to 8 round numbers between two ends."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 12) for n in range(first, math.floor(high / step + 1e-9) + 1)]
