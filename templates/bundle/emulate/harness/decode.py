"""Outputs that are more than numbers, decoded: boxes, masks, keypoints and embeddings in the frame."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import postprocess

from .files import Array, Arrays
from .forms import BoxesForm, EmbeddingForm, Form, KeypointsForm, Labels, MaskForm
from .found import Box, Boxes, Embedding, Found, Mask, MaskClass, Point, Points
from .frame import Frame
from .numbers import MOST_VALUES, number, numbers


@dataclass(frozen=True)
class Decoded:
    """What a report says of an output, and what is drawn of it."""

    found: Found
    array: Array  # a mask's classes, int32 [H, W]; an embedding, float32 [n]; else empty


def decode(form: Form, name: str, real: Arrays, frame: Frame) -> Decoded:
    """Return what an output holds. real: real values by output name, [*shape] of one sample, in a float or whole dtype.

    Raises ValueError where their shapes do not fit.
    """
    if isinstance(form, BoxesForm):
        return Decoded(_boxes(form, name, real, frame), np.zeros(0, np.int32))
    values = np.asarray(real[name], np.float32)
    if isinstance(form, MaskForm):
        classes = postprocess.segment(values, form.activation, form.threshold)
        return Decoded(_mask(form, classes), classes)
    if isinstance(form, KeypointsForm):
        return Decoded(_points(form, values, frame), np.zeros(0, np.int32))
    unit = postprocess.unit_length(values.reshape(-1))
    length = math.sqrt(float(np.square(values.astype(np.float64)).sum()))
    first = numbers(unit[:MOST_VALUES])
    return Decoded(Embedding(unit.size, number(np.float32(length)), first, unit.size > MOST_VALUES), unit)


def with_similarity(decoded: Decoded, first: Array) -> Decoded:
    """Return an embedding with its cosine to another one, float32 [n]."""
    assert isinstance(decoded.found, Embedding)
    cosine = np.float32(postprocess.cosine(decoded.array, first))
    return replace(decoded, found=replace(decoded.found, similarity=number(cosine)))


def is_embedding(form: Form | None) -> bool:
    """Say whether an output is an embedding."""
    return isinstance(form, EmbeddingForm)


def _boxes(form: BoxesForm, name: str, real: Mapping[str, Array], frame: Frame) -> Boxes:
    """Return boxes in the frame. real: real values by output name, of any shape, in a float or whole dtype."""
    tensors = {"boxes": real[name]} | {part: real[output] for part, output in form.parts.items()}
    found = postprocess.detect(form.head, tensors, form.anchors)
    corners = postprocess.boxes_on_frame(found.corners, frame.placement)
    return Boxes(
        tuple(
            Box(
                left=number(box[0]),
                top=number(box[1]),
                right=number(box[2]),
                bottom=number(box[3]),
                score=number(score),
                index=int(index),
                label=_label(form.labels, int(index)),
            )
            for box, score, index in zip(corners, found.scores, found.classes, strict=True)
        )
    )


def _mask(form: MaskForm, classes: Array) -> Mask:
    """Return what is in a mask, int32 [H, W]."""
    indices, counts = np.unique(classes, return_counts=True)
    return Mask(
        classes.shape,
        tuple(
            MaskClass(int(index), _label(form.labels, int(index)), int(count))
            for index, count in zip(indices, counts, strict=True)
        ),
        tuple(int(value) for value in classes.reshape(-1)[:MOST_VALUES]),
        classes.size > MOST_VALUES,
    )


def _points(form: KeypointsForm, values: Array, frame: Frame) -> Points:
    """Return keypoints in the frame, of values, float32 [H, W, K], or [..., K, 2 or 3]."""
    if form.head == "heatmap":
        points = postprocess.peaks(values, form.activation)
    else:
        points = postprocess.coordinates(values.reshape(values.shape[-2:]), form.format, form.size)
    placed = postprocess.keypoints_on_frame(points, frame.placement)
    indices = np.flatnonzero(postprocess.seen(points, form.threshold))
    return Points(tuple(_point(form, placed[index], int(index)) for index in indices))


def _point(form: KeypointsForm, placed: Array, index: int) -> Point:
    """Return a keypoint of x, y and score, float32 [3]."""
    x, y, score = numbers(placed)
    return Point(x, y, score, index, _label(form.labels, index))


def _label(labels: Labels, index: int) -> str | None:
    return labels[index] if labels is not None and index < len(labels) else None
