"""Write the outputs of a bundle's model on the runtime of this Python, through the bundle's own harness.

Usage: runtime_outputs.py BUNDLE EVALUATED.npz GOLDEN.npz OUT.npz SHA256. A script that runs in the runtime's venv:
never imported. OUT has output/<name> [N, ...] for every evaluation sample of the main signature, and
signature/<key>/output/<name> for the golden ones of every other; raw, with the variables as built before each. again/
has what the first call gives when it is asked once more at the end.
Where it cannot, it prints {"error", "hint"} and ends with 3. SHA256 is of the model file that has to be there.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.files import Arrays
    from harness.interpreter import Runner
    from harness.signature import Signature


def main() -> int:
    """Run every signature that has inputs."""
    bundle, evaluated, golden, out = map(Path, sys.argv[1:5])
    sys.path.insert(0, str(bundle / "emulate"))
    import numpy as np
    from emulate import this_bundle
    from harness.errors import EmulateError, broken
    from harness.files import read_npz
    from harness.golden import Golden
    from harness.interpreter import load_runner, quiet
    from harness.model import read_model
    from harness.state import assign

    try:
        with quiet():
            model = read_model(this_bundle())
            if hashlib.sha256(model.content).hexdigest() != sys.argv[5]:
                return refuse("the model file is not the one that was converted", "build it again")
            runner = load_runner(model, 1)
            vectors = Golden(golden, read_npz(golden, broken))
            samples = Golden(evaluated, read_npz(evaluated, broken))
            arrays: Arrays = {}
            for signature in (model.main, *model.others):
                source = samples if signature is model.main else vectors
                if not source.has(signature, "input", next(iter(signature.inputs))):
                    continue
                assign(model.variables, runner, vectors.variables(model.variables))
                arrays |= outputs(runner, signature, source.inputs(signature))
    except EmulateError as error:
        return refuse(str(error), error.hint)
    np.savez(out, **arrays)  # type: ignore[arg-type]
    return 0


def outputs(runner: Runner, signature: Signature, inputs: Arrays) -> Arrays:
    """Return <prefix>output/<name> [N * rows, ...] of one signature in its dtype, and <prefix>again/<name> of one call.

    inputs: by name [N * rows, *sample] of each input in its dtype.
    """
    import numpy as np
    from harness.calls import call_of
    from harness.interpreter import ask, ask_all

    calls = ask_all(runner, signature, inputs)
    # Once more: a file that keeps state between calls, without variables that it is meant to, gives something else.
    again = ask(runner, signature, call_of(signature.inputs, inputs, 0))
    arrays = {f"{signature.prefix}again/{name}": again[name] for name in signature.outputs}
    for name, tensor in signature.outputs.items():
        join = np.concatenate if tensor.batched else np.stack
        arrays[f"{signature.prefix}output/{name}"] = join([call[name] for call in calls])
    return arrays


def refuse(error: str, hint: str) -> int:
    """Say why there is nothing."""
    sys.stdout.write(json.dumps({"error": error, "hint": hint}) + "\n")
    return 3


if __name__ == "__main__":
    raise SystemExit(main())
