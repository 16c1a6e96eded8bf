"""A model of large weights, converted by the worker: how large its graphs were, and whether the file is the model.

Runs inside a toolchain, with kit on PYTHONPATH: `python large_weights.py FOLDER SCHEME` writes FOLDER/found.json: bytes
of the model's weights, of the largest graph that was made and of the file, its largest error, and the names of
constants that are wrong.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kit.shared.job import EVALUATED, Job, ModelPart
from kit.worker import __main__ as worker
from kit.worker import pipeline
from kit.worker.graph.stand_ins import filled, hollowed, placed, value_of
from kit.worker.progress import Progress

WIDTH = 512


def model() -> Any:
    """Return a model with a table, a loop, a folded normalization, tied weights and a large constant of its own."""
    ids = keras.Input((12,), dtype="int32", name="ids")
    image = keras.Input((16, 16, 3), name="image")
    tied = keras.layers.Dense(WIDTH, activation="tanh", name="tied")
    x = keras.layers.Embedding(2000, WIDTH, name="table")(ids)
    x = tied(tied(x))
    x = keras.layers.LSTM(WIDTH // 2, name="loop")(x)
    y = keras.layers.Conv2D(WIDTH, 5, name="conv")(image)
    y = keras.layers.BatchNormalization(name="norm")(y)
    y = keras.layers.GlobalAveragePooling2D()(y)
    z = keras.layers.Concatenate()([x, y])
    return keras.Model([ids, image], keras.layers.Dense(7, name="scores")(z))


def main(folder: Path, scheme: str) -> None:
    """Convert and say what came of it."""
    keras.utils.set_random_seed(7)
    made = model()
    folder.mkdir(parents=True)
    made.save(folder / "m.keras")
    sizes: list[int] = []
    freeze = pipeline.freeze  # type: ignore[attr-defined]

    def watched(*arguments: Any) -> Any:
        frozen = freeze(*arguments)
        sizes.extend([frozen.graph.ByteSize(), frozen.unfolded.ByteSize()])
        return frozen

    pipeline.freeze = watched  # type: ignore[assignment, attr-defined]
    job = Job(
        (ModelPart("m.keras", ".keras", False),), True, scheme, "float32", (), (), calibrate=False, evaluate=False
    )
    result = worker.work(job, folder, folder, Progress())
    with np.load(folder / EVALUATED) as archive:
        fed = {spec.name: archive[f"input/{spec.name}"] for spec in result.signature.inputs}
        got = archive["output/scores"]
    wanted = np.asarray(made(fed, training=False))
    found = {
        "weights": int(sum(np.prod(weight.shape) for weight in made.weights)) * 4,
        "graph": max(sizes),
        "error": float(np.abs(got - wanted).max() / np.ptp(wanted)),
        "size": (folder / "model.tflite").stat().st_size,
        "wrong": wrong_constants(),
    }
    (folder / "found.json").write_text(json.dumps(found), "utf-8")


def wrong_constants() -> list[str]:
    """Return what of constants of many types is not the same behind a stand-in."""
    rng = np.random.default_rng(7)
    values = {
        kind: rng.integers(-100, 100, (300, 300)).astype(kind)
        for kind in ("float32", "float64", "float16", "int32", "int64", "int8")
    }
    values["small"] = np.arange(6, dtype=np.float32)
    variable = tf.Variable(values["float32"])
    with tf.Graph().as_default() as graph:
        for name, array in values.items():
            tf.identity(tf.constant(array, name=name), name=f"read_{name}")
    whole = graph.as_graph_def()
    hollow = hollowed(whole, {"float32": variable})
    names = [f"read_{name}:0" for name in values] + [f"{name}:0" for name in values]
    found = tf.function(lambda: placed(hollow, {}, names), autograph=False)()
    wrong = [
        name
        for name, array in zip(names, [*values.values()] * 2, strict=True)
        if not np.array_equal(found[names.index(name)], array)
    ]
    wrong += [n.name for n in hollow.node if n.op == "Const" and not np.array_equal(value_of(n), values[n.name])]
    again = {node.name: node for node in filled(hollow).node}
    wrong += [node.name for node in whole.node if again[node.name] != node]
    return wrong + (["not hollow"] if hollow.ByteSize() > 20_000 else [])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
