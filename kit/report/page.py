"""The page: everything that its template shows, and the text that comes of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from kit import __version__
from kit.charts.histogram import Histogram
from kit.charts.scatter import Scatter
from kit.render import render_text
from kit.report.values import Change, Measured, Pairs, Sample

TEMPLATE = "report/report.html.j2"
TEMPLATES = ("charts/scatter.svg.j2", "charts/look.css", "report/report.css", TEMPLATE)
FILTERS = {"px": lambda value: f"{value:.1f}", "percent": lambda value: f"{100 * value:.1f}"}
# What HTML forbids, and what is no character at all: the text of a sample may hold any.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


@dataclass(frozen=True)
class CheckRow:
    """One check. state: pass, or beyond where the gate is off."""

    name: str
    limit: str
    value: str
    state: str


@dataclass(frozen=True)
class LayerRow:
    """One layer that adds error. share: of its bar, 0 to 1."""

    name: str
    operator: str
    snr: str
    added: str
    share: float
    why: str


@dataclass(frozen=True)
class TensorRow:
    """One input or output, in the order of the contract."""

    role: str
    name: str
    dtype: str
    shape: str
    meaning: str


@dataclass(frozen=True)
class RuntimeRow:
    """One runtime, and whether it has the file's operators. own: the app's."""

    name: str
    words: str
    fits: bool
    own: bool


@dataclass(frozen=True)
class Kotlin:
    """What a user copies into an app. name: of the generated class's file; text: that file."""

    dependencies: str
    usage: str
    name: str
    text: str


@dataclass(frozen=True)
class Page:
    """All that the template says. good: nothing is beyond a limit; samples_note: which samples these are."""

    title: str
    version: str
    description: str
    verdict: str
    good: bool
    tiles: tuple[tuple[str, str], ...]
    measured_on: str
    checks: tuple[CheckRow, ...]
    measured: tuple[Measured, ...]
    samples: tuple[Sample, ...]
    samples_note: str
    changes: tuple[Change, ...]
    histograms: tuple[Histogram, ...]
    layers: tuple[LayerRow, ...]
    signature: tuple[TensorRow, ...]
    runtimes: tuple[RuntimeRow, ...]
    variables: Pairs
    provenance: Pairs
    kotlin: Kotlin
    chart: Scatter | None = None
    notes: tuple[str, ...] = field(default=())


def render_page(page: Page) -> str:
    """Return the page as HTML: complete in itself, no script, nothing fetched; the same for the same values."""
    values = {"page": page, "kit_version": __version__}
    text = render_text(TEMPLATE, values, FILTERS)
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
