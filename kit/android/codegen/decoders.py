"""Outputs that are boxes, masks, keypoints or embeddings, in Kotlin: which decoder reads them, and what it is made of.

The decoders are the fixed files Boxes.kt, Mask.kt, Keypoints.kt and Embedding.kt; they give the bits of
kit/shared/postprocess.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from kit.android.codegen.kotlin_tensor import Tensor, float_literal
from kit.bundle.output_forms import BoxesForm, KeypointsForm, MaskForm, OutputForm

_SUFFIX = {"boxes": "Boxes", "mask": "Mask", "keypoints": "Points", "embedding": "Embedding"}
_GIVES = {"boxes": "List<Box>", "mask": "Mask", "keypoints": "List<Keypoint>", "embedding": "Embedding"}
_PARTS = ("scores", "classes", "count")
SUFFIXES = (*_SUFFIX.values(), "Decoder", "Buffer", "Floats")


@dataclass(frozen=True)
class Decoder:
    """How the values of one output, or of several, become what they stand for."""

    kind: str  # boxes, mask, keypoints, embedding
    tensor: Tensor  # the output that has this kind
    form: OutputForm
    parts: Mapping[str, Tensor]  # of boxes: other outputs, by what they are

    @property
    def ident(self) -> str:
        """Return the property that holds the decoder."""
        return f"{self.tensor.ident}Decoder"

    @property
    def function(self) -> str:
        """Return the function that decodes."""
        return f"{self.tensor.ident}{_SUFFIX[self.kind]}"

    @property
    def gives(self) -> str:
        """Return the Kotlin type of what it gives."""
        return _GIVES[self.kind]

    @property
    def labels(self) -> str:
        """Return the Kotlin expression that reads its labels: at `create`, so that no enum is needed."""
        return f'readLabels(assets, "$ID/{self.form.labels}")' if self.form.labels else "listOf()"

    @property
    def threshold(self) -> str:
        """Return the default of the function's threshold, a Float; "" where it takes none."""
        if isinstance(self.form, KeypointsForm) and self.form.threshold is None:
            return "Float.NEGATIVE_INFINITY"
        if isinstance(self.form, BoxesForm | MaskForm | KeypointsForm) and self.form.threshold is not None:
            return float_literal(self.form.threshold)
        return ""

    @property
    def placed(self) -> bool:
        """Say whether what it gives has places in the frame."""
        return self.kind != "embedding"

    @property
    def tensors(self) -> list[Tensor]:
        """Return the outputs whose real values it takes, in the order of its parameters."""
        return [self.tensor, *(self.parts[part] for part in _PARTS if part in self.parts)]

    @property
    def type(self) -> str:
        """Return the decoder's class."""
        if isinstance(self.form, BoxesForm):
            names = {"ssd": "SsdDecoder", "scores": "ScoresDecoder", "anchors": "ScoresDecoder"}
            return names.get(self.form.head, "YoloDecoder")
        if isinstance(self.form, KeypointsForm):
            return "HeatmapDecoder" if self.form.head == "heatmap" else "CoordinateDecoder"
        return "MaskDecoder" if self.kind == "mask" else "EmbeddingDecoder"

    @property
    def make(self) -> str:
        """Return the Kotlin expression that makes the decoder."""
        if isinstance(self.form, BoxesForm):
            return self._boxes(self.form)
        if isinstance(self.form, KeypointsForm):
            return self._keypoints(self.form)
        if isinstance(self.form, MaskForm):
            height, width, channels = self._image()
            background = "true" if self.form.background else "false"
            return f"MaskDecoder({width}, {height}, {channels}, {_activation(self.form)}, {background}, {self.labels})"
        return f"EmbeddingDecoder({self.tensor.count})"

    @property
    def arguments(self) -> str:
        """Return the arguments of its decode, but for the threshold and what is reused."""
        arrays = [values_of(tensor) for tensor in self.tensors]
        if self.type == "SsdDecoder":
            arrays += ["null"] * (2 - sum(part in self.parts for part in ("classes", "count")))
            if "count" in self.parts and "classes" not in self.parts:
                arrays = [*arrays[:2], "null", arrays[2]]
        return ", ".join([*arrays, *(["place.placement"] if self.kind in {"boxes", "keypoints"} else [])])

    def _boxes(self, form: BoxesForm) -> str:
        capacity = self._capacity(form)
        corners = f"BoxCorners(BoxFormat.{form.format.upper()}{_size(form.size)})"
        iou, nms = float_literal(form.iou), form.nms.upper()
        selector = f"BoxSelector({capacity}, Suppression.{nms}, {iou}, {form.most}, {self.labels})"
        scores = f"ScoreForm({_activation(form)}, {'true' if form.background else 'false'})"
        if form.head == "ssd":
            return f"SsdDecoder({capacity}, {corners}, {selector})"
        if form.head.startswith("yolo"):
            transposed = "true" if form.transposed else "false"
            objectness = "true" if form.head == "yolo-objectness" else "false"
            layout = f"YoloLayout({self.tensor.count // capacity}, {transposed}, {objectness})"
            return f"YoloDecoder({capacity}, {layout}, {corners}, {selector}, {scores})"
        classes = self.parts["scores"].shape[-1]
        anchors = f", {self._anchors(form)}" if form.anchors else ""
        return f"ScoresDecoder({capacity}, {classes}, {corners}, {selector}, {scores}{anchors})"

    def _anchors(self, form: BoxesForm) -> str:
        variances = ", ".join(repr(float(value)) for value in form.variances)
        vertical = "true" if form.format == "yxyx" else "false"
        return f'BoxAnchors(readFloats(assets, "$ID/{form.anchors}"), doubleArrayOf({variances}), {vertical})'

    def _capacity(self, form: BoxesForm) -> int:
        """Return how many candidates there are."""
        if form.head.startswith("yolo"):
            return self.tensor.shape[-1 if form.transposed else -2]
        return self.tensor.count // 4

    def _keypoints(self, form: KeypointsForm) -> str:
        if form.head == "heatmap":
            height, width, count = self._image()
            return f"HeatmapDecoder({width}, {height}, {count}, {_activation(form)}, {self.labels})"
        count, columns = self.tensor.shape[-2:]
        vertical = "true" if form.format == "yx" else "false"
        size = _size(form.size) or ", 1f, 1f"
        return f"CoordinateDecoder({count}, {columns}, {vertical}{size}, {self.labels})"

    def _image(self) -> tuple[int, int, int]:
        """Return height, width and channels of [1, H, W, C], [1, H, W] or the same without the batch."""
        shape = self.tensor.shape[1:] if len(self.tensor.shape) > 2 and self.tensor.shape[0] == 1 else self.tensor.shape
        height, width, *channels = shape
        return height, width, math.prod(channels)


def values_of(tensor: Tensor) -> str:
    """Return the Kotlin expression for an output's real values, a FloatArray."""
    return f"this.{tensor.ident}" if tensor.dtype == "float32" else f"{tensor.ident}Floats()"


def _activation(form: BoxesForm | MaskForm | KeypointsForm) -> str:
    return f"Activation.{form.activation.upper()}"


def _size(size: tuple[int, ...] | None) -> str:
    return "" if size is None else f", {size[0]}f, {size[1]}f"
