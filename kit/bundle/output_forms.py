"""What the values of an output are where they are more than numbers, as signature.json has it. Decodes none of them.

Their fields mean what they mean in kit/shared/postprocess.py, which decodes; files and other outputs are named.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class OutputForm:
    """What all of them have. labels: the name of their file, None where there are none."""

    labels: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return its entry in signature.json."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


@dataclass(frozen=True)
class BoxesForm(OutputForm):
    """Boxes of a detector; kit.shared.postprocess.BoxHead has what the fields mean."""

    head: str = "scores"
    format: str = "yxyx"
    size: tuple[int, ...] | None = None  # width, height of the input where coordinates are its pixels
    transposed: bool = False
    activation: str = "none"
    background: bool = False
    variances: tuple[float, ...] = (0.1, 0.1, 0.2, 0.2)
    threshold: float = 0.25
    nms: str = "class"
    iou: float = 0.5
    most: int = 100
    anchors: str | None = None  # an asset: float32 [N, 4], little-endian
    scores: str | None = None  # the names of other outputs of the same signature
    classes: str | None = None
    count: str | None = None


@dataclass(frozen=True)
class MaskForm(OutputForm):
    """A class for each pixel, of scores [H, W, C], or [H, W, 1] or [H, W] for one class and the rest."""

    activation: str = "none"
    background: bool = True  # class 0 is no object, and is not drawn
    threshold: float = 0.5  # of one channel


@dataclass(frozen=True)
class KeypointsForm(OutputForm):
    """Keypoints of a heatmap [H, W, K], or coordinates [K, 2] or, with a score, [K, 3]."""

    head: str = "heatmap"  # or coordinates
    format: str = "xy"  # of coordinates; or yx
    size: tuple[int, ...] | None = None  # width, height of the input where coordinates are its pixels
    activation: str = "none"
    threshold: float | None = None  # None: all are reported


@dataclass(frozen=True)
class EmbeddingForm(OutputForm):
    """A vector whose direction counts: it is divided by its length."""
