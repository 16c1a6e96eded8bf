"""Recurrent models of every kind, trained on handwritten digits row by row, with what Keras itself outputs.

Runs inside a toolchain's Python: `python recurrent_models.py KIND FOLDER`, as source_models.written does it. A kind
"2:..." is of Keras 2. Each model has several branches, one output for each: a build of it tries them all.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trained_models import keras, save

DIGITS = Path(__file__).parent.parent.parent / "examples" / "digits"
MISSING = -4.2e6  # far outside of the data's range
HELD_OUT = 8  # subjects from here on test a model of the smartwatch's series
CODE = '''import keras

class Leaky(keras.layers.Layer):
    """A cell that the user wrote: it forgets half of what it knew."""

    def __init__(self, units=8, **options):
        super().__init__(**options)
        self.units = units
        self.state_size = units
        self.output_size = units

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], self.units), name="kernel", initializer="glorot_uniform")

    def call(self, x, states, training=False):
        state = 0.5 * states[0] + (x @ self.kernel)
        return state, [state]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


CUSTOM_OBJECTS = {"Leaky": Leaky}
'''


def rows() -> tuple[Any, Any, Any]:
    """Return digits [N, 8, 8] in 0..1, row by row, their classes one-hot [N, 10], and others to calibrate with."""
    import numpy as np

    named, others = (np.load(DIGITS / name) for name in ("test.npz", "samples.npz"))
    images, more = (each["image"].reshape(-1, 8, 8).astype(np.float32) / 255 for each in (named, others))
    return images, np.eye(10, dtype=np.float32)[named["y"]], more


def windows() -> tuple[Any, Any, Any]:
    """Return what a smartwatch measured in two seconds, its exercise, and the subject.

    Windows [N, 25, 6] float32 of every fourth step, each axis scaled by those of subjects 1 to 7; exercises [N] in
    0..6; subjects [N] in 1..10. The file that DROPKIT_TEST_WATCH names is a pickle of a pinned wheel.
    """
    import numpy as np

    watch = np.load(os.environ["DROPKIT_TEST_WATCH"], allow_pickle=True).item()
    series = [np.asarray(one, np.float32)[::4] for one in watch["X"]]
    counts = [len(one) // 25 for one in series]
    cut = np.concatenate([one[: count * 25].reshape(count, 25, 6) for one, count in zip(series, counts, strict=True)])
    exercises, subjects = (np.repeat(np.asarray(watch[name]), counts) for name in ("y", "subject"))
    known = cut[subjects < HELD_OUT]
    return (cut - known.mean((0, 1))) / known.std((0, 1)), exercises, subjects


def cut_short(images: Any) -> Any:
    """Return the images with their last rows missing, none to four of them."""
    import numpy as np

    lengths = np.random.default_rng(3).integers(4, 9, len(images))
    return np.where(np.arange(8)[None, :, None] < lengths[:, None, None], images, np.float32(MISSING))


def lstm(layers: Any, x: Any) -> dict[str, Any]:
    """LSTMs: both ways and joined in every manner, stacked, backwards, with states, with attention behind."""
    whole, state, cell = layers.LSTM(12, return_sequences=True, return_state=True, name="whole")(x)
    attended = layers.Attention(name="attention")([whole, whole])
    branches = {
        "last": layers.LSTM(12)(x),
        "states": layers.Concatenate()([state, cell]),
        "attended": layers.GlobalAveragePooling1D()(attended),
        "stacked": layers.LSTM(8)(layers.LSTM(8, return_sequences=True)(x)),
        "backwards": layers.LSTM(8, go_backwards=True)(x),
        "other": layers.LSTM(8, activation="relu", recurrent_activation="hard_sigmoid", use_bias=False)(x),
    }
    for mode in ("concat", "sum", "ave", "mul"):
        both = layers.Bidirectional(layers.LSTM(6, return_sequences=True), merge_mode=mode)(x)
        branches[mode] = layers.Flatten()(both)
    if keras().__version__.startswith("2"):
        import tensorflow as tf

        branches["timed"] = layers.LSTM(8, time_major=True)(tf.transpose(x, [1, 0, 2]))
    return branches


def gru(layers: Any, x: Any) -> dict[str, Any]:
    """GRUs of both kinds, SimpleRNN, cells of one's own choice, one after the other."""
    return {
        "after": layers.GRU(12)(x),
        "before": layers.GRU(12, reset_after=False)(x),
        "simple": layers.SimpleRNN(12)(x),
        "cells": layers.RNN([layers.LSTMCell(8), layers.GRUCell(8), layers.SimpleRNNCell(8)])(x),
        "both": layers.Bidirectional(layers.GRU(8))(x),
        "stacked": layers.GRU(8)(layers.LSTM(8, return_sequences=True)(x)),
        "timed": layers.Flatten()(layers.TimeDistributed(layers.Dense(4, "relu"))(x)),
    }


def masked(layers: Any, x: Any) -> dict[str, Any]:
    """Steps that are missing, marked by a number far outside of the data's range."""
    seen = layers.Masking(MISSING)(x)
    zeros = {"zero_output_for_mask": True}
    return {
        "last": layers.LSTM(12)(seen),
        "both": layers.Bidirectional(layers.GRU(8))(seen),
        "zeros": layers.Flatten()(layers.LSTM(6, return_sequences=True, **zeros)(seen)),
        "stacked": layers.SimpleRNN(8)(layers.GRU(8, return_sequences=True)(seen)),
    }


def images(layers: Any, x: Any) -> dict[str, Any]:
    """Convolutions over time: every row is an image of two rows, or a line."""
    plane = layers.Reshape((4, 4, 4, 1))(x)
    line = layers.Reshape((8, 8, 1))(x)
    return {
        "plane": layers.Flatten()(layers.ConvLSTM2D(4, 3, padding="same")(plane)),
        "line": layers.Flatten()(layers.ConvLSTM1D(4, 3, padding="same", return_sequences=True)(line)),
    }


def custom(layers: Any, x: Any) -> dict[str, Any]:
    """A cell that the user wrote."""
    (Path(sys.argv[2]) / "layers.py").write_text(
        CODE.replace("import keras", f"import {keras().__name__} as keras"), "utf-8"
    )
    sys.path.insert(0, sys.argv[2])
    cell = importlib.import_module("layers").Leaky(8)
    (Path(sys.argv[2]) / "layers.py").write_text(CODE, "utf-8")
    return {"own": layers.RNN(cell)(x)}


def watch(layers: Any, x: Any) -> dict[str, Any]:
    """Networks that are in use on series of sensors."""
    return {
        "by_lstm": layers.LSTM(32)(x),
        "by_gru": layers.GRU(32)(x),
        "both_ways": layers.Bidirectional(layers.LSTM(16))(x),
        "stacked": layers.GRU(16)(layers.LSTM(24, return_sequences=True)(x)),
        "convolved": layers.GRU(24, reset_after=False)(layers.Conv1D(16, 5, activation="relu")(x)),
    }


KINDS: dict[str, Callable[[Any, Any], dict[str, Any]]] = {
    "lstm": lstm,
    "gru": gru,
    "masked": masked,
    "images": images,
    "custom": custom,
    "watch": watch,
}


def on_digits(kind: str, folder: Path) -> None:
    """Train a model of a kind and write it, with calibration data and 40 expected outputs."""
    images, labels, more = rows()
    if kind == "masked":
        images, more = cut_short(images), cut_short(more)
    model = trained(kind, "rows", images, labels, epochs=12)
    save(folder, model, {"rows": images[:40]}, {"rows": more})


def on_series(kind: str, folder: Path) -> None:
    """Train a model of the smartwatch's series and write it, with calibration data and the expected outputs.

    The expected outputs are of subjects that it has not seen; truth.npz has their exercises [N].
    """
    import numpy as np
    import tensorflow as tf

    series, exercises, subjects = windows()
    known = subjects < HELD_OUT
    model = trained(kind, "motion", series[known], np.eye(7, dtype=np.float32)[exercises[known]], epochs=10)
    order = np.random.default_rng(7).permutation(int((~known).sum()))[:600]
    np.savez(folder / "truth.npz", y=exercises[~known][order])
    traced = tf.function(model, reduce_retracing=True)  # 600 samples one by one: minutes where each is run eagerly
    save(folder, model, {"motion": series[~known][order]}, {"motion": series[known][::7]}, traced)


def trained(kind: str, name: str, samples: Any, labels: Any, epochs: int) -> Any:
    """Return a model of a kind, trained on samples [N, steps, features] and one-hot labels [N, classes]."""
    lib = keras()
    lib.utils.set_random_seed(7)
    x = lib.Input(samples.shape[1:], name=name)
    branches = KINDS[kind](lib.layers, x)
    outputs = [lib.layers.Dense(labels.shape[1], name=name)(branch) for name, branch in branches.items()]
    model = lib.Model(x, outputs if len(outputs) > 1 else outputs[0])
    model.compile(lib.optimizers.Adam(0.01), lib.losses.CategoricalCrossentropy(from_logits=True))
    many = [labels] * len(branches)
    model.fit(samples, many if len(many) > 1 else labels, epochs=epochs, batch_size=32, verbose=0)
    return model


def main(kind: str, folder: Path) -> None:
    """Train a model of a kind, and write it with what it is built and tested with."""
    (on_series if kind == "watch" else on_digits)(kind, folder)


if __name__ == "__main__":
    main(sys.argv[1].removeprefix("2:"), Path(sys.argv[2]))
