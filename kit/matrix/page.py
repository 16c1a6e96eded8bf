"""A matrix as one HTML page: what its template shows, and the geometry of its charts. Measures nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kit import __version__
from kit.charts.axis import Tick, step_of
from kit.matrix.builds import VersionBuild
from kit.matrix.compare import Matrix, Pair
from kit.matrix.report import ABSENT, accuracies, accuracy_title, difference, findings, percent, rows, title
from kit.render import render_text

TEMPLATE = "matrix/matrix.html.j2"
WIDTH, LABEL, VALUE, LINE = 480, 62, 112, 28  # of a chart, in its own units: all, the versions, the numbers, one row
SQUARE = 46  # of a heat map
LETTER = 7  # the width of one

# The limits of a heat map's shades, the same on every page, so that pages can be compared: 0 is no difference, 1 is up
# to the first limit, 4 is beyond the last.
DISAGREEMENT = (0.005, 0.02, 0.05)  # fractions of the samples
STEPS = (1.0, 3.0, 10.0)
REAL = (1e-6, 1e-4, 1e-2)


@dataclass(frozen=True)
class Mark:
    """One row of a chart. `x` is where its mark ends, `start` where it begins; None where there is nothing to draw."""

    label: str
    y: float
    x: float | None
    start: float | None
    text: str
    state: str


@dataclass(frozen=True)
class Chart:
    """A chart of one row for each version."""

    width: int
    height: int
    label: int  # where the plot begins
    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class Square:
    """One pair of a heat map. shade is 0 to 4; -1 is a version and itself."""

    x: float
    y: float
    shade: int
    text: str
    title: str


@dataclass(frozen=True)
class HeatMap:
    """Every built version against every other."""

    size: int
    top: int  # where the head of its columns begins
    square: int
    labels: tuple[tuple[str, float], ...]  # with the middle of its row, which is that of its column, too
    squares: tuple[Square, ...]
    legend: tuple[tuple[int, str], ...]


def render_page(matrix: Matrix) -> str:
    """Return the page: complete in itself, no script, nothing fetched."""
    builds = matrix.builds
    steps = any(pair.steps is not None for pair in matrix.pairs)
    return render_text(
        TEMPLATE,
        {
            "title": title(matrix),
            "recipe": matrix.recipe,
            "schemes": matrix.scheme_names,
            "io": matrix.recipe.io,
            "kit_version": __version__,
            "rows": rows(matrix),
            "findings": findings(matrix),
            "tiles": _tiles(matrix),
            "samples": next((build.samples for build in builds if build.samples is not None), None),
            "measured_on": next((build.measured_on for build in builds if build.measured_on is not None), None),
            "architectures": sorted({build.architecture for build in builds if build.architecture}),
            "engines": sorted({build.engine for build in builds if build.engine}),
            "accuracy_title": accuracy_title(matrix),
            "has_accuracy": any(accuracies(build)[0] is not None for build in builds),
            "has_agreement": any(row.with_float != ABSENT for row in rows(matrix)),
            "has_operators": any(row.operators for row in rows(matrix)),
            "bytes_chart": _bytes_chart(builds),
            "accuracy_chart": _accuracy_chart(builds),
            "agreement_map": _agreement_map(matrix),
            "difference_map": _difference_map(matrix, steps=steps),
            "difference_unit": "quantization steps" if steps else "real values",
        },
    )


def _tiles(matrix: Matrix) -> list[tuple[str, str]]:
    """Return the few numbers that tell most: (number, what it is)."""
    built, groups = matrix.built, matrix.groups()
    tiles = [(f"{len(built)} of {len(matrix.builds)}", "versions built" if matrix.has_own_scheme else "built")]
    if not built:
        return tiles
    sizes = sorted({build.bytes for build in built if build.bytes is not None})
    different = len({build.sha256 for build in built})
    files = f"in {different} different files" if different > 1 else "in one file"
    tiles.append((str(len(set(groups.values()))), f"different models, {files}"))
    tiles.append((_range([f"{size:,}" for size in (sizes[0], sizes[-1])]), "bytes"))
    after = sorted(value for value in (accuracies(build)[1] for build in built) if value is not None)
    if after:
        tiles.append((_range([percent(after[0]), percent(after[-1])]), accuracy_title(matrix)))
    agreements = [pair.agreement for pair in matrix.pairs if pair.agreement is not None]
    if agreements:
        tiles.append((percent(min(agreements)), "lowest agreement of two"))
    if matrix.pairs:
        furthest = max(matrix.pairs, key=lambda pair: pair.steps or pair.worst or 0.0)
        tiles.append((difference(furthest.steps, furthest.worst), "largest difference of two"))
    return tiles


def _range(ends: Sequence[str]) -> str:
    return ends[0] if ends[0] == ends[-1] else f"{ends[0]}\N{EN DASH}{ends[-1]}"


# ---------------------------------------------------------------- charts of one row for each version


def _bytes_chart(builds: Sequence[VersionBuild]) -> Chart | None:
    sizes = [build.bytes for build in builds if build.bytes is not None]
    if not sizes:
        return None
    label = _label(builds)
    plot = WIDTH - label - VALUE
    marks = [
        Mark(
            build.name,
            LINE * (n + 0.5),
            None if build.bytes is None else label + plot * build.bytes / max(sizes),
            label,
            _size_text(build.bytes, min(sizes)),
            _state(build),
        )
        for n, build in enumerate(builds)
    ]
    return Chart(WIDTH, LINE * len(builds), label, tuple(marks), ())


def _size_text(size: int | None, least: int) -> str:
    if size is None:
        return "not built"
    return f"{size:,}" if size == least else f"{size:,} (+{size - least:,})"


def _accuracy_chart(builds: Sequence[VersionBuild]) -> Chart | None:
    """Return accuracies as fractions on an axis that holds all of them: `start` is before, `x` is after."""
    known = [value for build in builds for value in accuracies(build) if value is not None]
    if not known:
        return None
    low, high, step = _axis(min(known), max(known))
    label = _label(builds)
    scale = (WIDTH - label - VALUE) / (high - low)

    def place(value: float | None) -> float | None:
        return None if value is None else label + (value - low) * scale

    marks = []
    for n, build in enumerate(builds):
        before, after = accuracies(build)
        text = "not built" if after is None else percent(after)
        marks.append(Mark(build.name, LINE * (n + 0.5), place(after), place(before), text, _state(build)))
    count = round((high - low) / step)
    digits = max(0, -math.floor(math.log10(step) + 2 + 1e-9))
    ticks = tuple(Tick(label + n * step * scale, f"{100 * (low + n * step):.{digits}f}%") for n in range(count + 1))
    return Chart(WIDTH, LINE * len(builds) + 22, label, tuple(marks), ticks)


def _axis(least: float, most: float) -> tuple[float, float, float]:
    """Return the ends of an axis of fractions and the step of its ticks: 2 to 5 steps of 1, 2 or 5 times a power of 10.

    At least one point (0.01) wide: a smaller difference should not look large.
    """
    span = max(most - least, 0.01)
    step = step_of(span / 4)
    low = max(0.0, math.floor((least - 0.15 * step) / step + 1e-9) * step)
    high = min(1.0, math.ceil((most + 0.15 * step) / step - 1e-9) * step)
    while high - low < 2 * step - 1e-9:
        low = max(0.0, low - step)
        high = min(1.0, high + step) if low == 0.0 else high
    return low, high, step


def _label(builds: Sequence[VersionBuild]) -> int:
    """Return how wide the names of builds are: of versions, or of versions and schemes."""
    return max(LABEL, 6 + LETTER * max((len(build.name) for build in builds if build.scheme), default=0))


def _side(builds: Sequence[VersionBuild]) -> int:
    """Return the side of a heat map's square, whose columns have those names, too."""
    return SQUARE if _label(builds) == LABEL else _label(builds)


def _state(build: VersionBuild) -> str:
    if build.failure is None:
        return "built"
    return "refused" if build.failure.code == 4 else "failed"


# ---------------------------------------------------------------- every version against every other


def _agreement_map(matrix: Matrix) -> HeatMap | None:
    def square(pair: Pair) -> tuple[int, str] | None:
        if pair.agreement is None:
            return None
        return _shade(1 - pair.agreement, DISAGREEMENT), percent(pair.agreement).removesuffix("%")

    least = [f"{1 - limit:.1%}" for limit in DISAGREEMENT]
    legend = ("all", f"{least[0]} or more", f"{least[1]} or more", f"{least[2]} or more", "less")
    return _heat_map(matrix, square, legend)


def _difference_map(matrix: Matrix, *, steps: bool) -> HeatMap | None:
    limits = STEPS if steps else REAL

    def square(pair: Pair) -> tuple[int, str] | None:
        value = pair.steps if steps else pair.worst
        return None if value is None else (_shade(value, limits), f"{value:.3g}" if steps else f"{value:.1g}")

    return _heat_map(matrix, square, ("none", *(f"up to {limit:g}" for limit in limits), "more"))


def _heat_map(
    matrix: Matrix, square: Callable[[Pair], tuple[int, str] | None], legend: Sequence[str]
) -> HeatMap | None:
    """Return a heat map of square(pair): shade and text. None where fewer than two files can be compared."""
    reported = {frozenset((pair.a, pair.b)): (pair, square(pair)) for pair in matrix.pairs}
    if not any(square for _, square in reported.values()):
        return None
    versions = [build.name for build in matrix.built]
    label, side, squares = _label(matrix.built), _side(matrix.built), []
    for row, one in enumerate(versions):
        for column, other in enumerate(versions):
            pair, (shade, text) = _shown(reported, one, other)
            squares.append(Square(label + side * column, label + side * row, shade, text, pair))
    labels = tuple((version, label + side * (n + 0.5)) for n, version in enumerate(versions))
    used = sorted({each.shade for each in squares if each.shade >= 0})
    return HeatMap(
        size=label + side * len(versions),
        top=label - 24,
        square=side,
        labels=labels,
        squares=tuple(squares),
        legend=tuple((shade, legend[shade]) for shade in used),
    )


def _shown(
    reported: Mapping[frozenset[str], tuple[Pair, tuple[int, str] | None]], one: str, other: str
) -> tuple[str, tuple[int, str]]:
    """Return a square's title, shade and text."""
    if one == other:
        return one, (-1, "")
    pair, square = reported[frozenset((one, other))]
    same = ", the same bytes" if pair.same_bytes else ", the same model" if pair.same_content else ""
    agreement = "" if pair.agreement is None else f"{percent(pair.agreement)} same top-1, "
    title = f"{one} and {other}: {agreement}max difference {difference(pair.steps, pair.worst)}{same}"
    return title, square or (0, ABSENT)


def _shade(value: float, limits: Sequence[float]) -> int:
    """Return 0 for no difference, else 1 and one more for each limit that the value is beyond."""
    return 0 if value <= 0 else 1 + sum(value > limit * (1 + 1e-9) for limit in limits)
