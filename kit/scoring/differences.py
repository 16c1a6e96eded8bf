"""How far one sample's output is from the float model's, in words and as a number to sort by. Reads no files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kit.bundle.signature import TensorEntry

if TYPE_CHECKING:
    import numpy as np

SAME_BOX = 0.5  # of the union of two boxes: less of it in common makes them two


@dataclass(frozen=True)
class Difference:
    """One output of one sample.

    changed: whether an app gets another result: another class, a box more or less; size: what to sort by, from 0: of a
    class's score, of a box's place or score, the share of a mask's pixels, 1 - cosine of an embedding, and of numbers
    the largest difference in standard deviations of the float model's; text: the same in words.
    """

    output: str
    kind: str
    changed: bool
    size: float
    text: str


@dataclass(frozen=True)
class Side:
    """One output of all samples, on one side. values: real, float32 [N, ...]; found: what --json says of each."""

    values: np.ndarray
    found: Sequence[Mapping[str, Any]] = ()


def differences(entry: TensorEntry, labels: Sequence[str], exact: Side, got: Side) -> list[Difference]:
    """Return how far each sample's output is off. exact: the float model's; labels: of classes, or none."""
    if entry.kind == "boxes" and exact.found and got.found:
        pairs = zip(exact.found, got.found, strict=True)
        return [_boxes(entry.name, before["boxes"], after["boxes"]) for before, after in pairs]
    if entry.classes:
        return list(_classes(entry, labels, exact.values, got.values))
    if entry.mask:
        return list(_masks(entry, exact.values, got.values))
    if entry.embedding:
        return list(_embeddings(entry, exact.values, got.values))
    return list(_numbers(entry, exact.values, got.values))


def _classes(entry: TensorEntry, labels: Sequence[str], exact: np.ndarray, got: np.ndarray) -> Iterator[Difference]:
    """Yield what differs of scores. exact, got: float32 [N, classes] or [N, ..., classes]."""
    import numpy as np

    before, after = (_scores(entry, values) for values in (exact, got))
    for one, other in zip(before, after, strict=True):
        size = _largest(one - other)
        first, second = (np.atleast_1d(np.argmax(scores, axis=-1)) for scores in (one, other))
        moved = int((first != second).sum())
        if one.ndim > 1:  # a class for each position
            text = f"{moved} of {first.size} positions have another class, a score differs by up to {size:.3g}"
            yield Difference(entry.name, entry.kind, moved > 0, size, text)
            continue
        was, now = int(first[0]), int(second[0])
        text = f"{_label(labels, was)} {one[was]:.3f} -> {_label(labels, now)} {other[now]:.3f}"
        if moved:
            text += f" ({_label(labels, was)} {other[was]:.3f})"
        yield Difference(entry.name, entry.kind, moved > 0, size, text)


def _scores(entry: TensorEntry, values: np.ndarray) -> np.ndarray:
    """Return scores after the activation, float32 [N, ..., C], of values [N, ..., C]; one unit's as those of two."""
    import numpy as np

    from kit.shared.preprocess import apply_activation

    assert entry.classes is not None
    rows = values.reshape(len(values), -1) if values.ndim < 2 else values
    scores = apply_activation(rows, entry.classes.activation)
    return np.concatenate([1 - scores, scores], axis=-1) if scores.shape[-1] == 1 else np.asarray(scores)


def _label(labels: Sequence[str], index: int) -> str:
    return f"'{labels[index]}'" if index < len(labels) else f"class {index}"


def _masks(entry: TensorEntry, exact: np.ndarray, got: np.ndarray) -> Iterator[Difference]:
    """Yield which share of the pixels has another class. exact, got: float32 [N, height, width, ...]."""
    from kit.shared.postprocess import segment

    assert entry.mask is not None
    for one, other in zip(exact, got, strict=True):
        before, after = (segment(values, entry.mask.activation, entry.mask.threshold) for values in (one, other))
        share = float((before != after).mean())
        yield Difference(entry.name, entry.kind, False, share, f"{share:.2%} of the pixels have another class")


def _embeddings(entry: TensorEntry, exact: np.ndarray, got: np.ndarray) -> Iterator[Difference]:
    """Yield how far vectors point apart. exact, got: float32 [N, ...]."""
    from kit.shared.postprocess import cosine

    for one, other in zip(exact, got, strict=True):
        alike = float(cosine(one.reshape(-1), other.reshape(-1)))
        yield Difference(entry.name, entry.kind, False, max(0.0, 1 - alike), f"cosine {alike:.5f}")


def _numbers(entry: TensorEntry, exact: np.ndarray, got: np.ndarray) -> Iterator[Difference]:
    """Yield the number that is furthest off. exact, got: float32 [N, ...]."""
    import numpy as np

    finite = exact[np.isfinite(exact)].astype(np.float64)
    spread = float(finite.std()) if finite.size else 0.0
    for one, other in zip(exact.reshape(len(exact), -1), got.reshape(len(got), -1), strict=True):
        if not one.size:
            yield Difference(entry.name, entry.kind, False, 0.0, "nothing in it")
            continue
        lost = np.isfinite(one) & ~np.isfinite(other)
        off = np.where(np.isfinite(one), np.abs(other.astype(np.float64) - one), 0.0)
        at = int(np.argmax(off))  # NaN, which a lost value gives, counts as the largest
        size = float("inf") if lost[at] else float(off[at] / spread) if spread else float(off[at])
        where = f"[{at}] " if one.size > 1 else ""
        text = f"{where}{one[at]:.5g} -> {other[at]:.5g}, differs by {off[at]:.3g}" + (
            f" ({size:.3g} standard deviations)" if spread else ""
        )
        yield Difference(entry.name, entry.kind, bool(lost.any()), size, text)


def _boxes(output: str, before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> Difference:
    """Return what differs of boxes as --json has them: each with the one of its class that has most in common."""
    left, lost, size, moved = list(after), [], 0.0, []
    for box in before:
        same = [(overlap(box, other), at) for at, other in enumerate(left) if other["index"] == box["index"]]
        common, at = max(same, default=(0.0, -1))
        if common < SAME_BOX:
            lost.append(box)
            continue
        other = left.pop(at)
        off = max(1 - common, abs(float(box["score"]) - float(other["score"])))
        if off > size:
            moved = [f"{_named(box)} -> {float(other['score']):.2f}, overlap {common:.3f}"]
        size = max(size, off)
    words = [f"lost {_named(box)}" for box in lost] + [f"new {_named(box)}" for box in left] + moved
    changed = bool(lost or left)
    size = max([size, *(float(box["score"]) for box in (*lost, *left))])
    text = "; ".join(words[:4]) or "the same"
    return Difference(output, "boxes", changed, size, f"{len(before)} -> {len(after)} boxes: {text}")


def overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Return the area that two boxes share, as a part of what they cover together."""
    sides = ("left", "top", "right", "bottom")
    a, b = ([float(box[side] or 0.0) for side in sides] for box in (one, other))
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]) for box in (a, b)]
    union = sum(areas) - width * height
    return width * height / union if union > 0 else 1.0


def _named(box: Mapping[str, Any]) -> str:
    name = f"'{box['label']}'" if box["label"] else f"class {box['index']}"
    return f"{name} {float(box['score']):.2f}"


def _largest(values: np.ndarray) -> float:
    """Return the largest magnitude; infinity where one is not finite. values: float32 [...]."""
    import numpy as np

    largest = float(np.abs(values).max(initial=0.0))
    return largest if np.isfinite(largest) else float("inf")
