"""dist/<id>.search.svg: size against loss of every candidate, the front, the chosen one, the checks as lines.

The same bytes for the same search. What lies far beyond the limit is a triangle at the upper edge. report.html has the
same chart, narrower.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.charts.axis import Axis
from kit.charts.scatter import Limit, Point, Scatter, front_of, lines_of, marks_of
from kit.files import writable, write_whole
from kit.render import render_text
from kit.search.found import Found
from kit.search.loss import Loss, first_loss
from kit.search.trials import Trial

TEMPLATE = "search/chart.svg.j2"
FILTERS = {"px": lambda value: f"{value:.1f}"}
WIDTH, ROW = 1280, 18
BEYOND = 4.0  # the upper edge, in limits


@dataclass(frozen=True)
class Frame:
    """Where the axes of a chart are, in its own units."""

    left: float = 90.0
    right: float = 720.0
    top: float = 50.0
    bottom: float = 430.0


NARROW = Frame(left=62.0, right=470.0, top=24.0, bottom=300.0)  # of report.html


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
    chart = scatter_of(found, loss, Frame())
    height = max(chart.y.start + 60, chart.y.end + ROW * len(chart.marks) + 20)
    values = {"chart": chart, "width": WIDTH, "height": round(height), "row": ROW}
    return render_text(TEMPLATE, values, FILTERS)


def narrow_chart(found: Found) -> Scatter | None:
    """Return the chart for a page, None where no check is on a loss."""
    loss = first_loss(found.limits)
    return None if loss is None else scatter_of(found, loss, NARROW)


def scatter_of(found: Found, loss: Loss, frame: Frame) -> Scatter:
    """Return the chart: every candidate that was measured, by size, then by what it loses."""
    points = sorted(_points(found, loss), key=lambda point: (point.x, point.y, point.name))
    x, y = _axes(points, loss, frame)
    limits = [Limit(loss.limit, f"at most {loss.limit:.4g}")]
    most = found.limits.checks.max_bytes
    if most is not None:
        limits.append(Limit(most, f"max_bytes {most:,}", on_x=True))
    return Scatter(
        title=f"{found.limits.model.id} {found.limits.model.version}: {len(points)} candidates",
        x_title="size in kB",
        y_title=f"{loss.name}, on the half that chose",
        x=x,
        y=y,
        marks=marks_of(points, x, y),
        lines=lines_of(limits, x, y),
        front=front_of(points, x, y),
        x_unit=1000.0,
    )


def _points(found: Found, loss: Loss) -> Iterator[Point]:
    for trial in found.trials:
        lost = loss.of(trial.halves.chosen_on) if trial.halves else None
        if lost is not None and math.isfinite(lost):
            text = f"{trial.size:,} B, {lost:.4g}"
            yield Point(trial.candidate.name, text, trial.size, lost, _state(trial, found))


def _state(trial: Trial, found: Found) -> str:
    return "chosen" if trial is found.chosen else "keeps" if trial.keeps else "lost"


def _axes(points: Sequence[Point], loss: Loss, frame: Frame) -> tuple[Axis, Axis]:
    """Return axes that hold every size, and losses up to some limits."""
    losses = [point.y for point in points]
    most = max([point.x for point in points], default=1000)
    high = BEYOND * loss.limit if loss.limit > 0 else max([*losses, 0.01])
    low = min([*losses, 0.0])
    x = Axis(0.0, 1.05 * most, frame.left, frame.right)
    return x, Axis(low - 0.05 * (high - low), 1.02 * high, frame.bottom, frame.top)
