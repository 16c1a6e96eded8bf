"""A scatter chart: numbered points, limits as lines, a front, and labels that keep off each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from kit.charts.axis import Axis, Tick

RADIUS = 7.0
_CHAR, _HIGH = 6.4, 11.0  # of a label: the width of a letter, and its height
# Where a label may be, best first: its middle as multiples of its own half size, away from the point.
_PLACES = ((1, -1), (-1, -1), (1, 1), (-1, 1), (0, -1), (0, 1), (1, 0), (-1, 0))

Rect = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Point:
    """What is drawn: a point of the data. state: chosen, keeps or lost; text: what is said of it."""

    name: str
    text: str
    x: float
    y: float
    state: str


@dataclass(frozen=True)
class Limit:
    """A line that a point should not be beyond: of the values on x, or of those on y."""

    value: float
    text: str
    on_x: bool = False


@dataclass(frozen=True)
class Mark:
    """A point on the page. beyond: above the upper edge, where it is a triangle; label: the middle of its number."""

    number: int
    point: Point
    x: float
    y: float
    beyond: bool
    label: tuple[float, float] = (0.0, 0.0)

    @property
    def radius(self) -> float:
        """Return that of its circle."""
        return RADIUS if self.point.state == "chosen" else 4.0


@dataclass(frozen=True)
class Line:
    """A limit on the page, and where its text ends."""

    x1: float
    y1: float
    x2: float
    y2: float
    text: str
    text_x: float
    text_y: float


@dataclass(frozen=True)
class Scatter:
    """A whole chart, in its own units."""

    title: str
    x_title: str
    y_title: str
    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    lines: tuple[Line, ...]
    front: tuple[tuple[float, float], ...]
    x_unit: float = 1.0

    @property
    def x_ticks(self) -> tuple[Tick, ...]:
        """Return the lines of the horizontal axis."""
        return self.x.ticks(self.x_unit)

    @property
    def y_ticks(self) -> tuple[Tick, ...]:
        """Return the lines of the vertical one."""
        return self.y.ticks()

    @property
    def corners(self) -> str:
        """Return the front as SVG takes it."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.front)


def marks_of(points: Sequence[Point], x: Axis, y: Axis) -> tuple[Mark, ...]:
    """Return points as marks, numbered in their order, each with a label that covers no mark and no other label."""
    marks = [Mark(n, point, x.at(point.x), y.at(point.y), point.y > y.high) for n, point in enumerate(points, 1)]
    taken = [_around(mark) for mark in marks]
    inside = (x.start, y.end - 2 * _HIGH, x.end, y.start)
    placed = []
    for mark in marks:
        label = _free(mark, taken, inside)
        taken.append(_box(mark, label))
        placed.append(replace(mark, label=label))
    return tuple(placed)


def lines_of(limits: Sequence[Limit], x: Axis, y: Axis) -> tuple[Line, ...]:
    """Return the limits that lie on the chart."""
    return tuple(line for limit in limits if (line := _line(limit, x, y)) is not None)


def front_of(points: Sequence[Point], x: Axis, y: Axis) -> tuple[tuple[float, float], ...]:
    """Return the corners of the front: no point has both less x and less y than one on it. points: by x, then y."""
    return tuple(_corners(points, x, y))


def _corners(points: Sequence[Point], x: Axis, y: Axis) -> Iterator[tuple[float, float]]:
    best: float | None = None
    for point in points:
        if best is not None and point.y >= best:
            continue
        if best is not None:
            yield x.at(point.x), y.at(best)
        yield x.at(point.x), y.at(point.y)
        best = point.y


def _line(limit: Limit, x: Axis, y: Axis) -> Line | None:
    axis = x if limit.on_x else y
    if not axis.low <= limit.value <= axis.high:
        return None
    at = axis.at(limit.value)
    if not limit.on_x:
        return Line(x.start, at, x.end, at, limit.text, x.end - 4, at - 5)
    # Left of its line, but where there is no room for it.
    width = _CHAR * len(limit.text)
    left = at - 6 if at - 6 - width > x.start else at + 6 + width
    return Line(at, y.start, at, y.end, limit.text, left, y.end - 6)


def _around(mark: Mark) -> Rect:
    reach = mark.radius + 1
    return mark.x - reach, mark.y - reach, mark.x + reach, mark.y + reach


def _box(mark: Mark, label: tuple[float, float]) -> Rect:
    wide = _CHAR * len(str(mark.number)) / 2 + 1.5  # with room to the next
    return label[0] - wide, label[1] - _HIGH / 2, label[0] + wide, label[1] + _HIGH / 2


def _free(mark: Mark, taken: Sequence[Rect], inside: Rect) -> tuple[float, float]:
    """Return the first place of a label that is inside and covers nothing, near the mark and then farther away."""
    wide = _CHAR * len(str(mark.number)) / 2
    places = [
        (mark.x + across * (mark.radius + wide + gap), mark.y + down * (mark.radius * 0.6 + _HIGH / 2 + gap))
        for gap in (1.0, 6.0, 12.0, 20.0, 30.0)
        for across, down in _PLACES
    ]
    for place in places:
        box = _box(mark, place)
        within = box[0] >= inside[0] and box[1] >= inside[1] and box[2] <= inside[2] and box[3] <= inside[3]
        if within and not any(_overlap(box, other) for other in taken):
            return place
    return places[0]


def _overlap(one: Rect, other: Rect) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
