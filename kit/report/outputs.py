"""What both models gave for a sample, side by side: classes, boxes, masks, keypoints, series, numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kit.bundle.box_head import box_head, box_tensors
from kit.bundle.signature import TensorEntry
from kit.report.inputs import lines_of, numbers_text
from kit.report.numbers import NOISE, fixed, places
from kit.report.png import PageImage, mask_image
from kit.report.values import Both, Row, Shape, Side
from kit.shared.postprocess import ALPHA, coordinates, cosine, detect, palette, peaks, seen, segment
from kit.shared.preprocess import apply_activation

TOP = 3  # classes that are shown
MOST_SHAPES = 12  # boxes or keypoints of one model
MOST_POSITIONS = 24
COLORS = 8  # of shapes, by class
_LEAST_SERIES = 8
_LEAST = 0.5  # pixels of a side of a box
DRAWN = ("boxes", "mask", "keypoints")  # over the image

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Subject:
    """One output on all samples. exact, got: real values of the float model and of the file, float32 [N, ...].

    winners: of classes, what each says, int64 [N, ...]; truth: class numbers of the same shape; anchors: float32
    [boxes, 4].
    """

    entry: TensorEntry
    exact: Floats
    got: Floats
    labels: tuple[str, ...] = ()
    winners: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
    truth: NDArray[np.int64] | None = None
    anchors: Floats | None = None

    @property
    def name(self) -> str:
        """Return its name."""
        return self.entry.name

    @property
    def extent(self) -> float:
        """Return the range of the float model's values."""
        finite = self.exact[np.isfinite(self.exact)]
        return float(np.ptp(finite)) if finite.size else 0.0

    def label(self, number: int) -> str:
        """Return what a class is called."""
        return self.labels[number] if 0 <= number < len(self.labels) else f"class {number}"


@dataclass(frozen=True)
class Outputs:
    """Every output on all samples, by name."""

    subjects: Mapping[str, Subject]
    extents: Mapping[str, float] = field(default_factory=dict)

    @staticmethod
    def of(subjects: Mapping[str, Subject]) -> Outputs:
        """Return them with the range of each."""
        return Outputs(subjects, {name: subject.extent for name, subject in subjects.items()})

    def shown(self, name: str, row: int, image: PageImage | None) -> Both:
        """Return one output of one sample. image: what boxes, masks and keypoints are drawn over."""
        subject = self.subjects[name]
        sides = [self._side(subject, row, image, exact=exact) for exact in (True, False)]
        over = image is not None and subject.entry.kind in DRAWN
        return Both(name, sides[0], sides[1], self._difference(subject, row), over)

    def _side(self, subject: Subject, row: int, image: PageImage | None, *, exact: bool) -> Side:
        values = (subject.exact if exact else subject.got)[row]
        kind = subject.entry.kind
        if kind == "classes":
            return _classes(subject, values, row, exact=exact)
        if image is not None and kind in DRAWN:
            draw = {"boxes": self._boxes, "mask": _mask, "keypoints": _keypoints}[kind]
            return draw(subject, row, image, exact=exact)
        if kind == "embedding":
            return Side(text=numbers_text(values.reshape(-1)[:4]) + (", ..." if values.size > 4 else ""))
        return _numbers(subject, values, row, self.extents[subject.name])

    def _boxes(self, subject: Subject, row: int, image: PageImage, *, exact: bool) -> Side:
        form = subject.entry.boxes
        assert form is not None
        sources = {part: self.subjects[name] for part, name in box_tensors(subject.name, form).items()}
        tensors = {part: (each.exact if exact else each.got)[row] for part, each in sources.items()}
        found = detect(box_head(form, form.threshold), tensors, subject.anchors)
        shapes = []
        order = np.argsort(-np.round(found.scores.astype(np.float64), 3), kind="stable")[:MOST_SHAPES]
        for at in order.tolist():
            left, top, right, bottom = (float(edge) for edge in np.clip(found.corners[at], 0, 1))
            number = int(found.classes[at])
            text = f"{subject.label(number)} {fixed(float(found.scores[at]), 2)}"
            x, y = left * image.width, top * image.height
            # Never without width: it would not be drawn.
            size = max((right - left) * image.width, _LEAST), max((bottom - top) * image.height, _LEAST)
            shapes.append(Shape(x, y, *size, text, number % COLORS))
        count = len(found.scores)
        return Side(shapes=tuple(shapes), text=f"{count} {'box' if count == 1 else 'boxes'}")

    def _difference(self, subject: Subject, row: int) -> str:
        """Say how far apart both are."""
        words = []
        if subject.winners is not None and subject.entry.kind == "classes":
            before, after = (each[row] for each in subject.winners)
            off = int(np.count_nonzero(before != after))
            if before.ndim:
                words.append(f"{off:,} of {before.size:,} positions differ")
            else:
                words.append(
                    f"{subject.label(int(before))} became {subject.label(int(after))}" if off else "same class"
                )
        if subject.entry.kind == "embedding":
            alike = cosine(subject.exact[row].reshape(-1), subject.got[row].reshape(-1))
            words.append(f"cosine {fixed(alike, 4)}")
        one, other = subject.exact[row].astype(np.float64), subject.got[row]
        finite = np.isfinite(one) & np.isfinite(other)
        worst = float(np.abs(one[finite] - other[finite]).max(initial=0.0))
        if not finite.all():
            words.append("NaN or infinity")
        extent, scale = self.extents[subject.name], subject.entry.scale
        if worst <= NOISE * extent:
            words.append("equal but for rounding")
        elif scale is None:
            words.append(f"max error {worst:.2g}")
        else:
            words.append(f"max error {worst / scale:.1f} steps")
        return ", ".join(words)


def _classes(subject: Subject, values: Floats, row: int, *, exact: bool) -> Side:
    """Return the classes of a row. values: its scores, float32 [...]."""
    assert subject.winners is not None and subject.entry.classes is not None
    winner = subject.winners[0 if exact else 1][row]
    if winner.ndim:
        names = [subject.label(int(number)) for number in winner.reshape(-1)[:MOST_POSITIONS]]
        return Side(text=", ".join(names) + (", ..." if winner.size > MOST_POSITIONS else ""))
    with np.errstate(all="ignore"):
        scores = apply_activation(values, subject.entry.classes.activation).astype(np.float64).reshape(-1)
    decimals = places(max(1.0, float(np.abs(scores[np.isfinite(scores)]).max(initial=0.0))))
    if len(scores) == 1:
        name = subject.label(int(winner))
        return Side(rows=(Row(name, fixed(float(scores[0]), decimals), _share(float(scores[0]))),))
    # Rounded: of two that differ in the last bits alone, the lower class is first.
    order = np.argsort(-np.round(np.nan_to_num(scores, nan=-np.inf), decimals), kind="stable")
    chosen = [int(winner), *(int(number) for number in order if number != winner)][:TOP]
    rows = ((subject.label(at), float(scores[at])) for at in chosen)
    return Side(rows=tuple(Row(name, fixed(score, decimals), _share(score)) for name, score in rows))


def _share(score: float) -> float:
    return round(min(max(score, 0.0), 1.0), 3) if np.isfinite(score) else 0.0


def _mask(subject: Subject, row: int, image: PageImage, *, exact: bool) -> Side:
    form = subject.entry.mask
    assert form is not None
    values = subject.exact[row], subject.got[row]
    found = [segment(each, form.activation, form.threshold) for each in values]
    mask = found[0 if exact else 1].astype(np.int64)
    count = max(int(each.max(initial=0)) for each in found) + 1
    most = max(image.width, image.height)
    # Without a background class 0 has the second colour, as in kit.shared.postprocess.overlay.
    first = 0 if form.background else 1
    rgb = palette(count + first)[first:]
    colors = np.stack([(rgb >> np.uint32(shift)) & np.uint32(255) for shift in (16, 8, 0)], axis=-1).astype(np.uint8)
    alpha = np.full((count, 1), ALPHA, np.uint8)
    if form.background:
        alpha[0] = 0
    numbers, sizes = np.unique(mask, return_counts=True)
    parts = [f"{subject.label(int(n))} {100 * size / mask.size:.1f}%" for n, size in zip(numbers, sizes, strict=True)]
    text = ", ".join(parts[:TOP]) + (", ..." if len(parts) > TOP else "")
    return Side(mask=mask_image(mask, np.concatenate([colors, alpha], axis=-1), most), text=text)


def _keypoints(subject: Subject, row: int, image: PageImage, *, exact: bool) -> Side:
    form = subject.entry.keypoints
    assert form is not None
    values = (subject.exact if exact else subject.got)[row]
    if form.head == "heatmap":
        points = peaks(values, form.activation)
    else:
        size = None if form.size is None else (form.size[0], form.size[1])
        points = coordinates(values, form.format, size)
    kept = np.flatnonzero(seen(points, form.threshold) & np.isfinite(points).all(axis=-1))
    shapes = tuple(
        Shape(
            float(np.clip(points[at, 0], 0, 1)) * image.width,
            float(np.clip(points[at, 1], 0, 1)) * image.height,
            0.0,
            0.0,
            f"{subject.label(at)} {fixed(float(points[at, 2]), 2)}",
            at % COLORS,
        )
        for at in kept[:MOST_SHAPES].tolist()
    )
    return Side(shapes=shapes, text=f"{len(kept)} of {len(points)} keypoints")


def _numbers(subject: Subject, values: Floats, row: int, extent: float) -> Side:
    """Return numbers, float32 [...], as text, or as series in a box that both models share."""
    squeezed = values.reshape([size for size in values.shape if size != 1])
    if squeezed.ndim in (1, 2) and len(squeezed) >= _LEAST_SERIES:
        both = np.stack([subject.exact[row], subject.got[row]])
        finite = both[np.isfinite(both)]
        ends = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        return Side(lines=lines_of(squeezed.reshape(len(squeezed), -1), *ends))
    return Side(text=_near(values, extent))


def _near(values: NDArray[Any], extent: float) -> str:
    """Return the first of numbers [...] of any dtype with as many digits as the range of all of them has a use for."""
    flat = values.reshape(-1)[:MOST_POSITIONS]
    decimals = places(extent, 4)
    more = f", ... ({values.size:,} in all)" if values.size > MOST_POSITIONS else ""
    return ", ".join(fixed(float(value), decimals) for value in flat) + more
