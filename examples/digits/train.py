# /// script
# requires-python = "==3.11.*"
# dependencies = [
#     "keras==3.15.1",
#     "numpy==2.1.3",
#     "scikit-learn==1.9.1",
#     "tensorflow-cpu==2.19.1",
#     "tf-keras==2.19.0",
# ]
#
# [tool.uv]
# exclude-newer = "2026-11-20T00:00:00Z"
# override-dependencies = ["tensorflow ; sys_platform == 'never'"]  # tf-keras asks for it; tensorflow-cpu is it
# ///
"""Train the example's model: `uv run examples/digits/train.py`. Knows the digits and Keras, not the kit.

What it writes (digits.keras, digits_keras2.h5, samples.npz, test.npz, labels.txt, seven.png) is committed beside
it, so nobody needs to run it. On one machine it writes the same bytes every time; another kind of CPU may round the
training differently, and then the weights differ.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read at import; real errors still raise

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

HERE = Path(__file__).resolve().parent
SEED = 7
HELD_OUT = 360
SAMPLES = 200
EPOCHS = 40
EPOCH_1980 = (1980, 1, 1, 0, 0, 0)


class Split(NamedTuple):
    """The digits in two parts: images uint8 [N, 8, 8, 1] in 0..255 (white ink on black), labels int64 [N]."""

    train_image: np.ndarray
    train_y: np.ndarray
    test_image: np.ndarray
    test_y: np.ndarray


def to_pixels(ink: np.ndarray) -> np.ndarray:
    """Turn scikit-learn's ink counts, float 0..16, into uint8 pixels 0..255 of the same shape.

    pixel = ink * 255 / 16, rounded to the nearest, halves up, in whole numbers so that no float rounds it:
    0 -> 0, 8 (127.5) -> 128, 16 -> 255.
    """
    return ((ink.astype(np.int64) * 255 + 8) // 16).astype(np.uint8)


def load_split() -> Split:
    """Return the 1,797 digits: 360 held out with every digit in proportion, the rest for training."""
    digits = load_digits()
    image, y = to_pixels(digits.images)[..., np.newaxis], digits.target.astype(np.int64)
    train_image, test_image, train_y, test_y = train_test_split(
        image, y, test_size=HELD_OUT, stratify=y, random_state=SEED
    )
    return Split(train_image, train_y, test_image, test_y)


def scale(image: np.ndarray) -> np.ndarray:
    """Turn uint8 pixels into what the model reads, float32 in 0..1: the recipe's mean 0 and std 255."""
    return image.astype(np.float32) / np.float32(255)


def build_model(keras: Any = keras) -> keras.Model:
    """Return the untrained CNN: `image` float32 [N, 8, 8, 1] in 0..1 -> `digit`, probabilities [N, 10].

    keras is the Keras to build it with, 3 or 2.
    """
    image = keras.Input((8, 8, 1), name="image")
    x = image
    for number, filters in enumerate((16, 32, 64), start=1):
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"conv{number}")(x)
        x = keras.layers.BatchNormalization(name=f"norm{number}")(x)
        x = keras.layers.ReLU(name=f"relu{number}")(x)
        if number > 1:
            x = keras.layers.MaxPooling2D(2, name=f"pool{number}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dropout(0.4, name="dropout")(x)
    digit = keras.layers.Dense(10, activation="softmax", name="digit")(x)
    return keras.Model(image, digit, name="digits")


def train(split: Split) -> keras.Model:
    """Return a trained model that was never compiled, so that its file carries no optimizer."""
    model = build_model()
    steps = EPOCHS * -(-len(split.train_y) // 64)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        "sparse_categorical_crossentropy",
    )
    model.fit(scale(split.train_image), split.train_y, batch_size=64, epochs=EPOCHS, verbose=0)
    trained = build_model()
    trained.set_weights(model.get_weights())
    return trained


def write_keras(path: Path, model: keras.Model) -> None:
    """Write a .keras file (a zip of config, metadata and weights) that is the same bytes every time."""
    with tempfile.TemporaryDirectory() as folder:
        dated = Path(folder) / path.name
        model.save(dated)
        with zipfile.ZipFile(dated) as source, zipfile.ZipFile(path, "w") as target:
            for name in sorted(source.namelist()):
                target.writestr(zipfile.ZipInfo(name, EPOCH_1980), without_chance(name, source.read(name)))


def write_keras2(path: Path, model: keras.Model) -> None:
    """Write the same network, with the same weights, as Keras 2 did: a .h5 that every TensorFlow since 2.12 loads."""
    old = build_model(tf_keras)
    for layer in model.layers:
        old.get_layer(layer.name).set_weights(layer.get_weights())
    old.save(path, save_format="h5")


def without_chance(name: str, data: bytes) -> bytes:
    """Return a part of a .keras file without the time of day and the memory addresses in it."""
    if name == "metadata.json":
        return json.dumps({**json.loads(data), "date_saved": "1980-01-01@00:00:00"}).encode()
    if name == "config.json":
        # Only the equality of ids matters: an address becomes 1, 2, ... in order of appearance.
        ids: dict[bytes, int] = {}
        return re.sub(
            rb'(?<="shared_object_id": )\d+',
            lambda found: b"%d" % ids.setdefault(found[0], len(ids) + 1),
            data,
        )
    return data


def write_data(split: Split) -> None:
    """Write the calibration samples (from the training part), the held-out part, and the labels."""
    np.savez(HERE / "samples.npz", image=split.train_image[:SAMPLES])  # numpy dates its zip entries 1980
    np.savez(HERE / "test.npz", image=split.test_image, y=split.test_y)
    (HERE / "labels.txt").write_text("".join(f"{digit}\n" for digit in range(10)), "utf-8")


def write_image(split: Split, probability: np.ndarray) -> None:
    """Write the held-out seven that the model is surest of, each pixel enlarged to 8x8, as a PNG."""
    best = int(np.argmax(np.where(split.test_y == 7, probability[:, 7], -1)))
    large = split.test_image[best].repeat(8, axis=0).repeat(8, axis=1)
    (HERE / "seven.png").write_bytes(tf.io.encode_png(large).numpy())


def main() -> None:
    """Train, write every file beside this script, and print the accuracy on the held-out part."""
    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    # One thread: else the number of cores decides the order of sums.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    split = load_split()
    model = train(split)
    probability = model.predict(scale(split.test_image), verbose=0)
    right = int((probability.argmax(axis=1) == split.test_y).sum())
    write_keras(HERE / "digits.keras", model)
    write_keras2(HERE / "digits_keras2.h5", model)
    write_data(split)
    write_image(split, probability)
    print(f"held-out accuracy {right / len(split.test_y):.4f} ({right} of {len(split.test_y)})")


if __name__ == "__main__":
    main()
