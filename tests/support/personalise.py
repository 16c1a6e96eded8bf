"""Use a bundle's kept variables as an app would, by names alone: `python personalise.py MODEL STATE.npz learn|restore`.

Runs on the runtime that its Python has. `learn` reads the variables, changes them, stores them; `restore`, in another
process, puts them back. Prints JSON: what was seen.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import numpy as np


def interpreter(path: str) -> Any:
    """Return the first runtime that is installed, with the model loaded."""
    for module in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter"):
        try:
            made = importlib.import_module(module).Interpreter(model_path=path)
        except ModuleNotFoundError:
            continue
        made.allocate_tensors()
        return made
    raise SystemExit("no runtime")


def main(path: str, state: str, what: str) -> dict[str, Any]:
    """Return what was seen."""
    made = interpreter(path)
    run, read, assign = (
        made.get_signature_runner(key) for key in ("serving_default", "read_variables", "assign_variables")
    )
    detail = run.get_input_details()["image"]
    image = np.random.default_rng(3).uniform(0, 1, detail["shape"])
    scale, zero = detail["quantization"]
    fed = image if not scale else np.clip(np.round(image / scale) + zero, 0, 255)

    def scores() -> list[float]:
        return [float(value) for value in run(image=fed.astype(detail["dtype"]))["digit"][0]]

    seen: dict[str, Any] = {"at_first": scores()}
    initial = read()
    if what == "restore":
        with np.load(state) as stored:
            assign(**{name: stored[name] for name in stored.files})
        return seen | {"restored": scores()}
    seen["initial"] = {name: float(np.abs(value).sum()) for name, value in initial.items()}
    changed = {name: value[..., ::-1].copy() for name, value in initial.items()}  # every class another's
    seen["count"] = int(assign(**changed)["assigned"])
    seen["changed"] = scores()
    seen["exact"] = all(np.array_equal(value, changed[name]) for name, value in read().items())
    np.savez(state, **read())
    assign(**initial)
    return seen | {"put_back": scores()}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201
