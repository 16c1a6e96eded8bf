"""Models over rows of a table: preprocessing layers inside, recommenders with ids, one-hot regression."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.models.architecture import SEED, TEST, Arrays, Example, Keras, Remedy, architecture
from benchmarks.models.data import COUNT
from benchmarks.models.fit import train

ROWS = COUNT + TEST


def _table() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return columns age, income [N, 1] float32, kind [N, 1] int32 0..5, and a price [N, 1] that they make."""
    rng = np.random.default_rng(SEED)
    age = rng.uniform(18, 80, (ROWS, 1)).astype(np.float32)
    income = rng.lognormal(3, 0.5, (ROWS, 1)).astype(np.float32)
    kind = rng.integers(0, 6, (ROWS, 1)).astype(np.int32)
    price = 0.03 * (age - 40) + 0.02 * income + np.sin(kind) + 0.02 * rng.normal(0, 1, (ROWS, 1))
    return {"age": age, "income": income, "kind": kind}, price.astype(np.float32)


def _price(keras: Keras, inputs: dict[str, Any], parts: list[Any], columns: Arrays, price: np.ndarray) -> Example:
    x = keras.layers.Concatenate()(parts)
    for units in (32, 16):
        x = keras.layers.Dense(units, activation="relu")(x)
    model = keras.Model(list(inputs.values()), keras.layers.Dense(1, name="price")(x))
    train(model, [columns[name] for name in inputs], price, "mse", epochs=40, rate=5e-3)
    return Example(model, {name: columns[name] for name in inputs})


@architecture("tabular, Normalization and CategoryEncoding")
def tabular(keras: Keras) -> Example:
    """Return columns of numbers normalized inside, and a category as one-hot."""
    columns, price = _table()
    inputs = {
        "age": keras.Input((1,), name="age"),
        "income": keras.Input((1,), name="income"),
        "kind": keras.Input((1,), dtype="int32", name="kind"),
    }
    parts = []
    for name in ("age", "income"):
        normal = keras.layers.Normalization(axis=None)
        normal.adapt(columns[name][:-TEST])
        parts.append(normal(inputs[name]))
    parts.append(keras.layers.CategoryEncoding(6, output_mode="one_hot")(inputs["kind"]))
    return _price(keras, inputs, parts, columns, price)


@architecture("tabular, Discretization")
def discretized(keras: Keras) -> Example:
    """Return a column cut into buckets, then an embedding of the bucket."""
    columns, price = _table()
    inputs = {"age": keras.Input((1,), name="age"), "income": keras.Input((1,), name="income")}
    bucket = keras.layers.Discretization(bin_boundaries=[25.0, 35.0, 45.0, 55.0, 65.0])(inputs["age"])
    bought = keras.layers.Flatten()(keras.layers.Embedding(6, 4)(bucket))
    normal = keras.layers.Normalization(axis=None)
    normal.adapt(columns["income"][:-TEST])
    return _price(keras, inputs, [bought, normal(inputs["income"])], columns, price)


@architecture("tabular, StringLookup", keras=(2,), stored=".keras")
def string_lookup(keras: Keras) -> Example:
    """Return a column of text that the file cannot take; the remedy starts behind the lookup."""
    columns, price = _table()
    words = np.array(["red", "green", "blue", "white", "black", "gray"])
    lookup = keras.layers.StringLookup(vocabulary=list(words), output_mode="int", name="lookup")
    age, color = keras.Input((1,), name="age"), keras.Input((1,), dtype="string", name="color")
    normal = keras.layers.Normalization(axis=None)
    normal.adapt(columns["age"][:-TEST])
    ids = lookup(color)
    x = keras.layers.Concatenate()([normal(age), keras.layers.Flatten()(keras.layers.Embedding(7, 4)(ids))])
    x = keras.layers.Dense(16, activation="relu")(x)
    model = keras.Model([age, color], keras.layers.Dense(1, name="price")(x))
    text = words[columns["kind"]]
    behind = np.asarray(lookup(text)).astype(np.int64)
    train(keras.Model([age, ids], model.output), [columns["age"], behind], price, "mse", epochs=30)
    remedy = Remedy(
        "[[inputs]] source = 'lookup'",
        tables="[[inputs]]\nname = 'color_id'\nsource = 'lookup'\n",
        samples={"age": columns["age"], "color_id": behind},
    )
    return Example(model, {"age": columns["age"], "color": text}, remedy=remedy)


@architecture("one-hot regression")
def one_hot(keras: Keras) -> Example:
    """Return two categories as one-hot beside numbers of a hundred times their size."""
    rng = np.random.default_rng(SEED)
    day, hour = rng.integers(0, 7, (ROWS, 1)).astype(np.int32), rng.integers(0, 24, (ROWS, 1)).astype(np.int32)
    load = rng.uniform(0, 100, (ROWS, 2)).astype(np.float32)
    inputs = {
        "day": keras.Input((1,), dtype="int32", name="day"),
        "hour": keras.Input((1,), dtype="int32", name="hour"),
        "load": keras.Input((2,), name="load"),
    }
    parts = [
        keras.layers.CategoryEncoding(7, output_mode="one_hot")(inputs["day"]),
        keras.layers.CategoryEncoding(24, output_mode="one_hot")(inputs["hour"]),
        inputs["load"],
    ]
    wanted = np.cos(day) + 2 * np.sin(hour / 4) + load.mean(axis=1, keepdims=True) / 50
    return _price(keras, inputs, parts, {"day": day, "hour": hour, "load": load}, wanted.astype(np.float32))


@architecture("two towers (ids)", keras=(2, 3))
def two_towers(keras: Keras) -> Example:
    """Return how much a user likes an item: 300 users, 40 items, one embedding each."""
    rng = np.random.default_rng(SEED)
    user, item = rng.integers(0, 300, (ROWS, 1)), rng.integers(0, 40, (ROWS, 1))
    wanted = np.sin(user / 40) * np.cos(item / 6)
    inputs = [keras.Input((1,), dtype="int32", name=name) for name in ("user", "item")]
    sides = []
    for tensor, count in zip(inputs, (300, 40), strict=True):
        x = keras.layers.Flatten()(keras.layers.Embedding(count, 16)(tensor))
        sides.append(keras.layers.Dense(12)(keras.layers.Dense(24, activation="relu")(x)))
    model = keras.Model(inputs, keras.layers.Dot(axes=-1, name="likes")(sides))
    train(model, [user, item], wanted.astype(np.float32), "mse", epochs=40, rate=1e-2)
    return Example(model, {"user": user.astype(np.int32), "item": item.astype(np.int32)})


@architecture("wide and deep, ids and numbers")
def wide_and_deep(keras: Keras) -> Example:
    """Return ids, their crosses and numbers, as recommenders have them: a dict of inputs."""
    rng = np.random.default_rng(SEED)
    samples = {
        "user": rng.integers(0, 50, (ROWS, 1)).astype(np.int32),
        "genres": rng.integers(0, 12, (ROWS, 4)).astype(np.int32),
        "numbers": rng.normal(0, 1, (ROWS, 5)).astype(np.float32),
    }
    inputs = {
        "user": keras.Input((1,), dtype="int32", name="user"),
        "genres": keras.Input((4,), dtype="int32", name="genres"),
        "numbers": keras.Input((5,), name="numbers"),
    }
    user = keras.layers.Flatten()(keras.layers.Embedding(50, 8)(inputs["user"]))
    genres = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(12, 8)(inputs["genres"]))
    wide = keras.layers.CategoryEncoding(12, output_mode="multi_hot", name="wide")(inputs["genres"])
    x = keras.layers.Concatenate()([user, genres, inputs["numbers"]])
    x = keras.layers.Dense(16, activation="relu")(keras.layers.Dense(32, activation="relu")(x))
    x = keras.layers.Concatenate()([x, wide])
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid", name="click")(x))
    mean = samples["numbers"].sum(axis=1, keepdims=True) + np.sin(samples["genres"]).sum(axis=1, keepdims=True)
    train(model, samples, (mean > 0).astype(np.float32), "binary_crossentropy", epochs=25)
    hot = np.zeros((ROWS, 12), np.float32)
    hot[np.arange(ROWS)[:, None], samples["genres"]] = 1
    cut = "[[inputs]]\nname = 'hot'\nsource = 'wide'\n"
    remedy = Remedy("[[inputs]] source = 'wide'", tables=cut, samples={**samples, "hot": hot})
    return Example(model, samples, remedy=remedy)
