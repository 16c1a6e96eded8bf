"""Time calls of model files by turns on the runtime of this Python: bare ones, without copies in and out.

Usage: latency_script.py ORDER.json. A script of the runtime's venv: never imported. ORDER.json is a value of
kit.emulation.latency.Order. A file with several signatures is called through the one, with its copies. Each file is
fed the first call's worth of its vectors, input/<name> [N * rows, *sample] or [N, *shape] in its tensor's dtype.

It prints {"files": [...]}: of each file {"calls", "blocks", "single"} as kit.emulation.by_turns.Timing has them, single
as [median, 95th percentile, mean] and empty where that was not asked for; or {"error"} where it does not run here.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from kit.emulation.by_turns import Turn

MODULES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")


def main() -> None:
    """Load all files, time those that run, and say what came of each."""
    sys.path.append(str(Path(__file__).parents[2]))  # of kit: this module needs the standard library alone
    from kit.emulation.by_turns import time_by_turns

    order = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    files: list[dict[str, Any]] = [{} for _ in order["files"]]
    turns = []
    for said, file in zip(files, order["files"], strict=True):
        try:
            turns.append(loaded(file, order["threads"]))
        except (ValueError, RuntimeError, KeyError, OSError) as error:
            said["error"] = " ".join(str(error).split())[:300] or type(error).__name__
    timed = iter(time_by_turns(turns, order["seconds"], singly=order["singly"]) if turns else ())
    for said in files:
        if not said:
            timing = next(timed)
            single = [*np.percentile(timing.single, [50, 95]), np.mean(timing.single)] if timing.single else []
            said.update(calls=timing.calls, blocks=timing.blocks, single=[float(value) for value in single])
    sys.stdout.write(json.dumps({"files": files}) + "\n")


def loaded(file: Mapping[str, str], threads: int) -> Turn:
    """Return what calls a file, which has run once. Raises what its runtime raises where it does not run."""
    from kit.emulation.by_turns import Turn

    interpreter = interpreter_class()(model_content=Path(file["model"]).read_bytes(), num_threads=threads)
    # As the harness does: else tflite-runtime runs without XNNPACK; open axes get their size in the first call.
    if all(-1 not in detail["shape_signature"] for detail in interpreter.get_input_details()):
        interpreter.allocate_tensors()
    with np.load(file["vectors"]) as vectors:
        if file["assign"]:
            named = {name.partition("/")[2]: vectors[name] for name in vectors.files if name.startswith("variable/")}
            interpreter.get_signature_runner(file["assign"])(**named)
        runner = interpreter.get_signature_runner(file["signature"])
        shapes = {name: list(detail["shape_signature"]) for name, detail in runner.get_input_details().items()}
        values = {name: first_call(vectors[f"input/{name}"], shape) for name, shape in shapes.items()}
    runner(**values)
    if len(interpreter.get_signature_list()) == 1:
        return Turn(interpreter.invoke, interpreter.reset_all_variables)
    return Turn(lambda: runner(**values))


def interpreter_class() -> Any:
    """Return the class of the first interpreter that is installed."""
    for module in MODULES:
        with contextlib.suppress(ImportError):
            return importlib.import_module(module).Interpreter
    raise RuntimeError("no interpreter is installed")


def first_call(vectors: np.ndarray, shape: list[int]) -> np.ndarray:
    """Return one call's worth of [N * rows, *sample] or [N, *shape], in its dtype. shape: -1 is of any size."""
    if vectors.ndim > len(shape):
        return np.asarray(vectors[0])
    return vectors[: shape[0] if shape[0] > 0 else 1]


if __name__ == "__main__":
    main()
