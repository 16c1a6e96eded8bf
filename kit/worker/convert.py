"""From a loaded model to the bytes of a .tflite file. Knows the converter's options; measures nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from kit.worker.fold import fold_normalization
from kit.worker.job import SIGNATURE, Job, JobError
from kit.worker.source import Source

Arrays = Mapping[str, np.ndarray]


def export(source: Source, shapes: Mapping[str, tuple[int, ...]], folder: Path) -> None:
    """Write a SavedModel whose one signature has the model's own names, its weights frozen to constants.

    Frozen first: saved any other way, a Keras 3 model can lose its weights and only fail on the device.
    """
    ports = {port.name: port for port in source.inputs}
    specs = {name: tf.TensorSpec(shape, ports[name].dtype) for name, shape in shapes.items()}
    names = list(specs)
    outputs = [port.name for port in source.outputs]

    # Positional and flat, so that no order is left to chance: names come back in the signature below.
    def flat(*tensors: Any) -> list[Any]:
        answers = source.call(dict(zip(names, tensors, strict=True)))
        # identity: an output that is an input, or the same tensor twice, still gets a tensor of its own
        return [tf.identity(answers[name]) for name in outputs]

    frozen = convert_variables_to_constants_v2(
        tf.function(flat, autograph=False).get_concrete_function(*specs.values()), lower_control_flow=False
    )
    left = [op.name for op in frozen.graph.get_operations() if op.type in {"VarHandleOp", "ReadVariableOp"}]
    if left:
        raise JobError(
            "model",
            f"{len(left)} variables could not be frozen: {', '.join(left[:3])}",
            "this model keeps state between calls, which is not supported yet",
        )

    graph = fold_normalization(frozen.graph.as_graph_def())
    taken, given = [tensor.name for tensor in frozen.inputs], [tensor.name for tensor in frozen.outputs]

    def serve(**feeds: Any) -> dict[str, Any]:
        feed = dict(zip(taken, [feeds[name] for name in names], strict=True))
        answers = tf.graph_util.import_graph_def(graph, input_map=feed, return_elements=given, name="")
        return dict(zip(outputs, answers, strict=True))

    module = tf.Module()
    module.serve = tf.function(serve, autograph=False)
    named = {name: tf.TensorSpec(spec.shape, spec.dtype, name=name) for name, spec in specs.items()}
    tf.saved_model.save(module, str(folder), signatures={SIGNATURE: module.serve.get_concrete_function(**named)})


def convert(folder: Path, job: Job, calibration: Arrays) -> bytes:
    """Convert an exported SavedModel to the job's scheme; calibration maps input names to [N, ...] arrays.

    Raises JobError (kind "model") where the converter refuses.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=[SIGNATURE])
    if job.scheme != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if job.scheme == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if job.scheme == "int8":
        converter.representative_dataset = lambda: _rows(calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.as_dtype(job.io)
    try:
        return bytes(converter.convert())
    except Exception as error:
        raise _refusal(error, job.scheme) from error


def _rows(arrays: Arrays) -> Iterator[dict[str, np.ndarray]]:
    """Yield one sample at a time, batch 1, by input name: the converter's order of inputs is not the model's."""
    for row in range(len(next(iter(arrays.values())))):
        yield {name: array[row : row + 1] for name, array in arrays.items()}


def _refusal(error: Exception, scheme: str) -> JobError:
    text = str(error)
    ops = sorted(set(re.findall(r"tf\.(\w+)' op is neither a custom op nor a flex op", text)))
    if ops:
        return JobError(
            "model",
            f"no TFLite builtin does what the model needs: {', '.join(ops)}",
            "replace the layer that uses it by one that TFLite has",
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = next((line for line in lines if "error:" in line), lines[0] if lines else type(error).__name__)
    hint = (
        'try scheme = "float32" to see whether quantization is the cause'
        if scheme != "float32"
        else "the log has the whole message"
    )
    return JobError("model", f"the converter refused the model: {telling[:300]}", hint)
