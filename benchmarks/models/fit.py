"""Give a model weights that mean something: batch-norm statistics of data, some epochs of training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.models.architecture import SEED, TEST, Keras


def settle(keras: Keras, model: Any, inputs: np.ndarray) -> None:
    """Set the statistics of every batch normalization to those of the data, in one pass."""
    norms = [layer for layer in layers_of(model) if isinstance(layer, keras.layers.BatchNormalization)]
    before = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0  # a step takes the batch's own statistics
    model(inputs, training=True)
    for layer, momentum in zip(norms, before, strict=True):
        layer.momentum = momentum


def layers_of(model: Any) -> list[Any]:
    """Return a model's layers, and those of the models inside it."""
    return [inner for layer in model.layers for inner in (layers_of(layer) if hasattr(layer, "layers") else [layer])]


def train(model: Any, inputs: Any, targets: Any, loss: Any, *, epochs: int = 10, rate: float = 3e-3) -> None:
    """Take some epochs of Adam on all samples but the test data."""
    cut = _but_test
    model.compile(optimizer="adam", loss=loss)
    # Keras 2 takes a number here, Keras 3 a number or a variable.
    if hasattr(model.optimizer.learning_rate, "assign"):
        model.optimizer.learning_rate.assign(rate)
    else:
        model.optimizer.learning_rate = rate
    model.fit(cut(inputs), cut(targets), epochs=epochs, batch_size=32, shuffle=False, verbose=0)


def _but_test(values: Any) -> Any:
    if isinstance(values, dict):
        return {name: value[:-TEST] for name, value in values.items()}
    if isinstance(values, Sequence) and not isinstance(values, np.ndarray):
        return [value[:-TEST] for value in values]
    return values[:-TEST]


def start(keras: Keras) -> None:
    """Set every seed that the weights are drawn with."""
    keras.utils.set_random_seed(SEED)
