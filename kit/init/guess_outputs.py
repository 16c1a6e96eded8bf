"""What each output may be (classes, boxes, mask, keypoints, embedding or plain numbers), and why. Reads no data."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kit.build.boxes_head import Companions, guess_boxes
from kit.errors import RecipeError
from kit.init.description import LINEAR, SIGMOID, SOFTMAX, UNIT, Tensor
from kit.init.guess_inputs import InputGuess, shown
from kit.init.question import Ask, Question, one_of
from kit.recipe.output import Output

_BOX, _VECTOR = r"box|locat|bbox|detect|yolo", r"embed|feature|descriptor|latent|^code$|vector"
_MASK, _POINTS = r"mask|segm", r"joint|point|pose|landmark|heat"
_CLASS = r"class|categor|label|logit|topic|emotion|digit|species"
FEWEST_BOXES = 16


@dataclass(frozen=True)
class OutputGuess:
    """What an output is taken for. keys: the recipe's, but for name and kind. table: it has a table in the recipe."""

    tensor: Tensor
    kind: str
    reasons: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    keys: dict[str, Any] = field(default_factory=dict)
    table: bool = True

    @property
    def classes(self) -> int | None:
        """Return how many labels fit it, None where it has none, or none is known."""
        shape = self.tensor.shape or ()
        if self.kind == "classes" and shape and shape[-1]:
            return max(shape[-1], 2)
        if self.kind == "mask":
            return max(shape[2] or 2, 2) if len(shape) == 3 else 2
        return None


def guess_outputs(
    outputs: Sequence[Tensor],
    inputs: Sequence[InputGuess],
    labels: Sequence[int],
    ask: Ask,
    boxed: Mapping[str, str] | None = None,
) -> list[OutputGuess]:
    """Return what each output may be.

    labels: how many each list of labels has that was found; boxed: outputs whose truth in the data is boxes, with the
    boxes' units.
    """
    images = any(guess.kind == "image" for guess in inputs)
    shapes = {tensor.name: _closed(tensor) for tensor in outputs}
    beside: set[str] = set()
    found: dict[str, OutputGuess] = {}
    for guess, others in _boxes(outputs, shapes, boxed or {}) if images else ():
        if guess.tensor.name not in beside:
            found[guess.tensor.name] = guess
            beside |= others
    for tensor in outputs:
        if tensor.name in found:
            continue
        if tensor.name in beside:
            found[tensor.name] = OutputGuess(tensor, "tensor", table=False)
        else:
            found[tensor.name] = _guess(tensor, images, labels, ask)
    return [found[tensor.name] for tensor in outputs]


def _closed(tensor: Tensor) -> tuple[int, ...]:
    return tuple(-1 if size is None else size for size in tensor.shape or ())


def _guess(tensor: Tensor, images: bool, labels: Sequence[int], ask: Ask) -> OutputGuess:
    shape, name = tensor.shape or (), tensor.name.lower()
    if len(shape) == 3 and images and min(size or 9 for size in shape[:2]) > 1:
        return _map(tensor)
    if len(shape) == 2 and shape[-1] in {2, 3} and re.search(_POINTS, name):
        return OutputGuess(
            tensor,
            "keypoints",
            (f"kind keypoints: rows of {shape[-1]}, and its name",),
            ('units are taken as 0..1 over the image: write units = "pixels" where they are pixels',),
            {"head": "coordinates", "units": "normalized"},
        )
    if tensor.ending == UNIT or (len(shape) == 1 and tensor.ending != SOFTMAX and re.search(_VECTOR, name)):
        why = "a vector of length 1" if tensor.ending == UNIT else "its name"
        if len(shape) == 1 and (shape[0] or 0) > 1:
            return OutputGuess(tensor, "embedding", (f"kind embedding: {why}; the app compares by cosine",))
    if tensor.ending == SOFTMAX and len(shape) in {1, 2} and (shape[-1] or 0) > 1:
        what = "scores" if len(shape) == 1 else "scores at each position"
        return OutputGuess(tensor, "classes", (f"kind classes: {shape[-1]} {what}, behind a softmax",))
    if tensor.ending == SIGMOID and shape == (1,):
        return OutputGuess(
            tensor, "classes", ("kind classes: one score behind a sigmoid: above one half it is class 1, else class 0",)
        )
    return _asked(tensor, labels, ask)


def _asked(tensor: Tensor, labels: Sequence[int], ask: Ask) -> OutputGuess:
    """Return what the file does not say: scores without a softmax look like any other numbers."""
    shape, name = tensor.shape or (), tensor.name.lower()
    many = len(shape) == 1 and (shape[0] or 0) > 1
    listed = many and shape[0] in labels
    default = "classes" if listed or (many and tensor.ending == LINEAR and re.search(_CLASS, name)) else "tensor"
    kinds = ("classes", "embedding", "tensor") if many else ("tensor",)
    kind = default
    if many:
        question = Question(f"'{tensor.name}' has {shape[0]} numbers: {', '.join(kinds)}?", default, one_of(*kinds))
        kind = ask(question)
    if kind == "classes":
        why = f"as many as labels, {shape[0]}" if listed else "its name" if kind == default else "so you said"
        softmax = tensor.ending != SIGMOID
        keys = {"activation": "softmax"} if softmax else {}
        doubt = (
            "the model ends without a softmax, so the app applies one"
            if softmax
            else "a sigmoid for each: the app takes the highest"
        )
        return OutputGuess(tensor, "classes", (f"kind classes: {why}",), (doubt,), keys)
    if kind == "embedding":
        return OutputGuess(tensor, "embedding", ("kind embedding: so you said; the app compares by cosine",))
    reasons = [f"kind tensor: numbers of the shape {shown(shape)}, as the model gives them"]
    doubts = []
    if many:
        doubts.append('if these are scores of classes, write kind = "classes", and activation = "softmax" for logits')
    elif shape == (1,):
        doubts.append(
            'if it decides between two classes, write kind = "classes", and activation = "sigmoid" for a logit'
        )
    return OutputGuess(tensor, "tensor", tuple(reasons), tuple(doubts))


def _map(tensor: Tensor) -> OutputGuess:
    shape, name = tensor.shape or (), tensor.name.lower()
    places = f"{shape[2]} values for each place of an image"
    if re.search(_POINTS, name) and tensor.ending != SOFTMAX:
        return OutputGuess(tensor, "keypoints", (f"kind keypoints: {places}, and its name",), (), {"head": "heatmap"})
    named = re.search(_MASK, name)
    if named or (tensor.ending == SOFTMAX and (shape[2] or 0) > 1):
        why = "its name" if named else "a softmax"
        activation = {} if tensor.ending in {SOFTMAX, SIGMOID} else {"activation": "sigmoid"} if shape[2] == 1 else {}
        doubts = ("the model ends without a sigmoid, so the app applies one",) if activation else ()
        return OutputGuess(tensor, "mask", (f"kind mask: {places}, and {why}",), doubts, activation)
    return OutputGuess(
        tensor,
        "tensor",
        (f"kind tensor: {places}",),
        ('if these are classes of pixels, write kind = "mask"; an image that the model makes stays a tensor',),
    )


def _boxes(
    outputs: Sequence[Tensor], shapes: Mapping[str, tuple[int, ...]], boxed: Mapping[str, str]
) -> Iterator[tuple[OutputGuess, set[str]]]:
    """Yield outputs that are boxes, with the outputs that belong to each."""
    for tensor in outputs:
        shape = shapes[tensor.name]
        rows = shape[-2:] if len(shape) > 1 and math.prod(shape[:-2]) == 1 else ()
        sure = tensor.name in boxed
        named = sure or bool(re.search(_BOX, tensor.name.lower()))
        if not rows or min(rows) < 4 or (max(rows) < FEWEST_BOXES and not named):
            continue
        if min(rows) > 4 and not sure and (len(outputs) > 1 or not (named or max(rows) >= 100)):
            continue  # no YOLO head: a sequence
        others = {name: other for name, other in shapes.items() if name != tensor.name}
        try:
            head, _note = guess_boxes(Output(name=tensor.name, kind="boxes"), shape, Companions(others, None, None))
        except RecipeError:
            continue
        belongs = {name for name in (head.scores, head.classes, head.count) if name}
        keys = {"head": head.name, "scores": head.scores}
        yield _of_head(tensor, belongs, keys, boxed.get(tensor.name)), belongs


def _of_head(tensor: Tensor, belongs: set[str], keys: Mapping[str, Any], units: str | None) -> OutputGuess:
    """Return the guess of boxes. keys: head and scores; units: those of boxes in the data, None where it has none."""
    head = keys["head"]
    form = "cxcywh" if head.startswith("yolo") else "yxyx"
    place = f"{form} in 0..1" if units is None else f"{form}, in the units of the data's boxes"
    other = ', and units = "pixels"' if units is None else ""
    doubts = [f"coordinates are taken as {place}; there are also xyxy, yxyx and cxcywh{other}"]
    if head == "scores":
        doubts.append('where the boxes are offsets from anchors, write head = "anchors" and anchors = FILE')
        doubts.append(
            'for logits write activation = "sigmoid" or "softmax"; background = true where the first class is none'
        )
    if head.startswith("yolo"):
        doubts.append('where a fifth value multiplies the scores, as in YOLOv5, write head = "yolo-objectness"')
    written = {key: given for key, given in keys.items() if given} | {"format": form, "units": units or "normalized"}
    beside = f", with {', '.join(sorted(belongs))}" if belongs else ""
    reasons = [f"kind boxes: {shown(tensor.shape or ())}{beside}"]
    if units is not None:
        reasons.append(f"the data has boxes as y/{tensor.name}, {units}")
    return OutputGuess(tensor, "boxes", tuple(reasons), tuple(doubts), written)


def with_labels(guess: OutputGuess, labels: str | None) -> OutputGuess:
    """Return the guess with the file of its labels, by its path from the recipe."""
    return replace(guess, keys=guess.keys | {"labels": labels}) if labels else guess
