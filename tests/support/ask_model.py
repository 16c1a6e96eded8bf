"""Ask a .tflite file on LiteRT, sample by sample and by names: `python ask_model.py MODEL INPUTS.npz OUTPUTS.npz`.

Knows nothing of kit: what a test holds a bundle against must not come from the kit itself.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def main(model: str, inputs: str, outputs: str) -> None:
    """Write the real values of every output, [N, ...] by name, for inputs [N, ...] by name in an .npz."""
    interpreter = Interpreter(model_path=model)
    run = interpreter.get_signature_runner(sorted(interpreter.get_signature_list())[-1])
    takes, gives = run.get_input_details(), run.get_output_details()
    with np.load(inputs) as archive:
        samples = {name: archive[name] for name in archive.files}
    assert set(samples) == set(takes), (sorted(samples), sorted(takes))
    rows = []
    for i in range(len(next(iter(samples.values())))):
        predictions = run(**{name: _raw(value[i : i + 1], takes[name]) for name, value in samples.items()})
        rows.append({name: _real(value, gives[name]) for name, value in predictions.items()})
    found: Any = {name: np.concatenate([row[name] for row in rows]) for name in gives}
    np.savez(outputs, **found)


def _raw(value: Any, detail: Any) -> Any:
    scale, zero = detail["quantization"]
    if not scale:
        return value.astype(detail["dtype"])
    limits = np.iinfo(detail["dtype"])
    return np.clip(np.round(value / scale) + zero, limits.min, limits.max).astype(detail["dtype"])


def _real(value: Any, detail: Any) -> Any:
    scale, zero = detail["quantization"]
    return (value.astype(np.float64) - zero) * scale if scale else value.astype(np.float64)


if __name__ == "__main__":
    main(*sys.argv[1:])
