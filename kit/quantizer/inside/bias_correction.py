"""Take out of each bias what its operator's outputs differ by, in the mean over the calibration data, layer by layer.

Quantized weights shift the mean of an output; the next operators see the mended one. Source: Nagel et al., Data-Free
Quantization Through Weight Equalization and Bias Correction (2019), section 4.2, with measured means.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from kit.quantizer.inside.tensors import Tensors, real
from kit.shared.calls import Feeds

_WITH_BIAS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
# Each operator needs a run of the file for each sample: fewer samples where there are many operators.
_RUNS, _FEWEST, _MOST = 1024, 8, 64
_BIAS_AT = {"TRANSPOSE_CONV": 3}  # of its inputs; 2 of the others


def corrected(exact: Tensors, content: bytes, calls: Mapping[str, Sequence[Feeds]]) -> bytes:
    """Return a quantized file with other biases.

    exact: the float file; calls: calibration data by signature, each by input name [...] in its dtype: 8 to 64 of them
    are used.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    for signature, given in calls.items():
        graph = model.subgraphs[exact.graphs[signature]]
        biased = [
            (bias, graph.tensors[operator.outputs[0]].name.decode())
            for operator in graph.operators
            if (bias := _bias(model, graph, operator)) is not None
        ]
        rows = given[: max(_FEWEST, min(_MOST, _RUNS // max(1, len(biased))))]
        wanted = _means(exact, (signature, rows), {name for _, name in biased})
        for bias, name in biased:
            found = _means(Tensors.of(content), (signature, rows), {name}).get(name)
            if found is None or name not in wanted or found.shape != wanted[name].shape:
                continue
            if _add(model, bias, wanted[name] - found):
                content = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    return content


def _bias(model: Any, graph: Any, operator: Any) -> Any:
    """Return the tensor of an operator's constant bias, None where it has none."""
    name = flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex)
    at = _BIAS_AT.get(name or "", 2)
    if name not in _WITH_BIAS or len(operator.inputs) <= at or operator.inputs[at] < 0:
        return None
    tensor = graph.tensors[operator.inputs[at]]
    return tensor if model.buffers[tensor.buffer].data is not None else None


def _means(file: Tensors, given: tuple[str, Sequence[Feeds]], names: Collection[str]) -> dict[str, np.ndarray]:
    """Return the mean of each channel (the last axis) of some tensors over all calls, by name: float64 [channels].

    given: a signature and its calls. Without those that the file does not have.
    """
    signature, rows = given
    scales, sums, counts = file.scales(signature), dict[str, np.ndarray](), dict[str, int]()
    for call in rows:
        for name, value in file.values(signature, call, names):
            if value.ndim:
                values = real(value, scales.get(name)).reshape(-1, value.shape[-1])
                sums[name] = sums.get(name, 0.0) + values.sum(axis=0)
                counts[name] = counts.get(name, 0) + len(values)
    return {name: total / counts[name] for name, total in sums.items()}


def _add(model: Any, bias: Any, off: np.ndarray) -> bool:
    """Add real values [channels] to a bias of float32 or int32; say whether that changed it."""
    integer = bias.type == schema.TensorType.INT32
    dtype = np.int32 if integer else np.float32
    if not integer and bias.type != schema.TensorType.FLOAT32:
        return False
    before = np.frombuffer(bytes(model.buffers[bias.buffer].data), dtype)
    if before.size != off.size:
        return False
    if integer:
        steps = np.rint(off / np.asarray(bias.quantization.scale, np.float64))
        after = np.clip(before.astype(np.int64) + steps.astype(np.int64), -(2**31), 2**31 - 1).astype(np.int32)
    else:
        after = (before + off).astype(np.float32)
    if np.array_equal(before, after):
        return False
    data = np.frombuffer(after.tobytes(), np.uint8)
    if sum(tensor.buffer == bias.buffer for graph in model.subgraphs for tensor in graph.tensors) == 1:
        model.buffers[bias.buffer].data = data
        return True
    buffer = schema.BufferT()
    buffer.data = data
    bias.buffer = len(model.buffers)
    model.buffers.append(buffer)
    return True
