"""Whether a recipe reads a detector's boxes as the model means them: where not, it says what to write.

A file does not say whether its four numbers are corners or a centre with a size, nor of the image or of its pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from kit.bundle.box_head import box_head, box_tensors
from kit.bundle.output_forms import BoxesForm
from kit.errors import RecipeError
from kit.metrics.scorer import Scorer

if TYPE_CHECKING:
    import numpy as np

    from kit.build.write_bundle import Parts

FINDS = 0.05  # a float model whose mAP is below this finds next to nothing
BETTER = 0.15  # the mAP of another reading from which on the recipe's is wrong
BEYOND = 2.0  # where 1 is the image's width: boxes mostly end inside of it
SAMPLES = 64  # are looked at for units


def refuse_units(parts: Parts, evaluated: Mapping[str, np.ndarray]) -> None:
    """Refuse boxes whose units are not the recipe's: normalized ones that reach beyond the image, and small pixels.

    evaluated: the float model's outputs, float/<name> float32 [N, ...]. Raises RecipeError with the key to write.
    """
    if not parts.recipe.checks.gate or parts.result.measured_on == "random":
        return
    for entry in parts.signature.outputs:
        form = entry.boxes
        if form is None or form.head == "anchors":
            continue
        reach = _reach(form, entry.name, evaluated)
        if reach is None or (reach <= BEYOND if form.size is None else reach > BEYOND):
            continue
        other = "pixels" if form.size is None else "normalized"
        where = f"go to {reach:.3g} and more, where 1 is the image's width"
        if form.size is not None:
            where = f"end at {reach:.3g} and before, and the image has {form.size[0]} x {form.size[1]} pixels"
        raise RecipeError(
            f"[[outputs]] {entry.name}: half of the float model's best boxes {where}",
            f"write units = '{other}'; or, if that is as it should be: [checks] gate = false",
        )


def _reach(form: BoxesForm, name: str, evaluated: Mapping[str, np.ndarray]) -> float | None:
    """Return the median of the largest coordinates of each sample's best box as it is; None where there are none.

    evaluated: float/<name> float32 [N, ...].
    """
    import numpy as np

    from kit.shared.postprocess import detect

    parts = {part: evaluated[f"float/{output}"] for part, output in box_tensors(name, form).items()}
    head = box_head(replace(form, size=None), form.threshold)
    ends = []
    for index in range(min(SAMPLES, len(parts["boxes"]))):
        corners = detect(head, {part: array[index] for part, array in parts.items()}).corners
        ends += [float(np.abs(corners[0]).max())] if len(corners) else []
    return float(np.median(ends)) if ends else None


def refuse_misread(
    name: str, form: BoxesForm, pixels: tuple[int, int] | None, found: float, scored: Callable[[BoxesForm], Scorer]
) -> None:
    """Refuse a reading of boxes by which the float model finds next to nothing where another one finds much.

    name: of the output; pixels: (width, height) of the model's input where it is known; found: the float model's mAP on
    the data of [checks]; scored: its scorer by another reading. Raises RecipeError with the keys to write.
    """
    if found >= FINDS:
        return
    others = [(scored(other).value(None), other) for other in _others(form, pixels)]
    reached, best = max(others, key=lambda pair: pair[0], default=(found, form))
    if reached >= BETTER:
        raise RecipeError(
            f"[[outputs]] {name}: read with {_words(form)}, the float model's boxes are not those of the data: mAP "
            f"{found:.3f}, and {reached:.3f} with {_words(best)}",
            f"write {_words(best)}; or, if that is as it should be: [checks] gate = false",
        )


def _others(form: BoxesForm, pixels: tuple[int, int] | None) -> Iterator[BoxesForm]:
    """Yield the other readings of the same numbers."""
    if form.head == "anchors":
        return
    from kit.shared.postprocess import FORMATS

    for format_ in FORMATS:
        for size in {None, pixels}:
            other = replace(form, format=format_, size=size)
            if (other.format, other.size) != (form.format, form.size):
                yield other


def _words(form: BoxesForm) -> str:
    return f"format = '{form.format}', units = '{'normalized' if form.size is None else 'pixels'}'"
