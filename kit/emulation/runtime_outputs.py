"""Write what a bundle's model answers on the runtime of this Python, through the bundle's own harness.

Usage: runtime_outputs.py BUNDLE EVALUATED.npz GOLDEN.npz OUT.npz SHA256. A script that runs in the runtime's venv:
never imported. OUT has output/<name> [N, ...] for every evaluation sample of the main signature, and
signature/<key>/output/<name> for the golden ones of every other; raw, with the variables as built before each. again/
has what the first call gives when it is asked once more at the end.
Where it cannot, it prints {"error", "hint"} and ends with 3. SHA256 is of the model file that has to be there.
"""

import hashlib
import importlib
import json
import sys
from pathlib import Path
from typing import Any


def main() -> int:
    """Run every signature that has inputs."""
    bundle, evaluated, golden, out = map(Path, sys.argv[1:5])
    sys.path.insert(0, str(bundle / "emulate"))
    import numpy as np

    emulate = importlib.import_module("emulate")

    try:
        with emulate.quiet():
            model = emulate.read_model()
            if hashlib.sha256(model.content).hexdigest() != sys.argv[5]:
                return refuse("the model file is not the one that was converted", "build it again")
            runner = emulate.load_runner(model, 1)
            vectors = emulate.read_npz(golden, emulate.broken)
            samples = emulate.read_npz(evaluated, emulate.broken)
            kept = model.variables
            built = {} if kept is None else {name: vectors[f"variable/{name}"] for name in kept.tensors}
            arrays: dict[str, Any] = {}
            for signature in (model.main, *model.others):
                source = samples if signature is model.main else vectors
                if f"{signature.prefix}input/{next(iter(signature.inputs))}" not in source:
                    continue
                emulate.assign(kept, runner, built)
                arrays |= answers(np, emulate, runner, signature, source)
    except emulate.EmulateError as error:
        return refuse(str(error), error.hint)
    np.savez(out, **arrays)
    return 0


def answers(np: Any, emulate: Any, runner: Any, signature: Any, source: dict[str, Any]) -> dict[str, Any]:
    """Return <prefix>output/<name> of one signature, call after call."""
    fed = {name: source[f"{signature.prefix}input/{name}"] for name in signature.inputs}
    first = next(iter(signature.inputs.values()))
    rows = [
        emulate.ask(runner, signature, emulate.call_of(signature.inputs, fed, index))
        for index in range(len(fed[first.name]) // first.rows)
    ]
    # Once more: a file that keeps state between calls, without variables that it is meant to, gives something else.
    again = emulate.ask(runner, signature, emulate.call_of(signature.inputs, fed, 0))
    once = {f"{signature.prefix}again/{name}": np.asarray(again[name]) for name in signature.outputs}
    return once | {
        f"{signature.prefix}output/{name}": (np.concatenate if tensor.batched else np.stack)([r[name] for r in rows])
        for name, tensor in signature.outputs.items()
    }


def refuse(error: str, hint: str) -> int:
    """Say why there is nothing."""
    sys.stdout.write(json.dumps({"error": error, "hint": hint}) + "\n")
    return 3


if __name__ == "__main__":
    raise SystemExit(main())
