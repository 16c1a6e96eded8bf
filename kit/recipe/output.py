"""[[outputs]] of a recipe: what an output's numbers are, and which keys go with which kind.

Whether the model's shapes agree, and which head a detector has, is for the build to say.
"""

from __future__ import annotations

from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from kit.recipe.table import Fraction, Name, Pixel, Table

OutputKind = Literal["classes", "tensor", "boxes", "mask", "keypoints", "embedding"]
Head = Literal["ssd", "scores", "anchors", "yolo", "yolo-objectness", "heatmap", "coordinates"]
Format = Literal["xyxy", "yxyx", "cxcywh", "xy", "yx"]
# The kinds that a key is for; the others are for all.
_KINDS = {
    "labels": ("classes", "boxes", "mask", "keypoints"),
    "activation": ("classes", "boxes", "mask", "keypoints"),
    "threshold": ("classes", "boxes", "mask", "keypoints"),
    "background": ("boxes", "mask"),
    "head": ("boxes", "keypoints"),
    "format": ("boxes", "keypoints"),
    "units": ("boxes", "keypoints"),
    **dict.fromkeys(("scores", "classes", "count", "nms", "iou", "most", "anchors", "variances"), ("boxes",)),
}
_WORDS = {
    ("boxes", "head"): get_args(Head)[:5],
    ("boxes", "format"): get_args(Format)[:3],
    ("keypoints", "head"): get_args(Head)[5:],
    ("keypoints", "format"): get_args(Format)[3:],
}


class Output(Table):
    """One output, and how the app reads it."""

    name: Name = Field(description="the name in the file and in the app")
    source: Name | None = Field(
        default=None,
        description="the model's own name for it, where that is another, or the layer inside that gives it",
    )
    kind: OutputKind = "tensor"
    description: Name | None = Field(default=None, description="a sentence on what comes out, for the model's metadata")
    labels: Name | None = Field(
        default=None, description="classes, boxes, mask, keypoints: a text file, one label a line"
    )
    activation: Literal["none", "softmax", "sigmoid"] | None = Field(
        default=None, description="classes, boxes, mask, keypoints: what the app applies to scores (none by default)"
    )
    threshold: Pixel | None = Field(
        default=None, description="classes, boxes, mask, keypoints: lower scores are not reported"
    )
    head: Head | None = Field(
        default=None, description="boxes, keypoints: how the tensors hold them; guessed from shapes and names"
    )
    format: Format | None = Field(default=None, description="boxes, keypoints: the order of the coordinates")
    units: Literal["normalized", "pixels"] | None = Field(
        default=None, description="boxes, keypoints: 0..1 over the model's input (default), or its pixels"
    )
    scores: Name | None = Field(default=None, description="boxes: the output that has their scores")
    classes: Name | None = Field(default=None, description="boxes: the output that has their class numbers")
    count: Name | None = Field(default=None, description="boxes: the output that says how many there are")
    background: bool | None = Field(
        default=None,
        description="boxes: the first score is the background's (default false); mask: class 0 is it (default true)",
    )
    nms: Literal["class", "all", "none"] | None = Field(
        default=None, description="boxes: a better box suppresses those of its class that it overlaps, all, or none"
    )
    iou: Fraction | None = Field(default=None, description="boxes: overlap above which a box is suppressed")
    most: int | None = Field(default=None, ge=1, le=100_000, description="boxes: how many are reported at most")
    anchors: Name | None = Field(
        default=None, description="boxes: an .npy or .npz file of the anchors [N, 4], the centre and the size of each"
    )
    variances: list[Pixel] | None = Field(
        default=None, min_length=4, max_length=4, description="boxes with anchors: what offsets are multiplied by"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for key, kinds in _KINDS.items():
            if self.kind not in kinds and getattr(self, key) is not None:
                raise ValueError(f"'{key}' is for kind {_either(kinds)}, and output '{self.name}' is a '{self.kind}'")
        for key in ("head", "format"):
            word, words = getattr(self, key), _WORDS.get((self.kind, key), ())
            if word is not None and word not in words:
                raise ValueError(f"{key} '{word}' of output '{self.name}' is none of {self.kind}: {_either(words)}")
        if self.variances is not None and self.anchors is None:
            raise ValueError(f"variances of output '{self.name}' belong to anchors, and there are none")
        return self


def _either(words: tuple[str, ...]) -> str:
    """Return words in quotes: 'a', 'b' or 'c'."""
    quoted = [f"'{word}'" for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
