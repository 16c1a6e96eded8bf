"""The produced .tflite, run by the toolchain's own interpreter: its signature by name, and its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kit.preprocess import dequantize, quantize
from kit.worker.job import SIGNATURE, JobError, TensorSpec


class Product:
    """A .tflite file that can be asked. Addresses every tensor by its name in the signature, never by position."""

    def __init__(self, content: bytes, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        try:
            interpreter = tf.lite.Interpreter(model_content=content)
            hidden = _hidden_steps(interpreter)
            # Before 2.19 a signature's runner that has to allocate by itself leaves XNNPACK out, and with it the
            # kernels that an app runs: int8 answers were up to six steps off.
            interpreter.allocate_tensors()
            self._runner = interpreter.get_signature_runner(SIGNATURE)
        except (ValueError, RuntimeError) as error:
            raise JobError("model", f"the produced file cannot be run: {str(error)[:300]}", _REPORT) from error
        self.inputs = _specs(self._runner.get_input_details(), inputs)
        details = self._runner.get_output_details()
        self.outputs = _specs(details, outputs)
        # Of float outputs that an int8 file dequantizes itself: what one quantization step is, in real values.
        self.hidden_steps = {
            name: hidden[details[name]["index"]] for name in outputs if details[name]["index"] in hidden
        }

    def ask(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run once on raw arrays of the file's own shapes and types; return raw outputs by name."""
        try:
            return {name: np.asarray(value) for name, value in self._runner(**feeds).items()}
        except (ValueError, RuntimeError) as error:
            raise JobError("model", f"the produced file fails when it runs: {str(error)[:300]}", _REPORT) from error

    def ask_all(
        self, samples: Mapping[str, np.ndarray], advance: Callable[[int, int], None]
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Run on real values [N, ...] by input name, one at a time.

        Returns (what was fed, what was answered), raw, each [N, ...] by name.
        """
        count = len(next(iter(samples.values())))
        fed = {spec.name: raw(samples[spec.name], spec) for spec in self.inputs}
        rows = []
        for row in range(count):
            rows.append(self.ask({name: array[row : row + 1] for name, array in fed.items()}))
            advance(row + 1, count)
        return fed, {spec.name: np.concatenate([row[spec.name] for row in rows]) for spec in self.outputs}


def raw(values: np.ndarray, spec: TensorSpec) -> np.ndarray:
    """Return real values as the tensor takes them: quantized where it is quantized, else in its type."""
    if spec.scale is None or spec.zero_point is None:
        return values.astype(spec.dtype)
    return quantize(values, spec.scale, spec.zero_point, spec.dtype)


def real(values: np.ndarray, spec: TensorSpec) -> np.ndarray:
    """Return float32 real values of what the tensor holds."""
    if spec.scale is None or spec.zero_point is None:
        return values.astype(np.float32)
    return dequantize(values, spec.scale, spec.zero_point)


_REPORT = "try another scheme or TensorFlow version; the log has the whole message"


def _hidden_steps(interpreter: Any) -> dict[int, float]:
    """Return the scale under each tensor that a DEQUANTIZE makes, by the tensor's index."""
    scales = {tensor["index"]: float(tensor["quantization"][0]) for tensor in interpreter.get_tensor_details()}
    made = [op for op in interpreter._get_ops_details() if op["op_name"] == "DEQUANTIZE"]
    return {int(op["outputs"][0]): scales[int(op["inputs"][0])] for op in made}


def _specs(details: Mapping[str, Any], names: Sequence[str]) -> tuple[TensorSpec, ...]:
    if sorted(details) != sorted(names):
        raise JobError(
            "model",
            f"the produced file has {sorted(details)} where the model has {sorted(names)}",
            "the converter lost a name: try another TensorFlow version",
        )
    return tuple(_spec(name, details[name]) for name in names)


def _spec(name: str, detail: Mapping[str, Any]) -> TensorSpec:
    scale, zero_point = detail["quantization"]
    shape = tuple(int(n) for n in detail["shape_signature"])
    dtype = np.dtype(detail["dtype"])
    quantized = bool(scale) and dtype.kind in "iu"
    return TensorSpec(
        name, shape, dtype.name, float(scale) if quantized else None, int(zero_point) if quantized else None
    )
