"""Turn a model's real values into boxes, masks, keypoints and embeddings, the way the app does it.

Knows heads of detectors, suppression, peaks and lengths. Leaves files, signatures and dequantization to its callers:
every array that it takes is real values. Each bundle carries a byte-for-byte copy as `emulate/postprocess.py`, so it
needs Python 3.10+ and numpy (1.26 or 2.x) only. The Kotlin in templates/android/runtime gives the same bits: so sums
run in the order of their terms, and the exponential function is the one below, not a library's.

Places are first normalized: x and y from 0 to 1 over the model's input. Six numbers (a, b, c, d, e, f) map them to the
frame: frame_x = a * x + b * y + c, frame_y = d * x + e * y + f, computed in float64.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADS = ("ssd", "scores", "anchors", "yolo", "yolo-objectness")
FORMATS = ("xyxy", "yxyx", "cxcywh")
SUPPRESSIONS = ("class", "all", "none")
UNIT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)  # the placement that keeps normalized coordinates
OUTSIDE = -1  # in a mask of the frame: pixels that the model did not see
ALPHA = 160  # of a mask's colours, 0..255
_QUARTER = 0.25  # pixels of a heatmap
_MOST_CLASS = float(1 << 24)  # beyond it float32 does not count in ones

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


@dataclass(frozen=True)
class BoxHead:
    """How the tensors of a detector hold boxes, and which of them are reported."""

    head: str  # one of HEADS
    format: str = "yxyx"  # one of FORMATS; of "anchors": "yxyx" where vertical comes first, else horizontal does
    size: tuple[int, int] | None = None  # (width, height) of the model's input where coordinates are its pixels
    transposed: bool = False  # of a YOLO head: [channels, N], not [N, channels]
    activation: str = "none"  # of the scores, still to be applied: none, sigmoid, softmax
    background: bool = False  # the first score is the background's: never reported, and class 0 is the one behind it
    variances: tuple[float, ...] = (0.1, 0.1, 0.2, 0.2)  # of "anchors": what offsets are multiplied by, in their order
    threshold: float = 0.25  # boxes with a lower score are left out
    nms: str = "class"  # boxes suppress those of their class, all others, or none
    iou: float = 0.5  # a box that overlaps a better one by more than this is suppressed
    most: int = 100  # boxes that are reported


@dataclass(frozen=True)
class Boxes:
    """Detected boxes, best first; of equal scores the one that comes earlier in the tensor is first."""

    corners: Floats  # [n, 4]: left, top, right, bottom, normalized
    scores: Floats  # [n]
    classes: Ints  # [n]


def detect(head: BoxHead, tensors: Mapping[str, NDArray[Any]], anchors: NDArray[Any] | None = None) -> Boxes:
    """Return the boxes of one image.

    tensors: real values by their part: "boxes", for "ssd" [..., N, 4] with "scores" [..., N], and where there are some
    "classes" [..., N] and "count" (one number); for "scores" and "anchors" [..., N, 4] with "scores" [..., N, C]; for
    the YOLO heads [..., N, 4 or 5 + C], or [..., 4 or 5 + C, N] where it is transposed. anchors: float32 [N, 4], the
    centre and the size of each, normalized, in the order of head.format.

    Each candidate counts with its best class alone; NaN is the lowest score. Left out are scores below the threshold,
    NaN, and boxes with a coordinate that is not finite. Raises ValueError for tensors of another shape.
    """
    values = {part: np.asarray(tensor, np.float32) for part, tensor in tensors.items()}
    with np.errstate(all="ignore"):
        if head.head == "ssd":
            return _select(head, *_ssd(head, values))
        if head.head.startswith("yolo"):
            return _select(head, *_yolo(head, values["boxes"]))
        scores = _rows(values["scores"], None)
        boxes = _rows(values["boxes"], 4)
        corners = _corners(head, boxes) if anchors is None else _decoded(head, boxes, _rows(anchors, 4))
        if len(boxes) != len(scores) or len(corners) != len(boxes):
            raise ValueError(f"{len(boxes)} boxes, {len(scores)} rows of scores and {len(corners)} anchors")
        return _select(head, corners, *best_classes(scores, head.activation, background=head.background))


def best_classes(raw: NDArray[Any], activation: str, *, background: bool = False) -> tuple[Floats, Ints]:
    """Return the best score, float32 [N], and its class, int32 [N], of raw scores, float32 [N, C].

    Of equal scores the lower class is better. With a background, column 0 never wins, and class 0 is column 1.
    """
    first = 1 if background else 0
    shown = np.where(np.isnan(raw), np.float32(-np.inf), raw)
    classes = shown[:, first:].argmax(axis=-1)
    best = raw[np.arange(len(raw)), classes + first]
    if activation == "softmax":
        exact = raw.astype(np.float64)
        top = shown.max(axis=-1).astype(np.float64)
        total = np.cumsum(exponential(exact - top[:, None]), axis=-1)[:, -1]
        best = (exponential(best.astype(np.float64) - top) / total).astype(np.float32)
    elif activation == "sigmoid":
        best = sigmoid(best)
    return best, classes.astype(np.int32)


def exponential(x: NDArray[Any]) -> NDArray[np.float64]:
    """Return e to the power of x, float64 of x's shape: 0 below -708, infinity above 709.

    A library's may differ in the last bit; this one is a Taylor polynomial of 13 terms around multiples of ln 2, which
    are subtracted in two parts (Cody and Waite, Software Manual for the Elementary Functions, 1980).
    """
    exact = np.asarray(x, np.float64)
    near = np.clip(np.where(np.isnan(exact), 0.0, exact), -708.0, 709.0)
    power = np.floor(near * 1.4426950408889634 + 0.5)
    rest = (near - power * 0.6931471803691238) - power * 1.9082149292705877e-10
    value = np.full_like(rest, 1.0 / math.factorial(13))
    for term in range(12, -1, -1):
        value = value * rest + 1.0 / math.factorial(term)
    value = np.ldexp(value, power.astype(np.int32))
    value = np.where(exact < -708.0, 0.0, np.where(exact > 709.0, np.inf, value))
    return np.where(np.isnan(exact), np.nan, value)


def sigmoid(x: NDArray[Any]) -> Floats:
    """Return 1 / (1 + e^-x), float32 of x's shape, computed in float64."""
    exact = np.asarray(x, np.float64)
    small = exponential(-np.abs(exact))
    return np.asarray(np.where(exact < 0, small, 1.0) / (1.0 + small), np.float32)


def on_frame(points: NDArray[Any], placement: Sequence[float]) -> Floats:
    """Return float32 [n, 2] in the frame's pixels of normalized points, float32 [n, 2], x before y."""
    a, b, c, d, e, f = placement
    x, y = points[:, 0].astype(np.float64), points[:, 1].astype(np.float64)
    with np.errstate(all="ignore"):
        placed = np.stack([a * x + b * y + c, d * x + e * y + f], axis=-1).astype(np.float32)
    return np.asarray(placed + np.float32(0))  # -0 becomes 0


def boxes_on_frame(corners: NDArray[Any], placement: Sequence[float]) -> Floats:
    """Return float32 [n, 4], left, top, right, bottom in the frame's pixels, of normalized corners, float32 [n, 4].

    Two opposite corners are mapped and sorted. A box may reach over the frame's edge.
    """
    one, other = on_frame(corners[:, :2], placement), on_frame(corners[:, 2:], placement)
    return np.concatenate([np.minimum(one, other), np.maximum(one, other)], axis=-1)


def segment(values: NDArray[Any], activation: str = "none", threshold: float = 0.5) -> Ints:
    """Return the class of each pixel, int32 [H, W], of scores, float32 [H, W, C], [H, W, 1] or [H, W].

    Several channels: the class with the highest score, of equal ones the lower; NaN is the lowest. One channel: 1 where
    the value (after a sigmoid, if that is the activation) is at least the threshold, else 0.
    """
    scores = np.asarray(values, np.float32)
    if scores.ndim == 3 and scores.shape[-1] > 1:
        best: Ints = np.where(np.isnan(scores), np.float32(-np.inf), scores).argmax(axis=-1).astype(np.int32)
        return best
    single = scores.reshape(scores.shape[:2])
    with np.errstate(all="ignore"):
        single = sigmoid(single) if activation == "sigmoid" else single
        return (single >= np.float32(threshold)).astype(np.int32)


def mask_on_frame(classes: NDArray[Any], placement: Sequence[float], size: tuple[int, int]) -> Ints:
    """Return int32 [height, width] of a mask, int32 [H, W]: the class below the centre of each pixel of the frame.

    size: (width, height) of the frame. OUTSIDE where the model did not see the frame.
    Raises ValueError where the placement maps everything to a line.
    """
    a, b, c, d, e, f = placement
    width, height = size
    area = a * e - b * d
    if area == 0:
        raise ValueError(f"the placement {list(placement)} maps the model's input to a line")
    x, y = (np.arange(width) + 0.5 - c)[None, :], (np.arange(height) + 0.5 - f)[:, None]
    column = np.floor((e * x - b * y) / area * classes.shape[1])
    row = np.floor((a * y - d * x) / area * classes.shape[0])
    inside = (column >= 0) & (column < classes.shape[1]) & (row >= 0) & (row < classes.shape[0])
    found = np.full((height, width), OUTSIDE, np.int32)
    found[inside] = classes[row[inside].astype(np.int64), column[inside].astype(np.int64)]
    return found


def palette(count: int) -> NDArray[np.uint32]:
    """Return 0xRRGGBB for each class, uint32 [count]: the colours of PASCAL VOC, black first.

    Bits 0, 1, 2 of a class become the highest bits of red, green and blue, bits 3, 4, 5 the next, and so on. Source:
    VOCdevkit, VOClabelcolormap.
    """
    classes = np.arange(count, dtype=np.uint32)
    colors = np.zeros(count, np.uint32)
    for place in range(8):
        for channel in range(3):
            bit = (classes >> np.uint32(3 * place + channel)) & np.uint32(1)
            colors |= bit << np.uint32(7 - place + 8 * (2 - channel))
    return colors


def overlay(classes: NDArray[Any], *, background: bool = True, alpha: int = ALPHA) -> NDArray[np.uint32]:
    """Return 0xAARRGGBB of a mask's shape, uint32 [H, W], for classes, int32 [H, W]: colours to lay over the frame.

    Transparent is OUTSIDE, and class 0 where it is the background; without one, class 0 has the second colour.
    """
    shown = classes.astype(np.int64) + (0 if background else 1)
    colors = palette(int(shown.max(initial=0)) + 1)
    return np.where(shown > 0, colors[np.maximum(shown, 0)] | np.uint32(alpha << 24), np.uint32(0)).astype(np.uint32)


def peaks(heatmap: NDArray[Any], activation: str = "none") -> Floats:
    """Return x, y (normalized) and score of each keypoint, float32 [K, 3], of a heatmap, float32 [H, W, K].

    A keypoint is where its channel is highest (of equal places the first, row by row; NaN is the lowest), moved by a
    quarter of a pixel towards the higher of its two neighbours, in each direction (Newell et al., Stacked Hourglass
    Networks, 2016). The score is the value there, after the activation "sigmoid" or "none".
    """
    values = np.asarray(heatmap, np.float32)
    height, width, count = values.shape
    shown = np.where(np.isnan(values), np.float32(-np.inf), values)
    found = np.zeros((count, 3), np.float32)
    for index in range(count):
        row, column = divmod(int(shown[:, :, index].argmax()), width)
        across = _towards(shown[row, :, index], column)
        down = _towards(shown[:, column, index], row)
        found[index, 0] = (column + 0.5 + across) / width
        found[index, 1] = (row + 0.5 + down) / height
        found[index, 2] = values[row, column, index]
    if activation == "sigmoid":
        with np.errstate(all="ignore"):
            found[:, 2] = sigmoid(found[:, 2])
    return found


def coordinates(values: NDArray[Any], format: str, size: tuple[int, int] | None = None) -> Floats:  # noqa: A002
    """Return x, y (normalized) and score, float32 [K, 3], of coordinates, float32 [K, 2] or [K, 3] with a score.

    format: "xy", or "yx" where y comes first; size: (width, height) of the model's input where they are its pixels.
    The score is 1 where there is none.
    """
    rows = np.asarray(values, np.float32)
    x, y = (rows[:, 1], rows[:, 0]) if format == "yx" else (rows[:, 0], rows[:, 1])
    if size is not None:
        x, y = x / np.float32(size[0]), y / np.float32(size[1])
    score = rows[:, 2] if rows.shape[1] == 3 else np.ones(len(rows), np.float32)
    return np.stack([x, y, score], axis=-1)


def seen(points: NDArray[Any], threshold: float | None) -> NDArray[np.bool_]:
    """Say which keypoints, float32 [K, 3], are reported, bool [K]: all, or those with at least that score."""
    if threshold is None:
        return np.ones(len(points), np.bool_)
    return np.asarray(points[:, 2] >= np.float32(threshold))


def keypoints_on_frame(points: NDArray[Any], placement: Sequence[float]) -> Floats:
    """Return x, y in the frame's pixels and score, float32 [K, 3], of normalized keypoints, float32 [K, 3]."""
    return np.concatenate([on_frame(points[:, :2], placement), points[:, 2:].astype(np.float32)], axis=-1)


def unit_length(values: NDArray[Any]) -> Floats:
    """Return values, float32 [n], divided by their Euclidean length; zeros stay zeros. Computed in float64."""
    exact = np.asarray(values, np.float32).astype(np.float64)
    with np.errstate(all="ignore"):
        length = math.sqrt(_sum(exact * exact))
        return exact.astype(np.float32) if length == 0 else (exact / length).astype(np.float32)


def cosine(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return the cosine of the angle between one vector and other, float32 [n] each: 0 with zeros alone."""
    left, right = (np.asarray(each, np.float32).astype(np.float64) for each in (one, other))
    with np.errstate(all="ignore"):
        length = math.sqrt(_sum(left * left)) * math.sqrt(_sum(right * right))
        return 0.0 if length == 0 else float(np.float64(_sum(left * right)) / length)


def _sum(values: NDArray[np.float64]) -> float:
    """Return the sum of float64 [n], term by term: np.sum adds in pairs."""
    return float(np.cumsum(values)[-1]) + 0.0 if values.size else 0.0  # of -0 alone: 0


def _towards(line: Floats, place: int) -> float:
    """Return the quarter of a pixel to move by, from a place on a line, float32 [n] without NaN; 0 at its ends."""
    if place in (0, len(line) - 1) or line[place - 1] == line[place + 1]:
        return 0.0
    return _QUARTER if line[place + 1] > line[place - 1] else -_QUARTER


def _rows(values: NDArray[Any], columns: int | None) -> Floats:
    """Return float32 [N, columns] of [..., N, columns], whose other axes are 1. Raises ValueError for another shape."""
    array = np.asarray(values, np.float32)
    if array.ndim < 2 or array.size != math.prod(array.shape[-2:]) or columns not in (None, array.shape[-1]):
        raise ValueError(f"the shape {list(array.shape)} is not [1, N, {'C' if columns is None else columns}]")
    return array.reshape(array.shape[-2:])


def _ssd(head: BoxHead, values: Mapping[str, Floats]) -> tuple[Floats, Floats, Ints]:
    """Return corners [N, 4] and scores [N], float32, and classes, int32 [N]; values: as detect has them, float32.

    Whole numbers come as floats: halves are rounded up. A class that is none (negative, NaN) makes its score NaN.
    """
    boxes, scores = _rows(values["boxes"], 4), values["scores"].reshape(-1)
    named = values["classes"].reshape(-1) if "classes" in values else np.zeros(len(scores), np.float32)
    if not len(boxes) == len(scores) == len(named):
        raise ValueError(f"{len(boxes)} boxes, {len(scores)} scores and {len(named)} classes")
    count = len(boxes)
    if "count" in values:
        given = values["count"].reshape(-1)[0]
        count = int(min(max(np.floor(given + np.float32(0.5)), 0), count)) if not np.isnan(given) else 0
    known = (named > np.float32(-0.5)) & (named < np.float32(_MOST_CLASS))
    classes = np.floor(np.where(known, named, 0) + np.float32(0.5)).astype(np.int32)
    scores = np.where(known, scores, np.float32(np.nan))
    return _corners(head, boxes[:count]), scores[:count], classes[:count]


def _yolo(head: BoxHead, values: Floats) -> tuple[Floats, Floats, Ints]:
    """Return corners [N, 4] and scores [N], float32, and classes, int32 [N]; values: float32 as detect has them."""
    rows = _rows(values, None)
    rows = rows.T if head.transposed else rows
    own = 5 if head.head == "yolo-objectness" else 4
    if rows.shape[1] <= own:
        raise ValueError(f"a row of {rows.shape[1]} values has no scores behind its first {own}")
    scores, classes = best_classes(rows[:, own:], head.activation, background=head.background)
    if own == 5:
        there = rows[:, 4]
        scores = (sigmoid(there) if head.activation == "sigmoid" else there) * scores
    return _corners(head, rows[:, :4]), scores, classes


def _corners(head: BoxHead, boxes: Floats) -> Floats:
    """Return float32 [N, 4], left, top, right, bottom, normalized and sorted, of boxes, float32 [N, 4]."""
    one, two, three, four = (boxes[:, place] for place in range(4))
    if head.format == "cxcywh":
        across, down = three * np.float32(0.5), four * np.float32(0.5)
        left, top, right, bottom = one - across, two - down, one + across, two + down
    elif head.format == "yxyx":
        left, top, right, bottom = two, one, four, three
    else:
        left, top, right, bottom = one, two, three, four
    if head.size is not None:
        width, height = np.float32(head.size[0]), np.float32(head.size[1])
        left, top, right, bottom = left / width, top / height, right / width, bottom / height
    return _sorted(left, top, right, bottom)


def _decoded(head: BoxHead, offsets: Floats, anchors: Floats) -> Floats:
    """Return float32 [N, 4], left, top, right, bottom, normalized, of offsets from anchors, float32 [N, 4] each.

    centre = offset * variance * anchor's size + anchor's centre; size = e^(offset * variance) * anchor's size. Source:
    Liu et al., SSD, 2016; Caffe's and TensorFlow's box coders. Computed in float64, rounded once.
    """
    if len(offsets) != len(anchors):
        raise ValueError(f"{len(offsets)} boxes and {len(anchors)} anchors")
    exact, place = offsets.astype(np.float64), anchors.astype(np.float64)
    scaled = exact * np.array(head.variances, np.float64)
    center = scaled[:, :2] * place[:, 2:] + place[:, :2]
    half = exponential(scaled[:, 2:]) * place[:, 2:] * 0.5
    low, high = (center - half).astype(np.float32), (center + half).astype(np.float32)
    x, y = (1, 0) if head.format == "yxyx" else (0, 1)
    return _sorted(low[:, x], low[:, y], high[:, x], high[:, y])


def _sorted(left: Floats, top: Floats, right: Floats, bottom: Floats) -> Floats:
    """Return float32 [N, 4] of left, top, right and bottom, float32 [N] each, the lower one first."""
    low = [np.minimum(left, right), np.minimum(top, bottom)]
    return np.stack([*low, np.maximum(left, right), np.maximum(top, bottom)], axis=-1)


def _select(head: BoxHead, corners: Floats, scores: Floats, classes: Ints) -> Boxes:
    """Return the boxes to report, of candidates: corners [N, 4] and scores [N], float32, and classes, int32 [N].

    Greedy, best first: a box stays if no better one that stays overlaps it. Each step is one of float32, and a box
    without area overlaps nothing.
    """
    scores = scores + np.float32(0)  # -0 becomes 0: the two are equal
    good = np.flatnonzero((scores >= np.float32(head.threshold)) & np.isfinite(corners).all(axis=-1))
    order = good[np.argsort(-scores[good], kind="stable")]
    kept: list[int] = []
    while order.size and len(kept) < head.most:
        best, order = int(order[0]), order[1:]
        kept.append(best)
        if head.nms != "none":
            over = _overlap(corners[best], corners[order]) > np.float32(head.iou)
            order = order[~(over & ((classes[order] == classes[best]) | (head.nms == "all")))]
    return Boxes(corners[kept], scores[kept], classes[kept])


def _overlap(box: Floats, others: Floats) -> Floats:
    """Return intersection over union, float32 [n], of box, float32 [4], with others, float32 [n, 4]; NaN of 0 / 0."""
    across = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    down = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    shared = np.maximum(across, np.float32(0)) * np.maximum(down, np.float32(0))
    area = (box[2] - box[0]) * (box[3] - box[1])
    areas = (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])
    result: Floats = shared / (area + areas - shared)
    return result
