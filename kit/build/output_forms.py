"""What an output's values are, from what the recipe says and the shapes of the produced file: boxes, masks, keypoints.

A head that the recipe leaves out is guessed from shapes and names, and a note says why. Decodes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from kit.build.anchors import Anchors
from kit.build.boxes_head import Companions, guess_boxes
from kit.bundle.output_forms import BoxesForm, EmbeddingForm, KeypointsForm, MaskForm, OutputForm
from kit.errors import RecipeError
from kit.recipe.output import Output
from kit.recipe.schema import Recipe
from kit.shared.job import Result, SignatureSpec, TensorSpec

COARSE = 0.02  # a step of scores that loses more than a threshold can bear


@dataclass(frozen=True)
class Forms:
    """The form of each output by its name, and sentences on what was guessed."""

    outputs: Mapping[str, OutputForm] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Given:
    """What a form is made of: the recipe's words, the file's tensors, and the files that the recipe names."""

    output: Output
    signature: SignatureSpec
    size: tuple[int, int] | None  # width, height of the one image, or what looks like one
    labels: str | None  # the asset's name
    texts: int | None  # how many labels
    anchors: Anchors | None

    @property
    def inner(self) -> tuple[int, ...]:
        """Return the output's shape without its batch axis."""
        return inner_shape(next(spec for spec in self.signature.outputs if spec.name == self.output.name))

    def pixels(self) -> tuple[int, int] | None:
        """Return the size to divide coordinates by, None where they are normalized. Raises RecipeError without one."""
        if self.output.units != "pixels":
            return None
        if self.size is None:
            raise RecipeError(
                f"[[outputs]] {self.output.name}: units 'pixels' are those of an image, and no input has a fixed "
                "height and width",
                'give the image\'s [[inputs]] kind = "image" and a shape',
            )
        return self.size


def forms_of(
    recipe: Recipe, result: Result, labels: Mapping[str, tuple[str, int]], anchors: Mapping[str, Anchors]
) -> Forms:
    """Return the forms of the outputs that the recipe gives one.

    labels: the name of the asset and how many there are, by output name. Raises RecipeError where shapes do not fit.
    """
    found: dict[str, OutputForm] = {}
    notes: list[str] = []
    for output in recipe.outputs:
        if output.kind not in _MAKERS or output.name not in {spec.name for spec in result.signature.outputs}:
            continue
        file, texts = labels.get(output.name, (None, None))
        given = Given(output, result.signature, _size(recipe, result), file, texts, anchors.get(output.name))
        _refuse_open(given)
        found[output.name] = _MAKERS[output.kind](given, notes)
    return Forms(found, tuple(notes))


def inner_shape(spec: TensorSpec) -> tuple[int, ...]:
    """Return a tensor's shape without its batch axis."""
    return spec.shape[1:] if spec.batched else spec.shape


def _size(recipe: Recipe, result: Result) -> tuple[int, int] | None:
    images = {tensor.name for tensor in recipe.inputs if tensor.kind == "image"}
    inputs = sorted(result.signature.inputs, key=lambda spec: spec.name not in images)
    shapes = [shape for shape in map(inner_shape, inputs) if len(shape) in {2, 3} and min(shape[:2]) > 0]
    return (shapes[0][1], shapes[0][0]) if shapes else None


def _refuse_open(given: Given) -> None:
    spec = next(spec for spec in given.signature.outputs if spec.name == given.output.name)
    if min(given.inner, default=1) < 1 or (spec.batched and spec.shape[0] > 1):
        raise RecipeError(
            f"[[outputs]] {given.output.name}: kind '{given.output.kind}' is for one sample a call of a fixed size, "
            f"and its shape is {list(spec.shape)}",
            "give a fixed shape ([[inputs]] shape), and leave [model] batch out",
        )


def _boxes(given: Given, notes: list[str]) -> BoxesForm:
    output = given.output
    others = {spec.name: inner_shape(spec) for spec in given.signature.outputs if spec.name != output.name}
    anchors = given.anchors.count if given.anchors else None
    head, note = guess_boxes(output, given.inner, Companions(others, given.texts, anchors))
    notes += [note] if note else []
    notes += _coarse(given, head.name)
    yolo = head.name.startswith("yolo")
    return BoxesForm(
        labels=given.labels,
        head=head.name,
        format=output.format or ("cxcywh" if yolo else "yxyx"),
        size=given.pixels(),
        transposed=head.transposed,
        activation=output.activation or "none",
        background=bool(output.background),
        variances=tuple(output.variances or BoxesForm.variances),
        threshold=BoxesForm.threshold if output.threshold is None else output.threshold,
        nms=output.nms or ("none" if head.name == "ssd" else "class"),
        iou=BoxesForm.iou if output.iou is None else output.iou,
        most=output.most or BoxesForm.most,
        anchors=given.anchors.file if given.anchors else None,
        scores=head.scores,
        classes=head.classes,
        count=head.count,
    )


def _coarse(given: Given, head: str) -> Iterator[str]:
    """Yield a note on scores that share a quantized tensor with coordinates of a far larger range."""
    spec = next(spec for spec in given.signature.outputs if spec.name == given.output.name)
    if head.startswith("yolo") and spec.scale is not None and spec.scale > COARSE:
        yield (
            f"output '{spec.name}' has coordinates and scores in one tensor whose step is {spec.scale:.3g}: scores are "
            "rounded to multiples of it. Let the model give coordinates in 0..1, or both in outputs of their own "
            '(head = "scores")'
        )


def _mask(given: Given, _notes: list[str]) -> MaskForm:
    output, shape = given.output, given.inner
    channels = shape[2] if len(shape) == 3 else 1
    if len(shape) not in {2, 3}:
        raise _misfit(given, "[H, W, C], [H, W, 1] or [H, W]")
    _check_labels(given, max(channels, 2))
    if channels == 1 and output.activation == "softmax":
        raise RecipeError(
            f"[[outputs]] {output.name}: a softmax of one channel is 1 everywhere", 'use activation = "sigmoid"'
        )
    return MaskForm(
        labels=given.labels,
        activation=output.activation or "none",
        background=output.background is not False,
        threshold=MaskForm.threshold if output.threshold is None else output.threshold,
    )


def _keypoints(given: Given, notes: list[str]) -> KeypointsForm:
    output, shape = given.output, given.inner
    head = output.head
    if head is None:
        heatmap = len(shape) == 3 and shape[0] > 1 and shape[1] > 3
        head = "heatmap" if heatmap else "coordinates"
        notes.append(f"output '{output.name}' is read as head = '{head}': its shape is {list(shape)}")
    if head == "heatmap" and len(shape) != 3:
        raise _misfit(given, "[H, W, K]")
    if head == "coordinates" and (math.prod(shape[:-2]) != 1 or shape[-1] not in {2, 3} or len(shape) < 2):
        raise _misfit(given, "[K, 2], or [K, 3] with a score")
    if output.activation == "softmax":
        raise RecipeError(
            f"[[outputs]] {output.name}: keypoints' scores are not those of classes that exclude each other",
            'use activation = "sigmoid", or leave it out',
        )
    _check_labels(given, shape[2] if head == "heatmap" else shape[-2])
    return KeypointsForm(
        labels=given.labels,
        head=head,
        format=output.format or "xy",
        size=given.pixels(),
        activation=output.activation or "none",
        threshold=output.threshold,
    )


def _embedding(given: Given, _notes: list[str]) -> EmbeddingForm:
    if math.prod(given.inner) != max(given.inner, default=0):
        raise _misfit(given, "[N]")
    return EmbeddingForm()


_MAKERS = {"boxes": _boxes, "mask": _mask, "keypoints": _keypoints, "embedding": _embedding}


def _check_labels(given: Given, wanted: int) -> None:
    if given.texts not in {None, wanted}:
        raise RecipeError(
            f"[[outputs]] {given.output.name}: {given.texts} labels for {wanted} of kind '{given.output.kind}'",
            "give one label a line, in the order of the model's channels",
        )


def _misfit(given: Given, wanted: str) -> RecipeError:
    return RecipeError(
        f"[[outputs]] {given.output.name}: kind '{given.output.kind}' is {wanted} for each sample, "
        f"and the model gives {list(given.inner)}",
        "change the model's last layer, or take this output with another kind",
    )
