"""Write what a bundle's own harness gives for its golden inputs, as raw arrays. Runs in the runtime's venv.

Usage: harness_outputs.py BUNDLE OUT.npz. The names are golden.bin's: "<signature>/output/<tensor>"; the first axis
counts calls. Variables are as built before each signature.
"""

import importlib
import sys
from pathlib import Path


def main() -> int:
    """Run every signature that has golden inputs."""
    bundle, out = Path(sys.argv[1]), Path(sys.argv[2])
    sys.path.insert(0, str(bundle / "emulate"))
    import numpy as np

    emulate = importlib.import_module("emulate")

    model = emulate.read_model()
    runner = emulate.load_runner(model, 1)
    golden = emulate.read_golden(model)
    kept = model.variables
    built = {} if kept is None else {name: golden[f"variable/{name}"] for name in kept.tensors}
    arrays = {}
    for signature in model.runnable:
        if not emulate.has_vectors(signature, golden):
            continue
        fed = {name: golden[f"{signature.prefix}input/{name}"] for name in signature.inputs}
        first = next(iter(signature.inputs.values()))
        emulate.assign(kept, runner, built)
        calls = [
            emulate.ask(runner, signature, emulate.call_of(signature.inputs, fed, index))
            for index in range(len(fed[first.name]) // first.rows)
        ]
        for name in signature.outputs:
            arrays[f"{signature.key}/output/{name}"] = np.stack([call[name] for call in calls])
    if kept is not None:
        emulate.assign(kept, runner, built)
        read = emulate.ask(runner, kept.read, {})
        arrays |= {f"{kept.read.key}/output/{name}": read[name][None] for name in kept.tensors}
    np.savez(out, *arrays.values(), names=np.array([*arrays]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
