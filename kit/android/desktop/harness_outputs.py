"""Write what a bundle's own harness gives for its golden inputs, as raw arrays. Runs in the runtime's venv.

Usage: harness_outputs.py BUNDLE OUT.npz. The names are golden.bin's: "<signature>/output/<tensor>"; the first axis
counts calls. Variables are as built before each signature.
"""

import sys
from pathlib import Path


def main() -> int:
    """Run every signature that has golden inputs."""
    bundle, out = Path(sys.argv[1]), Path(sys.argv[2])
    sys.path.insert(0, str(bundle / "emulate"))
    import numpy as np
    from emulate import this_bundle
    from harness.golden import read_golden
    from harness.interpreter import ask, ask_all, load_runner
    from harness.model import read_model
    from harness.state import assign

    model = read_model(this_bundle())
    runner, golden, kept = load_runner(model, 1), read_golden(model), model.variables
    built = golden.variables(kept)
    arrays = {}
    for signature in model.runnable:
        if not golden.has_vectors(signature):
            continue
        assign(kept, runner, built)
        calls = ask_all(runner, signature, golden.inputs(signature))
        for name in signature.outputs:
            arrays[f"{signature.key}/output/{name}"] = np.stack([call[name] for call in calls])
    if kept is not None:
        assign(kept, runner, built)
        read = ask(runner, kept.read, {})
        arrays |= {f"{kept.read.key}/output/{name}": read[name][None] for name in kept.tensors}
    np.savez(out, *arrays.values(), names=np.array([*arrays]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
