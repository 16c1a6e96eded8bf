"""Run a bundle's harness on this Python, whatever processor it is for, and keep every output as it is.

Usage: arm64_script.py BUNDLE OUT CALLS SIGNATURE [INPUT ...]. A script of the runtime's venv and of the emulated
Python: never imported. SIGNATURE is the key of the one that INPUTs go through, "" for the main one. The golden vectors
are replayed as `emulate.py --golden` does. OUT/report.json has {"package", "calls", "seconds", "replay", "outputs",
"sources", "errors"}: the median of the calls' seconds of CPU time, the replay as the harness reports it, of each output
what kit.emulation.arm64_report.Bound is read from, and the name of each sample's file. OUT/outputs.npz has
<number of the sample>/<output>, of its shape and dtype.
It prints {"done", "total"} after each call where CALLS, how many there will be, is not 0. Where the bundle cannot be
run it ends with 3, and report.json is {"error", "hint", "code"}.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from harness.files import Arrays
    from harness.golden import Golden
    from harness.interpreter import Call, Runner
    from harness.signature import Signature


@dataclass
class Counter:
    """How many calls were made, and how long each took. total: how many there will be, 0 where nobody asks."""

    total: int
    done: int = 0
    seconds: list[float] = field(default_factory=list)  # of CPU time, of each call

    def counted(self, runner: Runner) -> Runner:
        """Return a runner whose calls are counted."""
        return replace(runner, calls={key: self._counted(call) for key, call in runner.calls.items()})

    def _counted(self, call: Call) -> Call:
        def counted(**values: np.ndarray) -> Any:
            """Run it. values: of each input's shape and dtype, as signature.json has them."""
            begin = time.process_time()  # other programs leave the emulator little of the clock
            made = call(**values)
            self.seconds.append(time.process_time() - begin)
            self.done += 1
            if self.total:
                sys.stdout.write(json.dumps({"done": self.done, "total": max(self.done, self.total)}) + "\n")
                sys.stdout.flush()
            return made

        return counted


def main() -> int:
    """Run the bundle; write report.json and outputs.npz."""
    bundle, out, calls, key, *files = sys.argv[1:]
    sys.path.insert(0, str(Path(bundle) / "emulate"))
    sys.path.append(str(Path(__file__).parents[2]))  # of kit: what is imported of it needs the standard library alone
    from harness.errors import EmulateError, one_line

    try:
        report, arrays = run(int(calls), key, files)
    except EmulateError as error:
        report, arrays = {"error": one_line(error), "hint": error.hint, "code": error.code}, {}
    named: dict[str, Any] = dict(arrays)
    np.savez(Path(out) / "outputs.npz", **named)
    (Path(out) / "report.json").write_text(json.dumps(report), "utf-8")
    return 3 if "error" in report else 0


def run(calls: int, key: str, files: list[str]) -> tuple[dict[str, Any], Arrays]:
    """Return what report.json and outputs.npz have. Raises EmulateError.

    By <number of the sample>/<output> its array of any shape and dtype.
    """
    from emulate import this_bundle
    from harness.golden import read_golden
    from harness.interpreter import ask, load_runner
    from harness.model import read_model
    from harness.replay import replay
    from harness.state import assign

    from kit.emulation.script_inputs import chosen_signature, samples

    model = read_model(this_bundle())
    golden, counter = read_golden(model), Counter(calls)
    chosen = chosen_signature(model, key)
    runner = counter.counted(load_runner(model, 1))
    checked = replay(model, runner, golden).to_json()
    assign(model.variables, runner, golden.variables(model.variables))
    arrays: Arrays = {}
    sources: list[str] = []
    errors: list[dict[str, str]] = []
    for source, fed in samples(chosen, files, errors):
        for name, array in ask(runner, chosen, fed).items():
            arrays[f"{len(sources)}/{name}"] = array.copy()
        sources.append(source)
    report = {
        "package": f"{runner.package} {runner.version}",
        "calls": counter.done,
        "seconds": float(np.median(counter.seconds)) if counter.seconds else 0.0,
        "replay": checked,
        "outputs": bounds(chosen, golden),
        "sources": sources,
        "errors": errors,
    }
    return report, arrays


def bounds(signature: Signature, golden: Golden) -> dict[str, Any]:
    """Return of each output what is allowed on another processor, and the largest value that this was found at."""
    found = {}
    for name, tensor in signature.outputs.items():
        vectors = golden.has_vectors(signature)
        largest = np.abs(golden.of(signature, "output", name).astype(np.float64)) if vectors else np.zeros(1)
        found[name] = {
            "unit": "absolute" if np.dtype(tensor.dtype).kind == "f" else "steps",
            "allowed": float(golden.of(signature, "tolerance", name)) if vectors else 0.0,
            "largest": float(np.max(largest, where=np.isfinite(largest), initial=0.0)),
            "classes": tensor.kind == "classes" and bool(tensor.shape) and tensor.shape[-1] > 1,
        }
    return found


if __name__ == "__main__":
    raise SystemExit(main())
