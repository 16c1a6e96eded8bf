"""Source models that a scheme ruins, or a recipe does. Runs inside a toolchain: `python ruined_models.py FOLDER`.

Writes <kind>.keras and <kind>.npz, its data by input name, for each kind.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops

RNG = np.random.default_rng(9)


def weights(count: int, small: int, factor: float) -> Any:
    """Return a kernel [count, 3] whose rows from `small` on are smaller by a factor."""
    kernel = RNG.normal(size=(count, 3)).astype(np.float32)
    kernel[small:] *= factor
    return kernel


def columns(widening: float, factor: float) -> tuple[Any, dict[str, Any]]:
    """Return a model of which half the numbers are far larger than the others, and their weights far smaller."""
    numbers = layers.Input((8,), name="numbers")
    wide = layers.Concatenate()([numbers, layers.Rescaling(widening)(numbers)])
    score = layers.Dense(3, use_bias=False, name="score")
    model = keras.Model(numbers, score(wide))
    score.set_weights([weights(16, 8, factor)])
    return model, {"numbers": RNG.uniform(-1, 1, (40, 8)).astype(np.float32)}


def outlier() -> tuple[Any, dict[str, Any]]:
    """Eight bits for all columns leave nothing of those that count."""
    return columns(1e4, 1e-6)


def half() -> tuple[Any, dict[str, Any]]:
    """Weights that float16 rounds to 0 among others that it holds, and inputs that make them count."""
    return columns(1e12, 1e-11)


def rescaled() -> tuple[Any, dict[str, Any]]:
    """Pixels are rescaled inside a model inside."""
    inner = keras.Sequential([layers.Input((8, 8, 3)), layers.Rescaling(1 / 127.5, -1, name="rescale")])
    image = layers.Input((8, 8, 3), name="image")
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, name="conv")(inner(image)))
    model = keras.Model(image, layers.Dense(3, name="kind")(x))
    return model, {"image": RNG.integers(0, 256, (20, 8, 8, 3)).astype(np.uint8)}


def doubled() -> tuple[Any, dict[str, Any]]:
    """A Rescaling that takes 0..1, not pixels."""
    image = layers.Input((8, 8, 3), name="image")
    x = layers.Conv2D(4, 3, name="conv")(layers.Rescaling(2.0, -1.0, name="rescale")(image))
    model = keras.Model(image, layers.Dense(3, name="kind")(layers.GlobalAveragePooling2D()(x)))
    return model, {"image": RNG.integers(0, 256, (20, 8, 8, 3)).astype(np.uint8)}


def constants() -> tuple[Any, dict[str, Any]]:
    """Numbers that float16 has not: 1e-10 under a logarithm, and a mean of 101325, which is folded into a kernel."""
    power, pascal = layers.Input((8,), name="power"), layers.Input((8,), name="pascal")
    level = layers.Dense(3, name="level")(ops.log(power + 1e-10))
    normal = layers.Normalization(mean=101325.0, variance=50.0**2, axis=None)(pascal)
    model = keras.Model([power, pascal], {"level": level, "weather": layers.Dense(3, name="weather")(normal)})
    silent = RNG.uniform(0, 1, (16, 8)) * (RNG.random((16, 8)) < 0.7)
    return model, {"power": silent.astype(np.float32), "pascal": RNG.normal(101325, 50, (16, 8)).astype(np.float32)}


def dead() -> tuple[Any, dict[str, Any]]:
    """An output that is 0 for all data."""
    x = layers.Input((8,), name="x")
    h = layers.Dense(8, activation="relu")(x)
    low = keras.initializers.Constant(-1000.0)
    outputs = [layers.Dense(2, name="good")(h), layers.Dense(3, "relu", bias_initializer=low, name="dead")(h)]
    return keras.Model(x, outputs), {"x": RNG.normal(size=(40, 8)).astype(np.float32)}


if __name__ == "__main__":
    for make in (outlier, half, rescaled, doubled, constants, dead):
        keras.utils.set_random_seed(7)
        made, data = make()
        made.save(Path(sys.argv[1]) / f"{make.__name__}.keras")
        np.savez(Path(sys.argv[1]) / f"{make.__name__}.npz", **data)
