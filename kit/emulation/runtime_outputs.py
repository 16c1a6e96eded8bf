"""Write the outputs of a bundle's model on the runtime of this Python, through the bundle's own harness.

Usage: runtime_outputs.py BUNDLE IN OUT RESULT.npz SHA256 PROCESSES [seeded] [edges]. A script of the runtime's venv:
never imported. IN and OUT are a job's folders, see kit.shared.job: the main signature gets every evaluation sample, in
at most as many processes, every other one its golden inputs. RESULT has output/<name> [N, ...] of the main signature
and signature/<key>/output/<name> of each other; raw, with the variables as built before each. again/ has what the first
call gives when it is asked once more.
With seeded, <prefix>seeded/<name> [VECTORS, *shape of one call] has what inputs of kit.shared.seeded give, and
<prefix>range/<input>, float64 [2], from where to where they are drawn: none where the runtime refuses them, and of a
model with variables those of the main signature alone.
With edges, <prefix>edge_input/<name> and <prefix>edge_output/<name> [calls * rows, ...] are those of kit.shared.edges:
none where the runtime refuses one of them, or gives something else when it is asked again.
It prints {"done", "total", "processes"} from time to time. Where it cannot go on, it prints {"error", "hint"} and ends
with 3. SHA256 is of the model file that has to be there.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.files import Arrays
    from harness.interpreter import Runner
    from harness.model import Model
    from harness.signature import Signature

    from kit.shared.rows import Arrays as Samples

MOST_MODELS = 2 << 30  # bytes of the model file in all processes together: an interpreter may copy its weights


def main() -> int:
    """Run every signature that has inputs."""
    bundle, inputs, out, result = map(Path, sys.argv[1:5])
    sys.path.insert(0, str(bundle / "emulate"))
    sys.path.append(str(Path(__file__).parents[2]))  # of kit: its shared package needs numpy alone
    from emulate import this_bundle
    from harness.errors import EmulateError, broken
    from harness.files import read_npz
    from harness.golden import Golden
    from harness.interpreter import load_runner, quiet
    from harness.model import read_model
    from harness.state import assign

    from kit.shared.job import GOLDEN
    from kit.shared.npz import save_npz

    try:
        with quiet(), tempfile.TemporaryDirectory(dir=result.parent) as folder:
            model = read_model(this_bundle())
            if hashlib.sha256(model.content).hexdigest() != sys.argv[5]:
                return refuse("the model file is not the one that was converted", "build it again")
            for package in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter"):
                with contextlib.suppress(Exception):  # load_runner says so, in its own words
                    importlib.import_module(package)  # a further process has it already: no part of its cost
            begin = time.perf_counter()
            runner = load_runner(model, 1)
            cost = time.perf_counter() - begin
            vectors = Golden(out / GOLDEN, read_npz(out / GOLDEN, broken))
            arrays: Arrays = {}
            for signature in (model.main, *model.others):
                main = signature is model.main
                if not main and not vectors.has(signature, "input", next(iter(signature.inputs))):
                    continue
                assign(model.variables, runner, vectors.variables(model.variables))
                if main and is_splittable(model, out):
                    arrays |= split_outputs(model, runner, samples(inputs, out), cost, Path(folder))
                else:
                    arrays |= outputs(runner, signature, samples(inputs, out) if main else vectors.inputs(signature))
                if "edges" in sys.argv[7:]:
                    with contextlib.suppress(EmulateError):
                        arrays |= edge_outputs(runner, signature, vectors.inputs(signature))
                if "seeded" in sys.argv[7:] and (main or not model.variables):
                    assign(model.variables, runner, vectors.variables(model.variables))
                    with contextlib.suppress(EmulateError):
                        arrays |= seeded_outputs(runner, signature, vectors.inputs(signature))
            save_npz(result, arrays)
    except EmulateError as error:
        return refuse(str(error), error.hint)
    return 0


def samples(inputs: Path, out: Path) -> Samples:
    """Return what the main signature is fed, [N * rows, *sample] by name in its tensor's dtype: made when asked for."""
    from kit.shared.job import CALIBRATION, EVALUATED, EVALUATION, JOB, RESULT, Result, load_job, load_result
    from kit.shared.npz import map_npz
    from kit.shared.rows import fed_rows, signature_rows

    fed = {n.removeprefix("input/"): a for n, a in map_npz(out / EVALUATED).items() if n.startswith("input/")}
    if fed:
        return fed
    job, made = load_job((inputs / JOB).read_text("utf-8")), load_result((out / RESULT).read_text("utf-8"))
    assert isinstance(made, Result)
    given = map_npz(inputs / (EVALUATION if made.measured_on == "checks" else CALIBRATION))
    requests = {request.name: request for request in job.inputs}
    rows = signature_rows(made.signature.inputs, given, requests, "input/")
    return {spec.name: fed_rows(rows[spec.name], spec) for spec in made.signature.inputs}


def outputs(runner: Runner, signature: Signature, inputs: Samples) -> Arrays:
    """Return <prefix>output/<name> [N * rows, ...] of one signature in its dtype, and <prefix>again/<name> of one call.

    inputs: by name [N * rows, *sample] of each input in its dtype.
    """
    import numpy as np
    from harness.calls import call_of
    from harness.interpreter import ask, ask_all

    calls = ask_all(runner, signature, inputs)  # type: ignore[arg-type]  # rows that are made look like arrays
    # Once more: a file that keeps state between calls, without variables that it is meant to, gives something else.
    again = ask(runner, signature, call_of(signature.inputs, inputs, 0))  # type: ignore[arg-type]
    arrays = {f"{signature.prefix}again/{name}": again[name] for name in signature.outputs}
    for name, tensor in signature.outputs.items():
        join = np.concatenate if tensor.batched else np.stack
        arrays[f"{signature.prefix}output/{name}"] = join([call[name] for call in calls])
    return arrays


def is_splittable(model: Model, out: Path) -> bool:
    """Say whether calls of the main signature may be made by several processes: none changes what another gives.

    out: of the job, whose result says which outputs are drawn anew in each call. With a size that is found in the call
    there is no place to put an output at. Windows and macOS have no such processes.
    """
    from kit.shared.job import RESULT, Result, load_result

    if sys.platform != "linux" or model.variables is not None or not (out / RESULT).exists():
        return False
    result = load_result((out / RESULT).read_text("utf-8"))
    fixed = all(-1 not in tensor.shape for tensor in model.main.outputs.values())
    return fixed and isinstance(result, Result) and not result.drawn


def split_outputs(model: Model, runner: Runner, inputs: Samples, cost: float, folder: Path) -> Arrays:
    """Return what outputs does of the main signature, made by several processes where that takes less time.

    <prefix>output/<name> [N * rows, ...] in its dtype. inputs: as of outputs; cost: seconds that the runner took to
    load; folder: for the outputs, which are mapped.
    """
    from harness.calls import call_of, count_calls
    from harness.interpreter import ask, load_runner

    from kit.emulation.all_cores import Call, Work, run_calls

    signature, most = model.main, max(1, MOST_MODELS // (2 * len(model.content)))

    def call_on(own: Runner) -> Call:
        """Return what makes a call by its number."""
        return lambda number: ask(own, signature, call_of(signature.inputs, inputs, number))  # type: ignore[arg-type]

    work = Work(
        count_calls(signature, inputs),  # type: ignore[arg-type]
        lambda: call_on(load_runner(model, 1)),
        cost,
        min(int(sys.argv[6]), most),
        tell,
    )
    made = run_calls(work, call_on(runner), folder)
    arrays = {f"{signature.prefix}again/{name}": array for name, array in call_on(runner)(0).items()}
    for name, tensor in signature.outputs.items():
        whole = made[name]
        arrays[f"{signature.prefix}output/{name}"] = whole.reshape(-1, *whole.shape[2:]) if tensor.batched else whole
    return arrays


def tell(done: int, total: int, processes: int) -> None:
    """Say how far it is."""
    sys.stdout.write(json.dumps({"done": done, "total": total, "processes": processes}) + "\n")
    sys.stdout.flush()


def seeded_outputs(runner: Runner, signature: Signature, golden: Arrays) -> Arrays:
    """Return <prefix>seeded/<output> [VECTORS, *shape of one call] in its dtype, <prefix>range/<input> float64 [2].

    golden: by name [N * rows, *sample] of each input in its dtype.
    """
    import numpy as np
    from harness.interpreter import ask

    from kit.shared.seeded import VECTORS, range_of, seed_of, seeded

    ranges = {
        name: range_of(golden[name], whole=tensor.scale is not None or tensor.kind == "image")
        for name, tensor in signature.inputs.items()
    }
    calls = []
    for vector in range(VECTORS):
        fed = {}
        for position, (name, tensor) in enumerate(signature.inputs.items()):
            values = seeded(tensor.dtype, math.prod(tensor.shape), *ranges[name], seed_of(vector, position))
            fed[name] = values.reshape(tensor.shape)
        calls.append(ask(runner, signature, fed))
    arrays = {f"{signature.prefix}range/{name}": np.array(limits) for name, limits in ranges.items()}
    return arrays | {
        f"{signature.prefix}seeded/{name}": np.stack([call[name] for call in calls]) for name in signature.outputs
    }


def edge_outputs(runner: Runner, signature: Signature, golden: Arrays) -> Arrays:
    """Return <prefix>edge_input/<name> and <prefix>edge_output/<name>, [calls * rows, ...] in their dtypes.

    golden: by name [N * rows, *sample] of each input in its dtype.
    """
    import numpy as np
    from harness.calls import call_of
    from harness.interpreter import ask

    from kit.shared.edges import EdgeInput, edge_vectors

    first = call_of(signature.inputs, golden, 0)
    made = {
        name: EdgeInput(
            first[name].shape, golden[name], tensor.zero_point, tensor.scale is not None, tensor.kind == "image"
        )
        for name, tensor in signature.inputs.items()
    }
    fed = edge_vectors(made)
    calls = [ask(runner, signature, each) for each in fed]
    again = [ask(runner, signature, each) for each in fed[:1]]
    steady = all(calls[0][name].tobytes() == call[name].tobytes() for call in again for name in signature.outputs)
    if not fed or not steady or any(len({call[name].shape for call in calls}) > 1 for name in signature.outputs):
        return {}
    arrays: Arrays = {}
    for kind, tensors, rows in (("input", signature.inputs, fed), ("output", signature.outputs, calls)):
        for name, tensor in tensors.items():
            join = np.concatenate if tensor.batched else np.stack
            arrays[f"{signature.prefix}edge_{kind}/{name}"] = join([row[name] for row in rows])
    return arrays


def refuse(error: str, hint: str) -> int:
    """Say why there is nothing."""
    sys.stdout.write(json.dumps({"error": error, "hint": hint}) + "\n")
    return 3


if __name__ == "__main__":
    raise SystemExit(main())
