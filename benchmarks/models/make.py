"""Make one architecture: `python -m benchmarks.models.make ID FOLDER`. Runs inside a toolchain.

FOLDER gets the model, about.json, and for each recipe (main, remedy) calibration.npz, inputs.npz and recipe text;
reference.npz has what the Keras model itself gives to the test data, one sample a call.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models.architecture import TEST, Architecture, Arrays, Example, architectures
from benchmarks.models.fit import start


def main(identity: str, folder: Path) -> None:
    """Make the model, store it, and store what it gives."""
    import keras

    row = architectures()[identity]
    start(keras)
    example = row.make(keras)
    folder.mkdir(parents=True, exist_ok=True)
    stored = _store(row, example.model, folder)
    np.savez(folder / "reference.npz", **reference(example))  # type: ignore[arg-type]
    _samples(folder, "main", example.samples)
    remedy = example.remedy
    if remedy is not None and remedy.samples is not None:
        _samples(folder, "remedy", remedy.samples)
    if example.code:
        (folder / "layers.py").write_text(example.code, "utf-8")
    facts = {
        "stored": stored,
        "keras": keras.__version__,
        "parameters": int(example.model.count_params()),
        "classes": list(example.classes),
        "keys": example.keys + ("\ncode = 'layers.py'\nallow_code = true" if example.code else ""),
        "tables": example.tables,
        "remedy": None
        if remedy is None
        else {
            "text": remedy.text,
            "schemes": list(remedy.schemes),
            "scheme": remedy.scheme,
            "keys": remedy.keys,
            "tables": remedy.tables,
            "own_samples": remedy.samples is not None,
        },
    }
    (folder / "about.json").write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n", "utf-8")


def reference(example: Example) -> dict[str, np.ndarray]:
    """Return the model's outputs [TEST, ...] by name, each from a call with one sample: so an app runs it."""
    rows = [_call(example, {name: a[-TEST:][i : i + 1] for name, a in example.samples.items()}) for i in range(TEST)]
    return {name: np.concatenate([row[name] for row in rows]) for name in example.picked or rows[0]}


def _call(example: Example, feed: Arrays) -> dict[str, np.ndarray]:
    model = example.exact or example.model
    structure = getattr(model, "input", None)
    if isinstance(structure, dict):
        given: Any = {key: feed[_plain(tensor.name)] for key, tensor in structure.items()}
    elif len(feed) == 1:
        given = next(iter(feed.values()))
    else:
        given = [feed[_plain(tensor.name)] for tensor in model.inputs]
    # Text has to be a tensor: numpy's text is not what a layer takes.
    got = model(_tensors(given), training=False)
    if isinstance(got, dict):
        named = {name: got[name] for name in got}
    else:
        listed = list(got) if isinstance(got, (list, tuple)) else [got]
        named = dict(zip(example.outputs or model.output_names, listed, strict=True))
    return {name: np.asarray(_float(value), np.float32) for name, value in named.items()}


def _tensors(given: Any) -> Any:
    import tensorflow as tf

    return tf.nest.map_structure(tf.constant, given)


def _float(value: Any) -> Any:
    import tensorflow as tf

    return tf.cast(value, tf.float32)


def _plain(name: str) -> str:
    return name.partition(":")[0]


def _samples(folder: Path, kind: str, samples: Arrays) -> None:
    np.savez(folder / f"{kind}-calibration.npz", **{n: a[:-TEST] for n, a in samples.items()})  # type: ignore[arg-type]
    np.savez(folder / f"{kind}-inputs.npz", **{n: a[-TEST:] for n, a in samples.items() if a.dtype.kind in "fiu"})  # type: ignore[arg-type]


def _store(row: Architecture, model: Any, folder: Path) -> str:
    if row.stored != "SavedModel":
        model.save(folder / f"model{row.stored}")
        return f"model{row.stored}"
    if row.keras == 2:
        model.save(folder / "model", save_format="tf")
    else:
        model.export(folder / "model", verbose=False)
    return "model"


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
