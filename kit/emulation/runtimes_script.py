"""Replay a bundle's golden vectors on the runtime of this Python, with one kind of kernels, for each number of threads.

Usage: runtimes_script.py EMULATE KERNELS THREADS... A script of the runtime's venv: never imported. EMULATE is a folder
with the harness of a bundle. For each number of threads it prints a line of JSON as soon as it has it: {"threads",
"stable", "outputs": [{"signature", "output", "unit", "worst", "allowed", "pass"}]}, or {"threads", "error"} where the
runtime refuses the model. Edge vectors are an output of their own, where they are off. stable: REPEATS calls of each
vector give the same bytes. worst is None where a value is not finite, or has another shape.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.files import Arrays
    from harness.golden import Golden
    from harness.interpreter import Runner
    from harness.model import Model

REPEATS = 3


def main() -> int:
    """Replay, and say what came of it."""
    sys.path.insert(0, sys.argv[1])
    from emulate import this_bundle
    from harness.errors import EmulateError
    from harness.golden import read_golden
    from harness.interpreter import load_runner, quiet
    from harness.model import read_model

    with quiet():
        for threads in map(int, sys.argv[3:]):
            try:
                model = read_model(this_bundle())
                runner = load_runner(model, threads, sys.argv[2])
                say({"threads": threads, **replayed(model, runner, read_golden(model))})
            except EmulateError as error:
                say({"threads": threads, "error": str(error)})
    return 0


def replayed(model: Model, runner: Runner, golden: Golden) -> dict[str, Any]:
    """Return what comes of the golden vectors of each signature, every one begun with the variables as built."""
    from harness.interpreter import ask_all
    from harness.replay import replay_vectors
    from harness.state import assign

    outputs, stable = [], True
    built = golden.variables(model.variables)
    for signature in (model.main, *model.others):
        if not golden.has_vectors(signature):
            continue
        assign(model.variables, runner, built)
        found = replay_vectors(signature, runner, golden)
        edges = [(f"{name} on edge vectors", check) for name, check in found.edge_outputs if not check.passed]
        for name, check in (*found.outputs, *edges):
            outputs.append(
                {
                    "signature": signature.key,
                    "output": name,
                    "unit": check.unit,
                    "worst": check.worst,
                    "allowed": check.allowed,
                    "pass": check.passed,
                }
            )
        runs = []
        for _ in range(REPEATS):
            assign(model.variables, runner, built)
            runs.append([content(call) for call in ask_all(runner, signature, golden.inputs(signature))])
        stable = stable and all(run == runs[0] for run in runs)
    return {"stable": stable, "outputs": outputs}


def content(call: Arrays) -> dict[str, bytes]:
    """Return the bytes of one call's outputs, [*shape] of each in its tensor's dtype."""
    return {name: array.tobytes() for name, array in call.items()}


def say(line: dict[str, Any]) -> None:
    """Print a line now: what a later crash takes with it is not this."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
