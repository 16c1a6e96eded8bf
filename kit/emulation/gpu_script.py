"""Run a bundle's model on LiteRT's GPU accelerator, and say how far its outputs are from the CPU's.

Usage: gpu_script.py BUNDLE PRECISION RESULT.json SIGNATURE [INPUT ...]. A script of the runtime's venv: never imported.
PRECISION is float32 or float16, SIGNATURE the key of the one that INPUTs go through, "" for the main one. Three sets of
inputs are run: the golden vectors, against the outputs as built; inputs that kit.shared.seeded draws, as an app does to
verify an accelerator; and INPUTs, both against the CPU of the same runtime. RESULT is kit.emulation.gpu_report.GpuRun
without the precision, or {"refused": MESSAGE} where LiteRT does not compile or run the model for the GPU.
It prints {"done": calls} before each call. Where the bundle cannot be run it ends with 3, and RESULT is
{"error", "hint", "code"}.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from harness.files import Arrays
    from harness.golden import Golden
    from harness.interpreter import Runner
    from harness.model import Model
    from harness.signature import Signature
    from harness.tensor import Tensor

Feeds = Iterator["tuple[Arrays, Arrays]"]  # of each call: inputs, and what the outputs should be


@dataclass
class Compared:
    """What was found of one output in one set of inputs. Distances in steps where it is quantized."""

    inputs: str  # the set's name
    signature: str
    tensor: Tensor
    drift: float  # of the file from the float model, on the golden vectors
    calls: int = 0
    values: int = 0
    off: int = 0  # values that differ at all
    worst: float = 0.0  # of the finite ones
    largest: float = 0.0  # of what they should be, absolute, from the zero point
    not_finite: int = 0  # where the CPU's are finite
    top: int = 0  # rows whose largest value is the same one
    rows: int = 0

    def add(self, given: np.ndarray, wanted: np.ndarray) -> None:
        """Take the outputs of a call. given, wanted: of the tensor's shape and dtype."""
        ours, theirs = (array.astype(np.float64) for array in (given, wanted))
        finite = np.isfinite(theirs)
        bad = finite & ~np.isfinite(ours)
        distance = np.abs(ours - theirs)[finite & ~bad]
        self.calls += 1
        self.values += ours.size
        self.off += int(np.count_nonzero(distance)) + int(bad.sum())
        self.worst = max(self.worst, float(distance.max(initial=0.0)))
        self.largest = max(self.largest, float(np.abs(theirs[finite] - self.tensor.zero_point).max(initial=0.0)))
        self.not_finite += int(bad.sum())
        if self.tensor.kind == "classes" and self.tensor.shape and self.tensor.shape[-1] > 1:
            best = [np.argmax(array.reshape(-1, array.shape[-1]), axis=-1) for array in (ours, theirs)]
            self.top += int((best[0] == best[1]).sum())
            self.rows += len(best[0])

    def to_json(self) -> dict[str, Any]:
        """Return what kit.emulation.gpu_report.GpuCheck is read from: numbers (float64), words, and top1, int64 [2]."""
        from kit.shared.accelerators import allowed_off

        steps = np.dtype(self.tensor.dtype).kind != "f"
        index = steps and self.tensor.scale is None  # a class, or an index: half of them may be others
        allowed = 0.0 if index else allowed_off(self.largest, self.drift, quantized=steps)
        within = self.off <= self.values // 2 if index else self.worst <= allowed
        return {
            "inputs": self.inputs,
            "signature": self.signature,
            "output": self.tensor.name,
            "calls": self.calls,
            "unit": "steps" if steps else "absolute",
            "worst": self.worst,
            "allowed": allowed,
            "not_finite": self.not_finite,
            "top1": [self.top, self.rows] if self.rows else None,
            "passed": bool(within and not self.not_finite),
        }


@dataclass
class Work:
    """What is run, on the GPU and beside it on the CPU."""

    model: Model
    golden: Golden
    gpu: Runner
    cpu: Runner
    whole: bool  # no operator runs on the CPU
    done: int = 0
    found: list[Compared] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)

    def compare(self, name: str, signature: Signature, feeds: Feeds) -> None:
        """Run a set of inputs through a signature, and keep what is found of each output. Raises EmulateError.

        feeds: of each tensor's shape and dtype.
        """
        from harness.interpreter import ask

        found = {}
        for output, tensor in signature.outputs.items():
            known = self.golden.has(signature, "drift", output)
            drift = float(self.golden.of(signature, "drift", output)) if known else 0.0
            found[output] = Compared(name, signature.key, tensor, drift)
        for fed, wanted in feeds:
            self.done += 1
            sys.stdout.write(json.dumps({"done": self.done}) + "\n")
            sys.stdout.flush()
            given = ask(self.gpu, signature, fed)
            for output, each in found.items():
                if output in wanted:  # edge vectors have no index
                    each.add(given[output], wanted[output])
        self.found += [each for each in found.values() if each.calls]

    def to_json(self) -> dict[str, Any]:
        """Return what RESULT has: a list [N] of checks, numbers (float64) and words, and one of errors."""
        return {"whole": self.whole, "checks": [each.to_json() for each in self.found], "errors": self.errors}


def main() -> int:
    """Run the bundle; write RESULT."""
    bundle, precision, result, key, *files = sys.argv[1:]
    sys.path.insert(0, str(Path(bundle) / "emulate"))
    sys.path.append(str(Path(__file__).parents[2]))  # of kit: its shared package needs numpy alone
    from harness.errors import EmulateError, one_line

    try:
        text = run(precision, key, files)
    except EmulateError as error:
        said = {"error": one_line(error), "hint": error.hint, "code": error.code}
        Path(result).write_text(json.dumps(said), "utf-8")
        return 3
    Path(result).write_text(text, "utf-8")
    return 0


def run(precision: str, key: str, files: list[str]) -> str:
    """Return what RESULT has, as JSON. Raises EmulateError."""
    from emulate import this_bundle
    from harness.errors import EmulateError
    from harness.golden import read_golden
    from harness.interpreter import load_runner
    from harness.model import read_model

    from kit.emulation.script_inputs import chosen_signature

    model = read_model(this_bundle())
    golden, cpu = read_golden(model), load_runner(model, 1)
    chosen = chosen_signature(model, key)
    try:
        gpu, whole = gpu_runner(model, cpu, precision)
        work = Work(model, golden, gpu, cpu, whole)
        compare_all(work, chosen, files)
    except RuntimeError as error:
        return json.dumps({"refused": str(error)})
    except EmulateError as error:
        # A call that LiteRT refuses is what ask makes of a RuntimeError.
        if not isinstance(error.__cause__, RuntimeError):
            raise
        return json.dumps({"refused": str(error.__cause__)})
    return json.dumps(work.to_json())


def compare_all(work: Work, chosen: Signature, files: list[str]) -> None:
    """Run all sets of inputs. chosen: the signature that files go through. Raises EmulateError, RuntimeError."""
    from harness.calls import call_of, count_calls
    from harness.interpreter import ask

    from kit.emulation.script_inputs import samples

    for signature in (work.model.main, *work.model.others):
        if not work.golden.has_vectors(signature):
            continue
        inputs = work.golden.inputs(signature)
        outputs = {name: work.golden.of(signature, "output", name) for name in signature.outputs}
        restore(work)
        work.compare(
            "golden vectors",
            signature,
            (
                (call_of(signature.inputs, inputs, index), call_of(signature.outputs, outputs, index))
                for index in range(count_calls(signature, inputs))
            ),
        )
        edges = work.golden.edge_inputs(signature)
        work.compare("edge vectors", signature, judged(work, signature, edges) if edges else iter(()))
        restore(work)
        work.compare(
            "drawn inputs", signature, ((fed, ask(work.cpu, signature, fed)) for fed in drawn(signature, inputs))
        )
    restore(work)
    given = samples(chosen, files, work.errors)
    work.compare("your files", chosen, ((fed, ask(work.cpu, chosen, fed)) for _, fed in given))


def judged(work: Work, signature: Signature, edges: Arrays) -> Feeds:
    """Yield each edge vector with its outputs as built. edges: by name [N * rows, *sample] of each input's dtype."""
    from harness.calls import call_of, count_calls
    from harness.golden import edge_outputs

    tensors = edge_outputs(signature)
    outputs = {name: work.golden.of(signature, "edge_output", name) for name in tensors}
    for index in range(count_calls(signature, edges)):
        yield call_of(signature.inputs, edges, index), call_of(tensors, outputs, index)


def restore(work: Work) -> None:
    """Give the variables that the model keeps their values as built, on both."""
    from harness.state import assign

    for runner in (work.gpu, work.cpu):
        assign(work.model.variables, runner, work.golden.variables(work.model.variables))


def drawn(signature: Signature, golden: Arrays) -> Iterator[Arrays]:
    """Yield the inputs that an app draws; none where an axis is open.

    golden: by name [N * rows, *sample] of each input in its dtype.
    """
    from kit.shared.seeded import VECTORS, range_of, seed_of, seeded

    if not signature.fixed or any(-1 in tensor.shape for tensor in signature.inputs.values()):
        return
    for vector in range(VECTORS):
        fed = {}
        for position, (name, tensor) in enumerate(signature.inputs.items()):
            low, high = range_of(golden[name], whole=tensor.scale is not None or tensor.kind == "image")
            values = seeded(tensor.dtype, math.prod(tensor.shape), low, high, seed_of(vector, position))
            fed[name] = values.reshape(tensor.shape)
        yield fed


def gpu_runner(model: Model, cpu: Runner, precision: str) -> tuple[Runner, bool]:
    """Return what runs the model on the GPU as the harness runs it, and whether no operator runs on the CPU.

    Raises RuntimeError where LiteRT does not compile the model for a GPU.
    """
    from ai_edge_litert.compiled_model import CompiledModel, HardwareAccelerator, Options
    from harness.interpreter import Runner

    options = Options(hardware_accelerators=HardwareAccelerator.GPU)
    options.gpu_options.enforce_f32 = precision == "float32"
    compiled = CompiledModel.from_buffer(model.content, options=options)
    whole = compiled.is_fully_accelerated()
    calls = {signature.key: _call(compiled, signature) for signature in model.signatures}
    return Runner(model.bundle, calls, cpu.package, cpu.version, cpu.threads), whole


def _call(compiled: Any, signature: Signature) -> Any:
    """Return what runs a signature: arrays in by input name, arrays out by output name."""

    def call(**values: np.ndarray) -> Mapping[str, np.ndarray]:
        """Run it. values: of each input's shape and dtype, as signature.json has them."""
        key = signature.key
        inputs = {name: compiled.create_input_buffer_by_name(key, name) for name in signature.inputs}
        outputs = {name: compiled.create_output_buffer_by_name(key, name) for name in signature.outputs}
        for name, buffer in inputs.items():
            buffer.write(np.ascontiguousarray(values[name]))
        compiled.run_by_name(key, inputs, outputs)
        details = compiled.get_output_tensor_details(key)
        made = {}
        for name, buffer in outputs.items():
            shape = details[name]["shape"]
            made[name] = buffer.read(math.prod(shape), np.dtype(signature.outputs[name].dtype)).reshape(shape)
        return made

    return call


if __name__ == "__main__":
    raise SystemExit(main())
