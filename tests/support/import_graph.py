"""Use the formats of `freeze` with nothing of the kit: `python import_graph.py FOLDER WHAT`, inside a toolchain. JSON.

WHAT is pb, saved_model, rebuild or variable; probes.npz in FOLDER has `input/<name>`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf


def probes(folder: Path) -> dict[str, Any]:
    """Return the inputs by name."""
    with np.load(folder / "probes.npz") as file:
        return {name.removeprefix("input/"): file[name] for name in file.files}


def contract(folder: Path) -> dict[str, Any]:
    """Return what contract.json says."""
    return dict(json.loads((folder / "contract.json").read_text()))


def outputs(folder: Path) -> list[str]:
    """Return the outputs' names, in order."""
    return [tensor["name"] for tensor in contract(folder)["signatures"][0]["outputs"]]


def from_graph(folder: Path, kept: bool = False) -> list[dict[str, Any]]:
    """Import frozen.pb into a fresh graph; run it, and again with the kept variables set to zero."""
    names, fed = outputs(folder), {f"{name}:0": value for name, value in probes(folder).items()}
    graph = tf.compat.v1.GraphDef.FromString((folder / "frozen.pb").read_bytes())
    with tf.Graph().as_default() as own, tf.compat.v1.Session() as session:
        tf.compat.v1.import_graph_def(graph, name="")
        handles = [op.name for op in own.get_operations() if op.type == "VarHandleOp"]
        if handles:
            session.run("init")
        seen = [session.run([f"{name}:0" for name in names], fed)]
        for name in handles if kept else ():
            value = session.run(f"{name}/read:0")
            session.run(f"{name}/Assign", {f"{name}/value:0": np.zeros_like(value)})
        if kept:
            seen.append(session.run([f"{name}:0" for name in names], fed))
            seen.append([np.array(sorted(handles))])
    return [{n: v.tolist() for n, v in zip(names, values, strict=False)} for values in seen]


def from_saved_model(folder: Path) -> dict[str, Any]:
    """Call the SavedModel's main signature."""
    model = tf.saved_model.load(str(folder / "saved_model"))
    fed = {name: tf.constant(value) for name, value in probes(folder).items()}
    return {name: value.numpy().tolist() for name, value in model.signatures["serving_default"](**fed).items()}


def rebuilt(folder: Path) -> list[Any]:
    """Build the structure, set the weights by name, and return what the model outputs."""
    text = (folder / "model.json").read_text()
    try:
        if '"registered_name"' in text:
            import keras
        else:
            import tf_keras as keras
    except ImportError:
        import keras
    model = keras.models.model_from_json(text)
    with np.load(folder / "weights.npz") as weights:
        model.set_weights([weights[name] for name in contract(folder)["weights"]])
    fed = list(probes(folder).values())
    outputs = model(fed[0] if len(fed) == 1 else fed, training=False)
    return [np.asarray(value).tolist() for value in tf.nest.flatten(outputs)]


if __name__ == "__main__":
    where, what = Path(sys.argv[1]), sys.argv[2]
    tell: dict[str, Callable[[], Any]] = {
        "pb": lambda: from_graph(where)[0],
        "variable": lambda: from_graph(where, kept=True),
        "saved_model": lambda: from_saved_model(where),
        "rebuild": lambda: rebuilt(where),
    }
    print(json.dumps(tell[what]()))  # noqa: T201
