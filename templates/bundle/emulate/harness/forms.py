"""What an output holds where that is boxes, a mask, keypoints or an embedding, as signature.json has it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import postprocess

from .files import Array, read_bytes, read_labels

_ACTIVATIONS = ("none", "sigmoid", "softmax")
_PARTS = ("scores", "classes", "count")
Labels = tuple[str, ...] | None


@dataclass(frozen=True)
class BoxesForm:
    """Boxes of a detector."""

    labels: Labels
    head: postprocess.BoxHead
    parts: Mapping[str, str]  # the names of other outputs by what they are: scores, classes, count
    anchors: Array | None  # float32 [N, 4]


@dataclass(frozen=True)
class MaskForm:
    """A class for each pixel."""

    labels: Labels
    activation: str
    background: bool
    threshold: float


@dataclass(frozen=True)
class KeypointsForm:
    """Keypoints of a heatmap, or coordinates."""

    labels: Labels
    head: str
    format: str
    size: tuple[int, int] | None  # width, height of the input where coordinates are its pixels
    activation: str
    threshold: float | None


@dataclass(frozen=True)
class EmbeddingForm:
    """A vector whose direction counts."""


Form = BoxesForm | MaskForm | KeypointsForm | EmbeddingForm


def read_form(kind: str, entry: Mapping[str, Any], folder: Path) -> Form:
    """Return the form of an output's entry in signature.json. folder: of the labels and the anchors.

    Raises KeyError, TypeError or ValueError for what no build writes, EmulateError for a file that cannot be read.
    """
    labels = read_labels(folder / entry["labels"]) if entry.get("labels") is not None else None
    if kind == "embedding":
        return EmbeddingForm()
    _one_of(entry["activation"], _ACTIVATIONS)
    if kind == "mask":
        return MaskForm(labels, entry["activation"], bool(entry["background"]), float(entry["threshold"]))
    if kind == "keypoints":
        _one_of(entry["head"], ("heatmap", "coordinates"))
        _one_of(entry["format"], ("xy", "yx"))
        threshold = None if entry["threshold"] is None else float(entry["threshold"])
        form = (entry["head"], entry["format"], _size(entry["size"]), entry["activation"], threshold)
        return KeypointsForm(labels, *form)
    parts = {part: str(entry[part]) for part in _PARTS if entry[part] is not None}
    return BoxesForm(labels, _box_head(entry), parts, _anchors(entry["anchors"], folder))


def _box_head(entry: Mapping[str, Any]) -> postprocess.BoxHead:
    _one_of(entry["head"], postprocess.HEADS)
    _one_of(entry["format"], postprocess.FORMATS)
    _one_of(entry["nms"], postprocess.SUPPRESSIONS)
    return postprocess.BoxHead(
        head=entry["head"],
        format=entry["format"],
        size=_size(entry["size"]),
        transposed=bool(entry["transposed"]),
        activation=entry["activation"],
        background=bool(entry["background"]),
        variances=tuple(float(value) for value in entry["variances"]),
        threshold=float(entry["threshold"]),
        nms=entry["nms"],
        iou=float(entry["iou"]),
        most=int(entry["most"]),
    )


def _anchors(file: str | None, folder: Path) -> Array | None:
    """Return float32 [N, 4] of an asset, None without one."""
    return None if file is None else np.frombuffer(read_bytes(folder / file), "<f4").astype(np.float32).reshape(-1, 4)


def _size(sides: Any) -> tuple[int, int] | None:
    if sides is None:
        return None
    width, height = (int(side) for side in sides)
    if width < 1 or height < 1:
        raise ValueError(f"a size of {width} x {height} is none")
    return width, height


def _one_of(word: str, words: tuple[str, ...]) -> None:
    if word not in words:
        raise ValueError(f"{word!r} is not known: one of {', '.join(words)}")
