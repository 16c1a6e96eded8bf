"""Write the models and samples of the reproducibility table. Runs in a toolchain: python seeded.py FOLDER.

Every weight, batch normalization's statistics too, is drawn by numpy's uniform: exact arithmetic, so that the models
themselves are the same on every machine.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np


def mobilenet() -> Any:
    """Return MobileNetV2 for 96x96 colour images and 100 classes."""
    return keras.applications.MobileNetV2((96, 96, 3), weights=None, classes=100)


def attention() -> Any:
    """Return two transformer blocks over 32 steps of 48 values, then dense layers; sums of up to 1536 values."""
    x = inputs = keras.Input((32, 48), name="sequence")
    for _ in range(2):
        seen = keras.layers.MultiHeadAttention(4, 24)(x, x)
        x = keras.layers.LayerNormalization()(keras.layers.Add()([x, seen]))
        wide = keras.layers.Dense(512, activation="gelu")(x)
        narrow = keras.layers.Dense(48, activation="tanh")(wide)
        x = keras.layers.LayerNormalization()(keras.layers.Add()([x, narrow]))
    x = keras.layers.Dense(128, activation="sigmoid")(keras.layers.Flatten()(x))
    return keras.Model(inputs, keras.layers.Dense(10, activation="softmax", name="label")(x))


def seed(model: Any) -> Any:
    """Draw every weight anew, in the order of the model."""
    rng = np.random.default_rng(7)
    for layer in model.layers:
        layer.set_weights([_draw(rng, name, shape) for name, shape in _weights(layer)])
    return model


def _weights(layer: Any) -> list[tuple[str, tuple[int, ...]]]:
    return [(w.name.rpartition("/")[2].partition(":")[0], tuple(w.shape)) for w in layer.weights]


def _draw(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    if name in {"gamma", "moving_variance"}:
        return rng.uniform(0.5, 1.5, shape)
    if len(shape) < 2 or "bias" in name:
        return rng.uniform(-0.3, 0.3, shape)
    fan_in = math.prod(shape[:2] if shape[-1] == 1 else shape[:-1])
    return rng.uniform(-1, 1, shape) * math.sqrt(3 / fan_in)


if __name__ == "__main__":
    for build, samples in ((mobilenet, 4), (attention, 16)):
        made = seed(build())
        target = Path(sys.argv[1]) / build.__name__
        target.mkdir(parents=True)
        made.save(target / "model.keras")
        name, shape = made.layers[0].name, made.inputs[0].shape[1:]
        values = np.random.default_rng(7).uniform(-1, 1, (samples, *shape)).astype(np.float32)
        np.savez(target / "samples.npz", **{name: values})  # type: ignore[arg-type]
