"""What the outputs of a model that takes an image may hold, for `inspect`: boxes, a mask, keypoints, and why.

The head of boxes is the one that a build would guess. No value is read, so these are words, and the recipe decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kit.errors import RecipeError
from kit.source_model.layer_graph import read_graph
from kit.source_model.layer_shapes import output_shapes
from kit.source_model.model_file import ModelFile
from kit.source_model.text_layer import config_of
from kit.tflite.model import TfliteFile

if TYPE_CHECKING:
    from kit.build.boxes_head import Shape

FEWEST_BOXES = 16
_KEYPOINTS, _MASK = r"joint|point|pose|landmark|heat", r"mask|segm"


@dataclass(frozen=True)
class Shapes:
    """Shapes of a model's inputs and outputs by name, without the batch axis."""

    inputs: Mapping[str, Shape] = field(default_factory=dict)
    outputs: Mapping[str, Shape] = field(default_factory=dict)


def tflite_shapes(file: TfliteFile) -> Shapes:
    """Return the shapes of a .tflite file's first signature; none of a file without one."""
    if not file.signatures:
        return Shapes()
    signature = file.signatures[0]
    tensors = file.subgraphs[signature.subgraph].tensors
    sides = [
        {name: (tensors[index].shape_signature or tensors[index].shape)[1:] for name, index in side.items()}
        for side in (signature.inputs, signature.outputs)
    ]
    return Shapes(*sides)


def source_shapes(model: ModelFile) -> Shapes:
    """Return the shapes of a Keras file, as far as it says them."""
    inputs = {name: tuple(size or -1 for size in shape) for name, shape in model.inputs.items()}
    graph = read_graph(config_of(model, None)) if model.suffix in {".keras", ".h5"} else None
    return Shapes(inputs, output_shapes(graph) if graph else {})


def guesses(shapes: Shapes) -> list[str]:
    """Return a sentence for each output that may be boxes, a mask or keypoints; none where no input is an image."""
    inputs, outputs = shapes.inputs, shapes.outputs
    if not any(len(shape) == 3 and shape[2] in (1, 3) and min(shape[:2]) != 1 for shape in inputs.values()):
        return []
    found = dict(_boxes(outputs))
    return [sentence for name, shape in outputs.items() if (sentence := found.get(name) or _other(name, shape))]


def _boxes(outputs: Mapping[str, Shape]) -> Iterator[tuple[str, str]]:
    for name, shape in outputs.items():
        rows = shape[-2:] if len(shape) > 1 and all(size == 1 for size in shape[:-2]) else ()
        if not rows or max(rows) < FEWEST_BOXES or min(rows) < 4 or (min(rows) > 4 and len(outputs) > 1):
            continue
        # The recipe's types take longer to import than `inspect` takes to read most files.
        from kit.build.boxes_head import Companions, guess_boxes
        from kit.recipe.output import Output

        others = {other: size for other, size in outputs.items() if other != name}
        try:
            _, note = guess_boxes(Output(name=name, kind="boxes"), shape, Companions(others, None, None))
        except RecipeError:
            continue  # no other output can be their scores
        yield name, f"{note} (with kind = 'boxes')"


def _other(name: str, shape: Shape) -> str:
    places = f"output '{name}' {list(shape)}"
    if len(shape) == 3 and min(shape[:2]) > 1:
        joints = re.search(_KEYPOINTS, name.lower())
        if joints and shape[2] > 0:
            return f"{places} may be {shape[2]} heatmaps, for its name has '{joints[0]}': kind = 'keypoints'"
        named = re.search(_MASK, name.lower())
        why = f"its name has '{named[0]}'" if named else f"it has {shape[2]} values for each of {shape[0]} x {shape[1]}"
        return f"{places} may be a mask, for {why}: kind = 'mask'"
    if len(shape) > 1 and shape[-1] in (2, 3) and shape[-2] > 1 and re.search(_KEYPOINTS, name.lower()):
        return f"{places} may be {shape[-2]} points, for its name and its rows of {shape[-1]}: kind = 'keypoints'"
    return ""
