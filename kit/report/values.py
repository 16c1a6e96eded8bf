"""What a page shows, ready for its template: texts, and places in the charts' own units."""

from __future__ import annotations

from dataclasses import dataclass, field

from kit.report.png import PageImage


@dataclass(frozen=True)
class Shape:
    """A box or a point over an image, in its pixels. width, height: 0 of a point. color: of ten, by the class."""

    x: float
    y: float
    width: float
    height: float
    text: str
    color: int


@dataclass(frozen=True)
class Lines:
    """Series in a box of 100 by 40: each a polyline's points. low, high: what the box's edges stand for.

    filled: an outline, and not a line.
    """

    points: tuple[str, ...]
    low: str
    high: str
    filled: bool = False


@dataclass(frozen=True)
class Shown:
    """One input of a sample, in whichever way suits its kind. spectrum: of a sound, below its wave."""

    name: str
    caption: str
    image: PageImage | None = None
    lines: Lines | None = None
    text: str | None = None
    spectrum: PageImage | None = None


@dataclass(frozen=True)
class Row:
    """A value with its name. share: how long its bar is, 0 to 1."""

    name: str
    value: str
    share: float


@dataclass(frozen=True)
class Side:
    """What one model gave for one output."""

    rows: tuple[Row, ...] = ()
    shapes: tuple[Shape, ...] = ()
    mask: PageImage | None = None
    lines: Lines | None = None
    text: str = ""


@dataclass(frozen=True)
class Both:
    """One output of a sample, of the float model and of the file. difference: between them, in words."""

    name: str
    before: Side
    after: Side
    difference: str
    over: bool = False  # drawn over the image of the sample


@dataclass(frozen=True)
class Sample:
    """One sample of those that the file was measured on.

    change: of its class, in words, "" where that is the same; over: the input that outputs are drawn over, -1: none.
    """

    number: int
    name: str
    change: str
    inputs: tuple[Shown, ...]
    outputs: tuple[Both, ...]
    truth: str = ""
    over: int = -1


@dataclass(frozen=True)
class Change:
    """A class that became another. output: "" where only one has classes; share: how long its bar is, 0 to 1."""

    output: str
    before: str
    after: str
    count: int
    share: float


@dataclass(frozen=True)
class Measured:
    """A row of the table of metrics. interval: of after - before."""

    name: str
    before: str
    after: str
    change: str
    interval: str


@dataclass(frozen=True)
class Pairs:
    """A section of names and values."""

    title: str
    rows: tuple[tuple[str, str], ...] = field(default=())
