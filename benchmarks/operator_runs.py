"""Run the files of operator_graphs in an interpreter and compare: `python operator_runs.py FOLDER CASE...`.

In a runtime's venv it is LiteRT's interpreter, in a toolchain TensorFlow's own. Prints one JSON line a case: the
largest error of each output as a share of the output's range. A kernel may end the process.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

try:
    from ai_edge_litert.interpreter import Interpreter
except ModuleNotFoundError:
    import tensorflow as tf

    Interpreter = tf.lite.Interpreter


def errors(place: Path) -> dict[str, Any]:
    """Return the largest errors of a case, and the operators of its file."""
    with np.load(place / "arrays.npz") as archive:
        arrays = dict(archive)
    interpreter = Interpreter(model_content=(place / "model.tflite").read_bytes())
    interpreter.allocate_tensors()
    runner = interpreter.get_signature_runner()
    names = sorted(runner.get_input_details())
    wanted = [arrays[f"wanted{at}"] for at in range(sum(name.startswith("wanted") for name in arrays))]
    rows = [runner(**{name: arrays[f"{name}{at}"] for name in names}) for at in range(len(wanted[0]))]
    got = [np.stack([row[f"y{at}"] for row in rows]) for at in range(len(wanted))]
    return {
        "error": [
            float(np.abs(a.astype(np.float64) - b).max()) / (float(b.max() - b.min()) or 1.0)
            for a, b in zip(got, wanted, strict=True)
        ],
        "operators": list(dict.fromkeys(op["op_name"] for op in interpreter._get_ops_details())),
    }


if __name__ == "__main__":
    for case in sys.argv[2:]:
        try:
            found = errors(Path(sys.argv[1]) / case.replace(" ", "_"))
        except (RuntimeError, ValueError) as error:
            found = {"fault": str(error).strip()[:200]}
        print(json.dumps({"case": case, **found}), flush=True)
