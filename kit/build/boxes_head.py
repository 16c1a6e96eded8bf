"""Which head a detector has: the recipe's word, or a guess from shapes and names. Knows no tensor's values."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from kit.errors import RecipeError
from kit.recipe.output import Output

Shape = tuple[int, ...]
_SCORES, _CLASSES, _COUNT = r"score|conf|prob", r"class|label|categor", r"num|count|valid"


@dataclass(frozen=True)
class Companions:
    """What is beside the boxes: shapes of other outputs without the batch axis, numbers of labels and of anchors."""

    outputs: Mapping[str, Shape]
    labels: int | None
    anchors: int | None


@dataclass(frozen=True)
class Head:
    """A head, and the names of the outputs that belong to it."""

    name: str
    scores: str | None = None
    classes: str | None = None
    count: str | None = None
    transposed: bool = False  # of a YOLO head: [channels, N]


def guess_boxes(output: Output, shape: Shape, beside: Companions) -> tuple[Head, str]:
    """Return the head of an output of boxes, and a note on what was guessed: "" where the recipe says it.

    shape: without the batch axis. Raises RecipeError where the shapes fit no head, or not the one that was named.
    """
    found = _companions(output, shape, beside)
    name, reason = (output.head, "") if output.head else _guess(output, shape, found, beside)
    if name.startswith("yolo"):
        head = _yolo(Head(name), output, shape, beside)
    else:
        head = _separate(replace(found, name=name), output, shape, beside)
    guessed = [
        f"{key} = '{getattr(head, key)}'"
        for key in ("scores", "classes", "count")
        if getattr(head, key) is not None and getattr(output, key) is None
    ]
    if not reason and not guessed:
        return head, ""
    words = ", ".join([f"head = '{name}'", *guessed])
    return head, f"output '{output.name}' is read with {words}: {reason or 'the outputs are named so'}"


def _companions(output: Output, shape: Shape, beside: Companions) -> Head:
    """Return the outputs that the recipe names, or whose names and shapes say what they are."""
    for key in ("scores", "classes", "count"):
        name = getattr(output, key)
        if name is not None and name not in beside.outputs:
            raise RecipeError(
                f"[[outputs]] {output.name}: {key} = '{name}': the file has no other output of that name",
                f"there is: {', '.join(beside.outputs) or 'none'}",
            )
    if (output.head or "").startswith("yolo"):
        return Head("")
    rows = shape[-2] if len(shape) > 1 and shape[-1] == 4 else 0
    named = {name for name in (output.scores, output.classes, output.count) if name}
    left = {name: other for name, other in beside.outputs.items() if name not in named}
    scores = output.scores or _named(left, _SCORES, lambda other: rows in other[:1])
    lists = {name: other for name, other in left.items() if name != scores and math.prod(other) == rows}
    classes = output.classes or _named(lists, _CLASSES, lambda _: True)
    count = output.count or _named(left, _COUNT, lambda other: math.prod(other) == 1)
    return Head("", scores, classes, count)


def _named(outputs: Mapping[str, Shape], words: str, fits: Callable[[Shape], bool]) -> str | None:
    found = [name for name, shape in outputs.items() if re.search(words, name.lower()) and fits(shape)]
    return found[0] if len(found) == 1 else None


def _guess(output: Output, shape: Shape, found: Head, beside: Companions) -> tuple[str, str]:
    """Return a head and the reason for it."""
    if found.scores is None:
        if len(shape) > 1 and shape[-1] == 4 and beside.outputs:
            raise RecipeError(
                f"[[outputs]] {output.name}: boxes of 4 numbers, and no other output is known to have their scores",
                f'name it: scores = "...", one of {", ".join(beside.outputs)}',
            )
        return _guess_yolo(shape, beside.labels)
    scores = beside.outputs[found.scores]
    if beside.anchors is not None:
        return "anchors", "it has anchors"
    if len(shape) > 1 and math.prod(scores) == shape[-2]:
        return "ssd", f"'{found.scores}' has one score for each of {shape[-2]} boxes"
    return "scores", f"'{found.scores}' has {scores[-1]} scores for each box"


def _guess_yolo(shape: Shape, labels: int | None) -> tuple[str, str]:
    lengths = f"one tensor {list(shape)}"
    for name, own in (("yolo", 4), ("yolo-objectness", 5)):
        if labels is not None and own + labels in shape[-2:]:
            return name, f"{lengths} has {own} values and {labels} scores for each box, as many as labels"
    return "yolo", f"{lengths} has the scores behind the boxes; without labels no objectness is assumed"


def _yolo(head: Head, output: Output, shape: Shape, beside: Companions) -> Head:
    """Return a YOLO head with the way its tensor lies: channels are the axis that fits the labels, else the shorter."""
    own = 5 if head.name == "yolo-objectness" else 4
    if len(shape) < 2 or math.prod(shape[:-2]) != 1 or min(shape[-2:]) <= own:
        raise RecipeError(
            f"[[outputs]] {output.name}: head '{head.name}' is [N, {own} + classes] or [{own} + classes, N], and the "
            f"model gives {list(shape)}",
            f'use another head, as head = "scores", or another output: {", ".join(beside.outputs) or "there is none"}',
        )
    channels = min(shape[-2:])
    if beside.labels is not None:
        wanted = own + beside.labels + bool(output.background)
        if wanted not in shape[-2:]:
            raise _labels_misfit(output, beside.labels, f"{channels - own - bool(output.background)} classes")
        channels = wanted
    return replace(head, transposed=shape[-1] != channels)


def _separate(head: Head, output: Output, shape: Shape, beside: Companions) -> Head:
    """Return a head of boxes and scores in outputs of their own, its shapes checked."""
    if head.scores is None:
        raise RecipeError(
            f"[[outputs]] {output.name}: head '{head.name}' needs the output that has the scores",
            f'name it: scores = "..."; there is: {", ".join(beside.outputs) or "none"}',
        )
    rows, scores = shape[-2] if len(shape) > 1 else 0, beside.outputs[head.scores]
    listed = head.name == "ssd"
    if shape[-1:] != (4,) or math.prod(shape) != 4 * rows or not _rows_fit(scores, rows, listed):
        wanted = "[N]" if listed else "[N, C]"
        raise RecipeError(
            f"[[outputs]] {output.name}: head '{head.name}' is boxes [N, 4] and scores {wanted}, and the model gives "
            f"{list(shape)} and '{head.scores}' {list(scores)}",
            "give the head and the output with its scores: head and scores belong together",
        )
    if head.name == "anchors" and beside.anchors != rows:
        raise RecipeError(
            f"[[outputs]] {output.name}: {beside.anchors or 'no'} anchors for {rows} boxes",
            "give anchors = a file with as many as the model has boxes, in their order",
        )
    if listed:
        return head
    found = scores[-1] - bool(output.background)
    if beside.labels not in {None, found}:
        raise _labels_misfit(output, beside.labels, f"{found} classes")
    return replace(head, classes=None, count=None)


def _rows_fit(scores: Shape, rows: int, listed: bool) -> bool:
    if listed:
        return math.prod(scores) == rows
    return len(scores) > 1 and scores[-2] == rows and math.prod(scores) == rows * scores[-1]


def _labels_misfit(output: Output, labels: int | None, wanted: str) -> RecipeError:
    return RecipeError(
        f"[[outputs]] {output.name}: {labels} labels for {wanted}",
        "give one label a line, none for a background; or say that there is one: background = true",
    )
