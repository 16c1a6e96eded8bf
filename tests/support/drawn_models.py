"""Models that see red, green and blue without training: boxes, a mask and keypoints that any CPU gives alike.

Runs inside a toolchain's Python: `python drawn_models.py KIND FOLDER`, as source_models.written does it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

SIDE = 48  # pixels of an image
WINDOW, STEP = 12, 4  # pixels


def colors(k: Any, image: Any) -> Any:
    """Return how red, green and blue each pixel is, [48, 48, 3], -1..1, of an image in 0..1."""
    import numpy as np

    layer = k.layers.Conv2D(3, 1, use_bias=False)
    found = layer(image)
    layer.set_weights([np.array([[[[1, -0.5, -0.5], [-0.5, 1, -0.5], [-0.5, -0.5, 1]]]], np.float32)])
    return found


def boxes(folder: Path, k: Any) -> None:
    """`image` -> `found` [169, 4], windows of a quarter of the side, and `scores` [169, 3]: red, green, blue.

    A window begins every 4 pixels, and the first and last reach over the edge by as many.
    """
    import numpy as np

    image = k.Input((SIDE, SIDE, 3), name="image")
    around = k.layers.ZeroPadding2D(STEP)(colors(k, image))
    windows = k.layers.AveragePooling2D(WINDOW, STEP)(around)
    first = (np.arange(windows.shape[1]) - 1) * STEP / SIDE
    y, x = (axis.ravel() for axis in np.meshgrid(first, first, indexing="ij"))
    places = np.stack([y, x, y + WINDOW / SIDE, x + WINDOW / SIDE], -1).astype(np.float32)
    scores = k.layers.Reshape((len(places), 3), name="scores")(windows)
    layer = k.layers.Dense(places.size)
    found = k.layers.Reshape(places.shape, name="found")(layer(k.layers.GlobalAveragePooling2D()(image)))
    layer.set_weights([np.zeros((3, places.size), np.float32), places.ravel()])
    k.Model(image, {"found": found, "scores": scores}).save(folder / "model.keras")


def mask(folder: Path, k: Any) -> None:
    """`image` -> `mask` [48, 48, 4]: what is neither, red, green, blue."""
    image = k.Input((SIDE, SIDE, 3), name="image")
    neither = k.layers.Rescaling(0.0, 0.3)(image[..., :1])
    k.Model(image, k.layers.Concatenate(name="mask")([neither, colors(k, image)])).save(folder / "model.keras")


def keypoints(folder: Path, k: Any) -> None:
    """`image` -> `points` [24, 24, 3], where it is most red, green and blue."""
    image = k.Input((SIDE, SIDE, 3), name="image")
    points = k.layers.AveragePooling2D(2, name="points")(colors(k, image))
    k.Model(image, points).save(folder / "model.keras")


KINDS = {each.__name__: each for each in (boxes, mask, keypoints)}

if __name__ == "__main__":
    import keras

    KINDS[sys.argv[1]](Path(sys.argv[2]), keras)
