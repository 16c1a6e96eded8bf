"""The produced .tflite, run by the toolchain's own interpreter: its signatures by name, and its outputs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from kit.shared.another_version import ANOTHER, FLOAT, LESS
from kit.shared.calls import calls
from kit.shared.job import JobError, SignatureSpec, TensorSpec
from kit.shared.preprocess import dequantize
from kit.shared.rows import Arrays, fed_rows
from kit.worker.evaluation.kernel_errors import explained
from kit.worker.source.contract import Contract
from kit.worker.tflite_file.output_scales import dequantized


class Product:
    """A .tflite file that can be asked. Addresses every tensor by its name in a signature, never by position."""

    def __init__(
        self,
        content: bytes,
        contracts: Sequence[Contract],
        *,
        bound: float | None = None,
        random: Mapping[str, Collection[str]] | None = None,
        layers: Collection[str] = (),
        resets: bool = False,
    ) -> None:
        self._resets = resets  # before each call, what operators keep
        # Of float32 throughout: by how much its outputs may differ from the source's, of the largest value.
        self.bound = bound
        self.random = random or {}  # by signature: outputs that are drawn anew in each call
        self._layers = layers
        self._interpreter: Any = None
        try:
            self._interpreter = _interpreter(content)
            # Before 2.19 a signature's runner that has to allocate by itself leaves XNNPACK out, and with it the
            # kernels that an app runs: int8 outputs were up to six steps off.
            self._interpreter.allocate_tensors()
            self._runners = {each.key: self._interpreter.get_signature_runner(each.key) for each in contracts}
        except (ValueError, RuntimeError) as error:
            hint = _NO_FLEX if "Flex" in str(error) else _next(bound)
            why = explained(str(error), self._interpreter, layers)
            raise JobError("model", f"the converted file does not run: {why}", hint) from error
        self.signatures = {
            each.key: SignatureSpec(
                each.key,
                _specs(self._runners[each.key].get_input_details(), each.inputs),
                _specs(self._runners[each.key].get_output_details(), each.outputs),
            )
            for each in contracts
        }
        # Of float outputs that an int8 file dequantizes itself: what one quantization step is, in real values.
        self.hidden_steps = dequantized(content)

    @property
    def flex(self) -> tuple[str, ...]:
        """Return TensorFlow's own kernels that the file needs: "FlexErf"."""
        names = {op["op_name"] for op in self._interpreter._get_ops_details()}
        return tuple(sorted(name for name in names if name.startswith("Flex")))

    def plain(self, key: str) -> Any:
        """Return the runner of a signature that no contract describes, such as that of kept variables."""
        return self._interpreter.get_signature_runner(key)

    def ask(self, key: str, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run a signature once on raw arrays of the file's own shapes and types; return raw outputs by name."""
        try:
            if self._resets:
                self._interpreter.reset_all_variables()
            return {name: np.asarray(value) for name, value in self._runners[key](**feeds).items()}
        except (ValueError, RuntimeError) as error:
            why = explained(str(error), self._interpreter, self._layers)
            raise JobError("model", f"the converted file does not run: {why}", _next(self.bound)) from error

    def ask_all(
        self, key: str, samples: Arrays, advance: Callable[[int, int], None] | None = None
    ) -> tuple[Arrays, dict[str, np.ndarray]]:
        """Run a signature on real values [N, ...] by input name, in any dtype of numbers, as many at a time as it
        takes.

        Returns (what was fed, the outputs), raw, each [N, ...] by name.
        """
        signature = self.signatures[key]
        fed = {spec.name: fed_rows(samples[spec.name], spec) for spec in signature.inputs}
        rows = []
        chunks = calls(signature.inputs, fed)
        for done, feeds in enumerate(chunks, 1):
            rows.append(self.ask(key, feeds))
            if advance is not None:
                advance(done, len(chunks))
        return fed, {spec.name: joined([row[spec.name] for row in rows], spec) for spec in signature.outputs}


def _interpreter(content: bytes) -> Any:
    """Return an interpreter of the file that computes as an app's runtime does.

    From 2.20 on XNNPACK multiplies several int8 matrices wrongly inside TensorFlow's own interpreter (attention:
    a tenth of the range), and LiteRT does not: there the kernels without it are nearer to the app's.
    """
    interpreter = tf.lite.Interpreter(model_content=content)
    if tuple(int(n) for n in tf.__version__.split(".")[:2]) < (2, 20):
        return interpreter
    types = {detail["index"]: np.dtype(detail["dtype"]) for detail in interpreter.get_tensor_details()}
    operators = interpreter._get_ops_details()
    if not any(op["op_name"] == "BATCH_MATMUL" and types.get(op["outputs"][0]) == np.int8 for op in operators):
        return interpreter
    plain = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return tf.lite.Interpreter(model_content=content, experimental_op_resolver_type=plain)


def joined(rows: Sequence[np.ndarray], spec: TensorSpec) -> np.ndarray:
    """Put an output of all calls into one array [N, ...] of its dtype. rows: [rows, ...] each, or [...] without a
    batch.

    Raises JobError where samples of one shape give outputs of several.
    """
    if len({row.shape[1:] if spec.batched else row.shape for row in rows}) > 1:
        raise JobError(
            "model", f"output '{spec.name}' has another shape from sample to sample", "leave it out: [model] outputs"
        )
    return np.concatenate(rows) if spec.batched else np.stack(rows)


def real(values: np.ndarray, spec: TensorSpec) -> np.ndarray:
    """Return float32 real values, in values' shape, of what the tensor holds, raw."""
    if spec.scale is None or spec.zero_point is None:
        return values.astype(np.float32)
    return dequantize(values, spec.scale, spec.zero_point)


_NO_FLEX = "it needs TensorFlow's own kernels, and the interpreter has them up to 2.18: take TensorFlow 2.18.1"


def _next(bound: float | None) -> str:
    """Return what to try where the file does not run. bound: None but for float32."""
    return FLOAT if bound is None else LESS


def _specs(details: Mapping[str, Any], wanted: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    names = [spec.name for spec in wanted]
    if sorted(details) != sorted(names):
        raise JobError(
            "model",
            f"the produced file has {sorted(details)} where the model has {sorted(names)}",
            ANOTHER,
        )
    return tuple(_spec(spec, details[spec.name]) for spec in wanted)


def _spec(wanted: TensorSpec, detail: Mapping[str, Any]) -> TensorSpec:
    scale, zero_point = detail["quantization"]
    shape = tuple(int(n) for n in detail["shape_signature"])
    dtype = np.dtype(detail["dtype"])
    quantized = bool(scale) and dtype.kind in "iu"
    return replace(
        wanted,
        shape=shape,
        dtype=dtype.name,
        scale=float(scale) if quantized else None,
        zero_point=int(zero_point) if quantized else None,
        origin="" if wanted.origin == wanted.name else wanted.origin,
    )
