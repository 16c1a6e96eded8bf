"""Run a .tflite file on LiteRT: `python interpreter.py MODEL INPUTS.npz OUTPUTS.npz`. Runs in a runtime's venv.

Knows nothing of the kit: signature names alone, one sample a call, real values in and out. The first sample is asked
once more at the end, as again/<name>: a file that gives something else then keeps state between calls.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np


def main(model: str, inputs: str, outputs: str) -> None:
    """Ask every sample [N, ...] and write what comes out, [N, ...] float32 by output name."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=model)
    runner = interpreter.get_signature_runner(_main_signature(interpreter.get_signature_list()))
    with np.load(inputs) as file:
        samples = {name: file[name] for name in file.files}
    takes, gives = runner.get_input_details(), runner.get_output_details()
    if set(takes) != set(samples):
        raise SystemExit(f"the file takes {sorted(takes)}, the samples are {sorted(samples)}")
    count = len(next(iter(samples.values())))
    rows = [_ask(runner, takes, gives, {n: a[i : i + 1] for n, a in samples.items()}) for i in [*range(count), 0]]
    arrays = {name: np.concatenate([row[name] for row in rows[:-1]]) for name in gives}
    arrays |= {f"again/{name}": rows[-1][name] for name in gives}
    np.savez(outputs, **arrays)  # type: ignore[arg-type]


def _main_signature(signatures: dict[str, Any]) -> str:
    return "serving_default" if "serving_default" in signatures else next(iter(signatures))


def _ask(runner: Any, takes: Any, gives: Any, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    given = runner(**{name: _quantized(a, takes[name]) for name, a in feed.items()})
    return {name: _real(value, gives[name]) for name, value in given.items()}


def _quantized(values: np.ndarray, details: Any) -> np.ndarray:
    scale, zero_point = details["quantization"]
    dtype = details["dtype"]
    if not scale:
        return values.astype(dtype)
    steps = np.round(values / scale) + zero_point
    return np.asarray(np.clip(steps, np.iinfo(dtype).min, np.iinfo(dtype).max), dtype)


def _real(values: np.ndarray, details: Any) -> np.ndarray:
    scale, zero_point = details["quantization"]
    # A number without an axis counts as one for the sample.
    values = np.atleast_1d(values)
    return ((values.astype(np.float32) - zero_point) * scale if scale else values.astype(np.float32)).astype(np.float32)


if __name__ == "__main__":
    main(*sys.argv[1:4])
