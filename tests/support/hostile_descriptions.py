"""Hostile .h5 files straight into the worker's loader, in a toolchain's Python: what it says of each, as JSON.

    python hostile_descriptions.py FOLDER 2|3

A Keras 2 or 3 that took one of them would write FOLDER/marker.
"""

from __future__ import annotations

import base64
import json
import marshal
import sys
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

from kit.shared.job import Job, JobError, ModelPart
from kit.worker.loaders.keras_choice import choose_keras

FOLDER, LEGACY = Path(sys.argv[1]), sys.argv[2] == "2"
MARKER = str(FOLDER / "marker")
AFTER_X = [[["x", 0, 0, {}]]]


def layer(kind: str, config: dict[str, Any], nodes: Any = AFTER_X, **more: Any) -> dict[str, Any]:
    """Return a layer as Keras describes it."""
    return {"class_name": kind, "config": {"name": "odd", **config}, "name": "odd", "inbound_nodes": nodes, **more}


def code() -> list[Any]:
    """Return a lambda that writes the marker, as Keras 2 stores one."""
    body = compile(f"lambda x: open({MARKER!r}, 'w').close() or x", "x", "eval").co_consts[0]
    return [base64.b64encode(marshal.dumps(body)).decode(), None, None]


_OPERATIONS = "keras.src.layers.core.tf_op_layer"
WRITES = [["_CONSTANT_VALUE", -1, MARKER, {"contents": "x"}]]
TOUCHES = {
    "class_name": "Popen",
    "module": "subprocess",
    "registered_name": None,
    "config": {"args": ["touch", MARKER]},
}
EVAL = {"class_name": "function", "module": "builtins", "config": "eval", "registered_name": "eval"}
RESIDUAL = {"class_name": "ResidualWrapper", "config": {"residual_fn": code(), "residual_fn_type": "lambda"}}
ATTACKS = {
    "operation": layer("TFOpLambda", {"function": "io.write_file"}, WRITES),
    "slicing": layer("SlicingOpLambda", {"function": "io.write_file"}, WRITES),
    "method": layer("ClassMethod", {"cls_symbol": "io.gfile.GFile", "method_name": "write"}),
    "activation": layer("Dense", {"units": 2, "activation": EVAL}, module="keras.layers"),
    "initializer": layer("Dense", {"units": 2, "kernel_initializer": TOUCHES}, module="keras.layers"),
    "vocabulary": layer("StringLookup", {"vocabulary": "/etc/passwd"}),
    "worker": layer("Progress", {}, module="kit.worker.progress", registered_name=None),
}
OF_KERAS_2 = {
    "lambda": layer("Lambda", {"function": code(), "function_type": "lambda", "module": "__main__"}),
    "wrapper": layer("RNN", {"cell": RESIDUAL}),
    "second operator": layer("TensorFlowOpLayer", {"node_def": "\n\x03odd\x12\x05AddV2\x12\x09WriteFile"}),
    "second name": layer(
        "Dense", {"function": "io.write_file"}, WRITES, module=_OPERATIONS, registered_name="TFOpLambda"
    ),
}


class Pickled:
    """Writes the marker when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, (f"open({MARKER!r}, 'w').close()",)


def pickled_weights(layers: list[Any], ends: dict[str, Any]) -> None:
    """Write a .keras file of Keras 2 whose weights are a pickle."""
    import numpy as np

    numbers = np.empty(1, object)
    numbers[0] = Pickled()
    arrays = BytesIO()
    np.savez(arrays, _layer_checkpoint_dependencies=numbers)
    config = {"name": "m", "layers": layers, **ends}
    functional = {"module": "keras", "class_name": "Functional", "registered_name": "Functional", "config": config}
    with zipfile.ZipFile(FOLDER / "m.keras", "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "2.15.0"}))
        archive.writestr("config.json", json.dumps(functional))
        archive.writestr("model.weights.npz", arrays.getvalue())


def refusal(load: Any, job: Job) -> str:
    """Return what the worker says of the job's file, "" where it takes it."""
    try:
        load(FOLDER, job)
    except JobError as error:
        return error.refusal.message
    return ""


def main() -> None:
    """Load each, and print the refusals by name; "" where nothing was refused."""
    import h5py

    part = ModelPart("m.h5", ".h5", LEGACY)
    job = Job((part,), False, "float32", "float32", (), (), False, False)
    choose_keras(job)
    from kit.worker.loaders.load import load

    shape = {"batch_input_shape" if LEGACY else "batch_shape": [None, 4], "name": "x", "dtype": "float32"}
    x = {"class_name": "InputLayer", "config": shape, "name": "x", "inbound_nodes": []}
    refusals = {}
    for name, odd in (ATTACKS | (OF_KERAS_2 if LEGACY else {})).items():
        ends = {"input_layers": [["x", 0, 0]], "output_layers": [["odd", 0, 0]]}
        with h5py.File(FOLDER / "m.h5", "w") as file:
            file.attrs["model_config"] = json.dumps(
                {"class_name": "Functional", "config": {"name": "m", "layers": [x, odd], **ends}}
            )
            file.attrs["keras_version"] = "2.15.0" if LEGACY else "3.15.1"
        refusals[name] = refusal(load, job)
    if LEGACY:
        relu = layer("Activation", {"activation": "relu"}, module="keras.layers")
        pickled_weights([x | {"module": "keras.layers"}, relu], ends)
        refusals["pickle"] = refusal(load, replace(job, parts=(ModelPart("m.keras", ".keras", LEGACY),)))
    print(json.dumps(refusals))  # noqa: T201 - the test reads it


if __name__ == "__main__":
    main()
