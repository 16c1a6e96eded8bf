"""Load a job's model files as the worker does, inside a toolchain's Python, and tell what came of it as JSON.

`python load_source.py FOLDER`, with kit on PYTHONPATH. Where expected.npz is there, the main signature is called in a
graph, as the conversion does it, and `worst` is the largest difference by output; inside ones, too.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from kit.shared.job import JobError, load_job
from kit.worker.loaders.keras_choice import choose_keras


def load_report(folder: Path, near: float = 1e-5, *, chosen: bool = False) -> dict[str, Any]:
    """Return what a test wants to know. near: of eager outputs. chosen: this process has chosen its Keras already."""
    job = load_job((folder / "job.json").read_text("utf-8"))
    if not chosen:
        choose_keras(job)
    from kit.worker.loaders.load import load

    try:
        source = load(folder, job)
        worst, unknown = (
            _compared(source, folder / "expected.npz", near) if (folder / "expected.npz").exists() else ({}, 0)
        )
        for name in json.loads((folder / "inner.json").read_text()) if (folder / "inner.json").exists() else ():
            _called(
                source,
                {port.name: np.zeros([n or 1 for n in port.shape], port.dtype) for port in source.signatures[0].inputs},
                [name],
            )
    except JobError as error:
        return {"refusal": [error.refusal.kind, error.refusal.message, error.refusal.hint]}
    return {
        "signatures": {
            each.key: [
                [[p.name, list(p.shape), p.dtype, p.batched] for p in ports] for ports in (each.inputs, each.outputs)
            ]
            for each in source.signatures
        },
        "variables": {each.name: list(each.value.shape) for each in source.variables},
        "inner": list(source.inner),
        "loader": source.loader,
        "notes": list(source.notes),
        "parameters": source.parameters,
        "worst": worst,
        "unknown_captures": unknown,
    }


def _compared(source: Any, path: Path, near: float) -> tuple[dict[str, float], int]:
    import tensorflow as tf

    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    feeds = {name[6:]: value for name, value in arrays.items() if name.startswith("input/")}
    if len(feeds) == 1:  # TensorFlow 2.12's export() does not keep the name of the one input
        feeds = {source.signatures[0].inputs[0].name: next(iter(feeds.values()))}
    inner = [name[6:] for name in arrays if name.startswith("inner/")]
    predictions, unknown = _called(source, feeds, inner)
    wanted = {name.partition("/")[2]: value for name, value in arrays.items() if not name.startswith("input/")}
    assert set(predictions) == set(wanted), (set(predictions), set(wanted))
    eager = source.signatures[0].call({name: tf.constant(value) for name, value in feeds.items()})
    for name in eager:
        assert np.allclose(eager[name], wanted[name], atol=near), name
    return {name: float(np.abs(np.asarray(predictions[name]) - wanted[name]).max()) for name in wanted}, unknown


def _called(source: Any, feeds: dict[str, Any], inner: list[str]) -> tuple[dict[str, Any], int]:
    """Trace the main signature as the conversion does, run it, and count captures that are no known variable."""
    import tensorflow as tf

    names = list(feeds)

    def flat(*tensors: Any) -> Any:
        return source.signatures[0].call(dict(zip(names, tensors, strict=True)), inner)

    specs = [tf.TensorSpec(value.shape, value.dtype) for value in feeds.values()]
    traced = tf.function(flat, autograph=False).get_concrete_function(*specs)
    known = {id(each.value.handle) for each in source.variables}
    unknown = sum(outer.dtype == tf.resource and id(outer) not in known for outer, _ in traced.graph.captures)
    return traced(*(tf.constant(value) for value in feeds.values())), unknown


if __name__ == "__main__":
    sys.stdout.write(json.dumps(load_report(Path(sys.argv[1]), float(sys.argv[2]))) + "\n")
