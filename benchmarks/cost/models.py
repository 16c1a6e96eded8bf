"""Write the models and samples that the cost is measured on. Runs in a toolchain: python models.py FOLDER NAME ....

Weights are drawn by numpy (benchmarks/seeded.py). Labels are the float model's own classes, so that a check of accuracy
has something to hold.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
from seeded import seed  # type: ignore[import-not-found]

SIZE = 224


def mobilenet() -> Any:
    """Return MobileNetV2: 14 MB of weights."""
    return keras.applications.MobileNetV2((SIZE, SIZE, 3), weights=None, classes=100)


def densenet() -> Any:
    """Return DenseNet201: 81 MB of weights in 700 tensors."""
    return keras.applications.DenseNet201(weights=None)


def resnet() -> Any:
    """Return ResNet50: 103 MB of weights."""
    return keras.applications.ResNet50(weights=None)


def encoder(blocks: int = 10) -> Any:
    """Return a transformer of width 768 over 32 steps: 28 MB of weights a block."""
    x = inputs = keras.Input((32, 768), name="sequence")
    for _ in range(blocks):
        seen = keras.layers.MultiHeadAttention(12, 64)(x, x)
        x = keras.layers.LayerNormalization()(keras.layers.Add()([x, seen]))
        wide = keras.layers.Dense(3072, activation="relu")(x)
        x = keras.layers.LayerNormalization()(keras.layers.Add()([x, keras.layers.Dense(768)(wide)]))
    x = keras.layers.Dense(10, activation="softmax", name="label")(keras.layers.GlobalAveragePooling1D()(x))
    return keras.Model(inputs, x)


def encoder_1gb() -> Any:
    """Return 1.02 GB of weights."""
    return encoder(36)


def yolo() -> Any:
    """Return a detector of 640x640 with the head of YOLOv8: MobileNetV2's features at three sizes, 8,400 boxes."""
    base = keras.applications.MobileNetV2((640, 640, 3), include_top=False, weights=None)
    names = ("block_6_expand_relu", "block_13_expand_relu", "out_relu")  # strides 8, 16, 32
    levels = [keras.layers.Conv2D(84, 1)(base.get_layer(name).output) for name in names]
    rows = keras.layers.Concatenate(axis=1)([keras.layers.Reshape((-1, 84))(level) for level in levels])
    found = keras.layers.Permute((2, 1))(keras.layers.Activation("sigmoid")(rows))
    inner = keras.Model(base.input, found)
    image = keras.Input((640, 640, 3), name="image")
    return keras.Model(image, keras.layers.Activation("linear", name="found")(inner(image)))


def small() -> Any:
    """Return a convolutional net of 32x32 pixels, whose call takes half a millisecond."""
    image = x = keras.Input((32, 32, 3), name="image")
    for filters in (32, 32, 64):
        x = keras.layers.MaxPooling2D()(keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x))
    x = keras.layers.Dense(10, activation="softmax", name="label")(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, x)


MODELS: dict[str, Callable[[], Any]] = {
    "mobilenet": mobilenet, "densenet": densenet, "resnet": resnet, "encoder": encoder, "encoder_1gb": encoder_1gb,
    "yolo": yolo, "small": small,
}  # fmt: skip
SAMPLES = {"mobilenet": (100, 200, 1000, 10_000), "resnet": (20,)}  # files of so many images, of each model


def main(folder: Path, *names: str) -> None:
    """Write FOLDER/<name>/model.keras, and its samples as <count>.npz."""
    for name in names:
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        model = seed(MODELS[name]())
        model.save(target / "model.keras")
        for count in SAMPLES.get(name, ()):
            write_images(target / f"{count}.npz", model.layers[0].name, count)


def write_images(path: Path, name: str, count: int) -> None:
    """Write `count` images, uint8 [count, 224, 224, 3]: a gradient of a colour each, with noise."""
    rng = np.random.default_rng(count)
    ramp = np.linspace(0, 1, SIZE, dtype=np.float32)[:, None, None]
    with (path.parent / f"{path.stem}.raw").open("wb") as raw:
        for _ in range(count):
            ends = rng.uniform(0, 255, (2, 3)).astype(np.float32)
            image = ends[0] * ramp + ends[1] * (1 - ramp) + rng.uniform(-40, 40, (SIZE, SIZE, 3)).astype(np.float32)
            raw.write(np.clip(image, 0, 255).astype(np.uint8).tobytes())
    images = np.memmap(raw.name, np.uint8, "r", shape=(count, SIZE, SIZE, 3))
    np.savez(path, **{name: images})  # type: ignore[arg-type]
    Path(raw.name).unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
