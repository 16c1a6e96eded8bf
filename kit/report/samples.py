"""Which samples are shown, worst first, and what became of classes and of errors over all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kit.bundle.signature import TensorEntry
from kit.charts.histogram import BINS, Histogram, histogram
from kit.report.inputs import shown_input
from kit.report.numbers import NOISE
from kit.report.outputs import DRAWN, Outputs, Subject
from kit.report.values import Both, Change, Sample, Shown

MOST_SIDE = 160  # pixels of an image; less where a sample has several
MOST_INPUTS = 4
MOST_OUTPUTS = 6
MOST_CHANGES = 10
_CHANGES = ("", "became right", "class changed", "became wrong")  # by how bad that is


@dataclass(frozen=True)
class Inputs:
    """What the models were fed. values: [N, ...] by name, as many or fewer than the outputs, which then repeat them.

    texts: by name, what ids were made of, str [N]; names: of the samples' files.
    """

    entries: Sequence[TensorEntry]
    values: Mapping[str, NDArray[Any]]
    texts: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    def shown(self, row: int) -> Iterator[Shown]:
        """Yield the inputs of a sample."""
        images = sum(entry.image is not None for entry in self.entries[:MOST_INPUTS])
        most = int(MOST_SIDE / max(1, images) ** 0.5)
        for entry in self.entries[:MOST_INPUTS]:
            if entry.name in self.values:
                values = self.values[entry.name]
                text = self.texts[entry.name][row % len(values)] if entry.name in self.texts else None
                yield shown_input(
                    entry, np.asarray(values[row % len(values)]), None if text is None else str(text), most
                )

    def name(self, row: int) -> str:
        """Return the name of a sample's file, "" where it comes from none."""
        return self.names[row % len(self.names)] if self.names else ""


def shown_samples(inputs: Inputs, outputs: Outputs, most: int) -> tuple[Sample, ...]:
    """Return at most so many samples, the worst first: those that became wrong, changed, differ most."""
    return tuple(_sample(inputs, outputs, row, _CHANGES[rank]) for row, rank in _worst(outputs)[:most])


def _worst(outputs: Outputs) -> list[tuple[int, int]]:
    """Return every sample and its rank, a place in _CHANGES, the worst first; of equal ones the earlier."""
    count = min((len(subject.exact) for subject in outputs.subjects.values()), default=0)
    ranks, errors = np.zeros(count, np.int64), np.zeros(count)
    for name, subject in outputs.subjects.items():
        ranks = np.maximum(ranks, _ranks(subject)[:count])
        extent = outputs.extents[name]
        if extent:
            errors = np.maximum(errors, _errors(subject)[:count] / extent)
    # Rounded: what differs in the last bits alone keeps its order on every CPU.
    coarse = [float(f"{error:.3g}") if error > NOISE else 0.0 for error in errors.tolist()]
    order = sorted(range(count), key=lambda row: (-int(ranks[row]), -coarse[row], row))
    return [(row, int(ranks[row])) for row in order]


def _ranks(subject: Subject) -> NDArray[np.int64]:
    """Return each sample's place in _CHANGES, int64 [N]."""
    if subject.winners is None:
        return np.zeros(len(subject.exact), np.int64)
    before, after = (each.reshape(len(each), -1) for each in subject.winners)
    changed: NDArray[np.bool_] = (before != after).any(axis=1)
    if subject.truth is None:
        return np.where(changed, 2, 0)
    truth = subject.truth.reshape(len(before), -1)
    lost = ((before == truth) & (after != truth)).any(axis=1)
    won = ((before != truth) & (after == truth)).any(axis=1)
    ranks: NDArray[np.int64] = np.where(lost, 3, np.where(won, 1, 2 * changed.astype(np.int64)))
    return ranks


def _errors(subject: Subject) -> NDArray[np.float64]:
    """Return each sample's largest difference, float64 [N]."""
    off = _off(subject)
    largest: NDArray[np.float64] = (
        np.abs(np.where(np.isfinite(off), off, np.inf)).reshape(len(off), -1).max(axis=1, initial=0.0)
    )
    return largest


def _off(subject: Subject) -> NDArray[np.float64]:
    """Return by how much the file's values differ, float64 [N, ...]: 0 where both are alike, NaN too."""
    with np.errstate(invalid="ignore"):
        off = subject.got.astype(np.float64) - subject.exact
    alike = (subject.got == subject.exact) | (np.isnan(subject.got) & np.isnan(subject.exact))
    return np.where(alike, 0.0, off)


def _sample(inputs: Inputs, outputs: Outputs, row: int, change: str) -> Sample:
    shown = tuple(inputs.shown(row))
    images = [at for at, each in enumerate(shown) if each.image is not None]
    image = shown[images[0]].image if len(images) == 1 else None
    entries = [subject.entry for subject in outputs.subjects.values()]
    read = {name for entry in entries if entry.boxes for name in _parts(entry)} if image is not None else set()
    wanted = [entry.name for entry in entries if entry.name not in read][:MOST_OUTPUTS]
    both = tuple(outputs.shown(name, row, image) for name in wanted)
    over = images[0] if any(each.over for each in both) else -1
    return Sample(row, inputs.name(row), change, shown, _drawn_first(both), _truth(outputs, row), over)


def _parts(entry: TensorEntry) -> tuple[str, ...]:
    """Return the outputs that a detector's boxes are read from beside the first."""
    assert entry.kind in DRAWN and entry.boxes is not None
    return tuple(name for name in (entry.boxes.scores, entry.boxes.classes, entry.boxes.count) if name)


def _drawn_first(both: tuple[Both, ...]) -> tuple[Both, ...]:
    return tuple(sorted(both, key=lambda each: not each.over))


def _truth(outputs: Outputs, row: int) -> str:
    """Return what is true of a sample, where that is one class of an output."""
    known = [subject for subject in outputs.subjects.values() if subject.truth is not None and subject.truth.ndim == 1]
    several = len(known) > 1
    words = []
    for subject in known:
        assert subject.truth is not None
        label = subject.label(int(subject.truth[row]))
        words.append(f"{subject.name}: {label}" if several else label)
    return ", ".join(words)


def changes(outputs: Outputs) -> tuple[Change, ...]:
    """Return which classes became which others, the most frequent first."""
    found = []
    for subject in outputs.subjects.values():
        if subject.winners is None:
            continue
        before, after = (each.reshape(-1) for each in subject.winners)
        pairs, counts = np.unique(np.stack([before, after], -1)[before != after], axis=0, return_counts=True)
        found += [(int(n), subject, int(a), int(b)) for (a, b), n in zip(pairs, counts, strict=True)]
    found.sort(key=lambda each: (-each[0], each[1].name, each[2], each[3]))
    most = found[0][0] if found else 1
    several = sum(subject.winners is not None for subject in outputs.subjects.values()) > 1
    return tuple(
        Change(subject.name if several else "", subject.label(before), subject.label(after), n, round(n / most, 3))
        for n, subject, before, after in found[:MOST_CHANGES]
    )


def histograms(outputs: Outputs) -> tuple[Histogram, ...]:
    """Return the errors of each output that has some, in steps of quantization or in real values."""
    found = []
    for name, subject in outputs.subjects.items():
        off = _off(subject).reshape(-1)
        off = off[np.isfinite(off)]
        scale = subject.entry.scale
        worst = float(np.abs(off).max(initial=0.0))
        if worst <= NOISE * outputs.extents[name]:
            continue
        unit = "real value" if scale is None else "quantization steps"
        off, worst = (off, worst) if scale is None else (off / scale, worst / scale)
        # Two digits, and a little more: an end that is rounded as the last bits go would move every bar.
        most = float(f"{1.06 * worst:.1e}")
        counts, _ = np.histogram(off, BINS, (-most, most))
        found.append(histogram(name, unit, [int(count) for count in counts], most))
        if len(found) == MOST_OUTPUTS:
            break
    return tuple(found)
