"""Small detectors, a segmenter, a pose and an embedding model, trained in seconds on drawings whose truth is known.

Runs inside a toolchain's Python: `python vision_models.py KIND FOLDER`, as source_models.written does it. Writes
model.keras, calibration.npz and shown.npz (`image`, uint8), and truth.npz with what is in each image that is shown.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

SIDE = 64  # pixels of an image
GRID = 8  # cells of a detector, a side
TRAINED, SHOWN = 800, 12  # images
CLASSES = 10
DIGITS = Path(__file__).parent.parent.parent / "examples" / "digits"


def collages(count: int, seed: int) -> tuple[Any, list[Any], Any]:
    """Return images [N, 64, 64, 1] uint8, and of each its digits, float64 [n, 5], and a mask, int64 [N, 64, 64].

    A digit is its class, left, top, right and bottom in pixels; in the mask it is its class + 1.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    with np.load(DIGITS / "test.npz") as archive:
        digits, classes = archive["image"][..., 0], archive["y"]
    images = rng.integers(0, 30, (count, SIDE, SIDE, 1)).astype(np.uint8)
    masks, found = np.zeros((count, SIDE, SIDE), np.int64), []
    for index in range(count):
        taken: list[Any] = []
        for place in rng.permutation(9)[: rng.integers(1, 5)]:
            which, scale = int(rng.integers(len(digits))), 2
            digit = digits[which].repeat(scale, 0).repeat(scale, 1)
            left, top = (int(part * 21 + rng.integers(0, 6)) for part in (place % 3, place // 3))
            rows, columns = np.nonzero(digit > 60)
            box = (left + columns.min(), top + rows.min(), left + columns.max() + 1, top + rows.max() + 1)
            area = images[index, top : top + 16, left : left + 16, 0]
            np.maximum(area, digit, out=area)
            masks[index, top : top + 16, left : left + 16][digit > 60] = classes[which] + 1
            taken.append((classes[which], *box))
        found.append(np.array(taken, np.float64))
    return images, found, masks


def save(folder: Path, model: Any, images: Any, truth: dict[str, Any]) -> None:
    """Write a model with images, uint8 [N, H, W, 1], and what is in them, arrays of any shape and dtype."""
    import numpy as np

    np.savez(folder / "shown.npz", image=images[:SHOWN])
    np.savez(folder / "truth.npz", **truth)
    np.savez(folder / "calibration.npz", image=images[:100])
    model.save(folder / "model.keras")


def boxes_truth(found: list[Any]) -> dict[str, Any]:
    """Return the digits of the images that are shown, float64 [n, 5] each, by their number."""
    return {str(index): rows for index, rows in enumerate(found[:SHOWN])}


def backbone(k: Any, image: Any) -> Any:
    """Return features [8, 8, 64] of an image [64, 64, 1] in 0..1."""
    x = image
    for filters, step in ((16, 2), (32, 2), (64, 2), (64, 1)):
        x = k.layers.Conv2D(filters, 3, strides=step, padding="same", use_bias=False)(x)
        x = k.layers.ReLU()(k.layers.BatchNormalization(momentum=0.9)(x))
    return x


def cells(found: list[Any]) -> tuple[Any, Any]:
    """Return the class of each cell, int64 [N, 64], 10 where it has none, and its box, float32 [N, 64, 4], cxcywh."""
    import numpy as np

    classes, boxes = np.full((len(found), GRID * GRID), CLASSES), np.zeros((len(found), GRID * GRID, 4), np.float32)
    for index, rows in enumerate(found):
        for number, left, top, right, bottom in rows:
            x, y = (left + right) / 2 / SIDE, (top + bottom) / 2 / SIDE
            cell = int(y * GRID) * GRID + int(x * GRID)
            classes[index, cell] = int(number)
            boxes[index, cell] = (x, y, (right - left) / SIDE, (bottom - top) / SIDE)
    return classes, boxes


def anchors() -> Any:
    """Return the middle of each cell and a size of a quarter, float32 [64, 4]: y, x, height, width."""
    import numpy as np

    middle = (np.arange(GRID) + 0.5) / GRID
    y, x = np.meshgrid(middle, middle, indexing="ij")
    return np.stack([y.ravel(), x.ravel(), np.full(64, 0.25), np.full(64, 0.25)], -1).astype(np.float32)


def trained(k: Any, model: Any, images: Any, targets: Any, losses: Any, epochs: int = 30) -> Any:
    """Train a model on images, uint8 [N, 64, 64, 1], for targets, float32 by output name."""
    model.compile(k.optimizers.Adam(3e-3), losses)
    model.fit(images / 255.0, targets, batch_size=32, epochs=epochs, verbose=0)
    return model


def yolo(folder: Path, k: Any, *, objectness: bool = False, rows: bool = False) -> None:
    """`image` -> `found` [14, 64], as YOLOv8 has it; [64, 15] with objectness, as YOLOv5. Coordinates are pixels."""
    import numpy as np

    images, found, _ = collages(TRAINED, 1)
    own = 5 if objectness else 4
    image = k.Input((SIDE, SIDE, 1), name="image")
    x = k.layers.Conv2D(own + CLASSES, 1)(backbone(k, image))
    raw = k.layers.Activation("sigmoid")(k.layers.Reshape((GRID * GRID, own + CLASSES))(x))
    corner = k.ops.reshape(k.ops.stack(k.ops.meshgrid(k.ops.arange(8.0), k.ops.arange(8.0)), -1), (1, 64, 2))
    places = (raw[..., :2] * 2 - 0.5 + corner) / GRID
    unit = k.layers.Concatenate(name="rows")([places, raw[..., 2:4] * 0.5, raw[..., 4:]])
    classes, boxes = cells(found)
    wanted = np.zeros((TRAINED, 64, own + CLASSES), np.float32)
    wanted[..., :4] = boxes
    wanted[..., -CLASSES:] = np.eye(CLASSES + 1)[classes][..., :CLASSES]
    if objectness:
        wanted[..., 4] = classes < CLASSES

    def loss(truth: Any, guess: Any) -> Any:
        """Return a scalar float32 of float32 [N, 64, own + 10] each."""
        there = k.ops.max(truth[..., own:], -1)
        place = k.ops.sum(k.ops.abs(truth[..., :4] - guess[..., :4]), -1) * there
        sure = k.ops.clip(guess[..., 4:], 1e-5, 1 - 1e-5)
        score = truth[..., 4:] * k.ops.log(sure) * 4 + (1 - truth[..., 4:]) * k.ops.log(1 - sure)
        return 10 * k.ops.sum(place) / 32 - k.ops.sum(score) / 32

    inner = trained(k, k.Model(image, unit), images, wanted, loss)
    pixels = k.layers.Rescaling([SIDE] * 4 + [1.0] * (own + CLASSES - 4), name="scaled")(inner.output)
    last = pixels if rows else k.layers.Permute((2, 1), name="found")(pixels)
    if rows:
        last = k.layers.Activation("linear", name="found")(pixels)
    shown, truth, _ = collages(100, 2)
    save(folder, k.Model(image, last), shown, boxes_truth(truth))


def yolo_objectness(folder: Path, k: Any) -> None:
    """Write the one with objectness, one row for each box."""
    yolo(folder, k, objectness=True, rows=True)


def _single_shot(k: Any, name: str) -> Any:
    """Return a trained model `image` -> `offsets` [64, 4] from anchors(), and logits [64, 11] of that name."""
    import numpy as np

    images, found, _ = collages(TRAINED, 1)
    image = k.Input((SIDE, SIDE, 1), name="image")
    x = backbone(k, image)
    offsets = k.layers.Reshape((64, 4), name="offsets")(k.layers.Conv2D(4, 1)(x))
    scores = k.layers.Reshape((64, CLASSES + 1), name=name)(k.layers.Conv2D(CLASSES + 1, 1)(x))
    classes, boxes = cells(found)
    place, there = anchors(), (classes < CLASSES)[..., None]
    center = (boxes[..., 1::-1] - place[:, :2]) / place[:, 2:] / 0.1
    size = np.log(np.maximum(boxes[..., :1:-1], 1e-3) / place[:, 2:]) / 0.2
    wanted = np.concatenate([center, size, np.ones_like(center[..., :1])], -1) * there
    numbers = np.where(classes == CLASSES, 0, classes + 1)  # the background first

    def offset_loss(truth: Any, guess: Any) -> Any:
        """Return a scalar float32; truth: float32 [N, 64, 5], the last 1 where a cell has a box; guess: [N, 64, 4]."""
        return k.ops.sum(k.ops.abs(truth[..., :4] - guess) * truth[..., 4:]) / 32

    def score_loss(truth: Any, guess: Any) -> Any:
        """Return a scalar float32; truth: float32 [N, 64]; guess: float32 [N, 64, 11]."""
        weight = k.ops.where(truth > 0, 4.0, 1.0)
        return k.ops.sum(k.losses.sparse_categorical_crossentropy(truth, guess, from_logits=True) * weight) / 8

    losses = {"offsets": offset_loss, name: score_loss}
    targets = {"offsets": wanted.astype(np.float32), name: numbers.astype(np.float32)}
    return trained(k, k.Model(image, {"offsets": offsets, name: scores}), images, targets, losses)


def anchored(folder: Path, k: Any) -> None:
    """`image` -> `offsets` [64, 4] and `scores` [64, 11], logits with the background first; anchors.npy."""
    import numpy as np

    shown, truth, _ = collages(100, 2)
    np.save(folder / "anchors.npy", anchors())
    save(folder, _single_shot(k, "scores"), shown, boxes_truth(truth))


def ssd(folder: Path, k: Any) -> None:
    """`image` -> `boxes` [20, 4], `classes` [20], `scores` [20], `count` [1], best first, as with NMS inside."""
    import numpy as np

    model, place = _single_shot(k, "logits"), anchors()
    offsets, logits = model.output["offsets"], model.output["logits"]
    center = offsets[..., :2] * (0.1 * place[:, 2:]) + place[:, :2]
    half = k.ops.exp(offsets[..., 2:] * 0.2) * (place[:, 2:] / 2)
    every = k.ops.concatenate([center - half, center + half], -1)
    sure = k.ops.softmax(logits)[..., 1:]
    best = k.ops.max(sure, -1)
    # Keras' own argmax looks at bits, for which TFLite has no operator.
    kinds = k.ops.sum(k.ops.cast(k.ops.equal(sure, best[..., None]), "float32") * k.ops.arange(10.0), -1)
    scores, order = k.ops.top_k(best, 20)
    chosen = k.ops.cast(k.ops.equal(order[..., None], k.ops.arange(64)), "float32")
    boxes = k.layers.Activation("linear", name="boxes")(k.ops.matmul(chosen, every))
    classes = k.layers.Activation("linear", name="classes")(k.ops.sum(chosen * kinds[:, None, :], -1))
    count = k.layers.Activation("linear", name="count")(k.ops.sum(k.ops.ones_like(scores), -1, keepdims=True))
    scores = k.layers.Activation("linear", name="scores")(scores)
    outputs = {"boxes": boxes, "classes": classes, "scores": scores, "count": count}
    shown, truth, _ = collages(100, 2)
    np.save(folder / "anchors.npy", place)
    save(folder, k.Model(model.input, outputs), shown, boxes_truth(truth))


def mask(folder: Path, k: Any) -> None:
    """`image` -> `ink` [64, 64, 3]: background, digits below five, the others."""
    import numpy as np

    images, _, masks = collages(TRAINED, 1)
    image = k.Input((SIDE, SIDE, 1), name="image")
    top = k.layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    x = backbone(k, image)
    x = k.layers.UpSampling2D(8, interpolation="bilinear")(k.layers.Conv2D(8, 1)(x))
    ink = k.layers.Conv2D(3, 3, padding="same", name="ink")(k.layers.Concatenate()([x, top]))
    three = np.where(masks == 0, 0, np.where(masks <= 5, 1, 2))
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = trained(k, k.Model(image, ink), images, three, loss, epochs=12)
    shown, _, truth = collages(100, 2)
    save(folder, model, shown, {"mask": np.where(truth == 0, 0, np.where(truth <= 5, 1, 2))[:SHOWN]})


def figures(count: int, seed: int) -> tuple[Any, Any]:
    """Return images [N, 64, 64, 1] uint8 of a bent line with three joints, and the joints, float64 [N, 3, 2], x, y."""
    import numpy as np

    rng = np.random.default_rng(seed)
    joints = np.zeros((count, 3, 2))
    joints[:, 1] = rng.uniform(24, 40, (count, 2))
    for end, side in ((0, -1), (2, 1)):
        angle, length = rng.uniform(-1.2, 1.2, count), rng.uniform(14, 20, count)
        joints[:, end, 0] = joints[:, 1, 0] + side * length * np.cos(angle)
        joints[:, end, 1] = joints[:, 1, 1] + length * np.sin(angle)
    y, x = np.mgrid[0:SIDE, 0:SIDE] + 0.5
    images = rng.integers(0, 30, (count, SIDE, SIDE, 1)).astype(np.uint8)
    for index in range(count):
        for one, other, light in ((0, 1, 255), (1, 2, 140)):
            for part in np.linspace(0, 1, 60):
                at = joints[index, one] * (1 - part) + joints[index, other] * part
                images[index][(x - at[0]) ** 2 + (y - at[1]) ** 2 < 3] = light
    return images, joints


def _pose(folder: Path, k: Any, *, heatmap: bool) -> None:
    import numpy as np

    images, joints = figures(TRAINED, 1)
    image = k.Input((SIDE, SIDE, 1), name="image")
    x = image
    for filters, step in ((12, 2), (24, 2), (24, 1), (24, 1)):
        x = k.layers.Conv2D(filters, 5, strides=step, padding="same", activation="relu")(x)
    if heatmap:
        y, across = np.mgrid[0:16, 0:16] + 0.5
        off = (across - joints[:, None, None, :, 0].transpose(0, 3, 1, 2) / 4) ** 2
        off = off + (y - joints[:, None, None, :, 1].transpose(0, 3, 1, 2) / 4) ** 2
        targets = np.exp(-off / 2).transpose(0, 2, 3, 1)
        points, loss = k.layers.Conv2D(3, 1, name="joints")(x), "mean_squared_error"
    else:
        x = k.layers.Dense(64, activation="relu")(k.layers.Flatten()(k.layers.MaxPooling2D(2)(x)))
        points, loss = k.layers.Reshape((3, 2), name="joints")(k.layers.Dense(6)(x)), "mean_absolute_error"
        targets = joints / SIDE
    model = trained(k, k.Model(image, points), images, targets.astype(np.float32), loss, epochs=6)
    shown, truth = figures(100, 2)
    save(folder, model, shown, {"joints": truth[:SHOWN]})


def heatmap(folder: Path, k: Any) -> None:
    """`image` -> `joints` [16, 16, 3], a heatmap."""
    _pose(folder, k, heatmap=True)


def coordinates(folder: Path, k: Any) -> None:
    """`image` -> `joints` [3, 2], x and y in 0..1."""
    _pose(folder, k, heatmap=False)


def embedding(folder: Path, k: Any) -> None:
    """`image` -> `vector` [16], from a classifier of the images' single digit; truth.npz has the digits."""
    import numpy as np

    with np.load(DIGITS / "test.npz") as archive:
        digits, classes = archive["image"].repeat(8, 1).repeat(8, 2), archive["y"]
    image = k.Input((SIDE, SIDE, 1), name="image")
    vector = k.layers.Dense(16, name="vector")(k.layers.GlobalAveragePooling2D()(backbone(k, image)))
    model = k.Model(image, k.layers.Dense(CLASSES)(vector))
    trained(k, model, digits, classes, k.losses.SparseCategoricalCrossentropy(from_logits=True), epochs=15)
    save(folder, k.Model(image, vector), digits[-100:], {"digits": classes[-100:][:SHOWN]})


def towers(folder: Path, k: Any) -> None:
    """`left` [48, 48, 3], `right` [32, 32, 1] and `light` [2] -> `same`, whether both show one half lighter, [2].

    `light` is by how much the two images were made darker. Writes calibration.npz, with 60 of each, and no truth.npz.
    """
    import numpy as np

    rng = np.random.default_rng(1)
    sides, light = rng.integers(0, 2, (600, 2)), rng.uniform(0.5, 1, (600, 2)).astype(np.float32)
    images = []
    for tower, (height, channels) in enumerate(((48, 3), (32, 1))):
        made = rng.integers(0, 120, (600, height, height, channels)).astype(np.float32)
        for index, side in enumerate(sides[:, tower]):
            made[index, :, (height // 2 if side else 0) :][:, : height // 2] += 120
        images.append((made * light[:, tower, None, None, None]).astype(np.uint8))
    inputs = [k.Input((48, 48, 3), name="left"), k.Input((32, 32, 1), name="right"), k.Input((2,), name="light")]
    seen = []
    for image in inputs[:2]:
        x = k.layers.Conv2D(8, 5, strides=4, padding="same", activation="relu")(image)
        seen.append(k.layers.Dense(8, activation="relu")(k.layers.Flatten()(x)))
    x = k.layers.Dense(16, activation="relu")(k.layers.Concatenate()([*seen, inputs[2]]))
    model = k.Model(inputs, k.layers.Dense(2, activation="softmax", name="same")(x))
    model.compile(k.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    fed = {"left": images[0] / 255.0, "right": images[1] / 255.0, "light": light}
    model.fit(fed, (sides[:, 0] == sides[:, 1]).astype(int), batch_size=32, epochs=8, verbose=0)
    np.savez(folder / "calibration.npz", left=images[0][:60], right=images[1][:60], light=light[:60])
    model.save(folder / "model.keras")


KINDS = {
    each.__name__: each
    for each in (yolo, yolo_objectness, anchored, ssd, mask, heatmap, coordinates, embedding, towers)
}

if __name__ == "__main__":
    import keras

    keras.utils.set_random_seed(7)
    KINDS[sys.argv[1]](Path(sys.argv[2]), keras)
