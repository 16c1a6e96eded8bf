"""What is true of an output, in the form that its metric takes: checked against the output's shape and labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kit.build.truth import OutputTruth
from kit.errors import RecipeError
from kit.metrics.boxes import Found

if TYPE_CHECKING:
    import numpy as np

VOID = 255  # of a mask: a pixel that is not counted, as in PASCAL VOC


def class_numbers(truth: OutputTruth, shape: tuple[int, ...], classes: int) -> np.ndarray:
    """Return class numbers, int64 of shape; from one-hot rows [*shape, classes], too.

    classes: columns of the scores, 1 of a model with one unit. Raises RecipeError.
    """
    import numpy as np

    y = _values(truth)
    if y.shape == (*shape, classes) and classes > 1:
        return np.asarray(np.argmax(y, axis=-1))
    if y.size != math.prod(shape):
        raise RecipeError(
            f"{truth.where} has shape {list(y.shape)}, the samples need {list(shape)}",
            "give one class number a sample",
        )
    y, top = y.reshape(shape), max(classes, 2)
    if not np.isin(y, np.arange(top)).all():
        raise RecipeError(
            f"{truth.where} holds {y.min()}..{y.max()}, the model's classes are 0..{top - 1}",
            "number the classes from 0, in the order of the labels",
        )
    return y.astype(np.int64)


def numbers(truth: OutputTruth, shape: tuple[int, ...]) -> np.ndarray:
    """Return true numbers, [N, D] in their own dtype, for outputs of shape [N, ...]. Raises RecipeError."""
    import numpy as np

    y = _values(truth)
    if y.size != math.prod(shape) or len(y) != shape[0]:
        raise RecipeError(
            f"{truth.where} has shape {list(y.shape)}, and the output is {list(shape)}", "give the output's own shape"
        )
    if not np.isfinite(y).all():
        raise RecipeError(f"{truth.where} holds NaN or infinity", "leave those samples out of the data")
    return y.reshape(len(y), -1)


def identities(truth: OutputTruth, count: int) -> np.ndarray:
    """Return what tells samples apart, [N] in its own dtype. Raises RecipeError."""
    y = _values(truth)
    if y.size != count:
        raise RecipeError(
            f"{truth.where} has shape {list(y.shape)} for {count} samples", "give one identity a sample: a number"
        )
    return y.reshape(count)


def masks(truth: OutputTruth, classes: int, *, single: bool) -> Callable[[int], np.ndarray]:
    """Return what gives the true mask of a sample, int64 [H, W], -1 where a pixel is not counted.

    classes: how many there are; single: the model has one channel, and 255 is class 1, as such PNGs mostly have it.
    Raises RecipeError, as what it returns does.
    """
    import numpy as np

    if not truth.masks and _values(truth).ndim != 3:
        raise RecipeError(
            f"{truth.where} has shape {list(_values(truth).shape)}, and masks are [N, height, width]",
            "save one class number a pixel",
        )

    def of(row: int) -> np.ndarray:
        """Return the mask of a sample, int64 [H, W]."""
        given = _png(truth.masks[row], truth.where) if truth.masks else _values(truth)[row]
        found = np.where(given == VOID, 1 if single else -1, given).astype(np.int64)
        if found.max(initial=0) >= classes or found.min(initial=0) < -1:
            raise RecipeError(
                f"{truth.where} holds {found.min()}..{found.max()}, the model's classes are 0..{classes - 1}",
                "number the classes from 0, in the order of the channels; 255 is a pixel that is not counted",
            )
        return found

    return of


def _png(path: Path, where: str) -> np.ndarray:
    """Return the numbers of a PNG with a palette or in grayscale, int64 [H, W]."""
    import numpy as np
    from PIL import Image

    hint = "save one class number a pixel, in a PNG with a palette or in grayscale"
    try:
        with Image.open(path, formats=("PNG",)) as image:
            values = np.asarray(image)
    # Broken bytes make Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more.
    except Exception as error:
        raise RecipeError(f"{where}: {path.name} is no mask: {error}", hint) from error
    if values.ndim != 2:
        raise RecipeError(f"{where}: {path.name} is no mask: it has colours", hint)
    return values.astype(np.int64)


def boxes(truth: OutputTruth, classes: int | None, size: tuple[int, ...] | None) -> tuple[Found, ...]:
    """Return the boxes of each sample: of COCO JSON in its frame's pixels, of an array normalized.

    An array is [N, M, 5]: class, left, top, right, bottom; rows of class -1 are none. classes: how many labels there
    are; size: (width, height) that an array's coordinates are pixels of. Raises RecipeError.
    """
    if truth.boxes:
        return tuple(
            Found(each.rows[:, 1:], _numbers(truth, each.rows, classes), None, each.crowd) for each in truth.boxes
        )
    y = _values(truth)
    if y.ndim != 3 or y.shape[2] != 5:
        raise RecipeError(
            f"{truth.where} has shape {list(y.shape)}, and boxes are [N, most, 5]",
            "save class, left, top, right and bottom of each box, and rows of class -1 where a sample has fewer",
        )
    across, down = size or (1, 1)
    kept = [rows[rows[:, 0] != -1].astype("float64") for rows in y]
    return tuple(Found(rows[:, 1:] / (across, down, across, down), _numbers(truth, rows, classes)) for rows in kept)


def _numbers(truth: OutputTruth, rows: np.ndarray, classes: int | None) -> np.ndarray:
    """Return the classes of boxes, int64 [n], of float64 [n, 5]. Raises RecipeError."""
    import numpy as np

    if not np.isfinite(rows).all():
        raise RecipeError(f"{truth.where} holds NaN or infinity", "leave those samples out of the data")
    named = rows[:, 0]
    top = math.inf if classes is None else classes
    strange = named[(named < 0) | (named >= top) | (named != np.floor(named))]
    if strange.size:
        raise RecipeError(
            f"{truth.where} has a box of class {strange[0]:g}, "
            f"and the labels are {'0 and up' if classes is None else f'0..{classes - 1}'}",
            "number the classes from 0, in the order of the labels",
        )
    return named.astype(np.int64)


def _values(truth: OutputTruth) -> np.ndarray:
    """Return an array of truth, [N, ...] in its own dtype."""
    assert truth.values is not None
    return truth.values
