"""Take out of each bias what its operator's outputs differ by, in the mean over the calibration data, layer by layer.

Quantized weights shift the mean of an output; the next operators see the mended one. Source: Nagel et al., Data-Free
Quantization Through Weight Equalization and Bias Correction (2019), section 4.2, with measured means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from kit.quantizer.inside.tensors import Tensors, real
from kit.shared.calls import Feeds

_WITH_BIAS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
_BIAS_AT = {"TRANSPOSE_CONV": 3}  # of its inputs; 2 of the others


def corrected(exact: Tensors, content: bytes, calls: Mapping[str, Sequence[Feeds]]) -> bytes:
    """Return a quantized file with other biases. exact: the float file; calls: calibration data by signature,
    each by input name [...] in its dtype.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    for signature, rows in calls.items():
        graph = model.subgraphs[exact.graphs[signature]]
        for operator in graph.operators:
            bias = _bias(model, graph, operator)
            if bias is None:
                continue
            name = graph.tensors[operator.outputs[0]].name.decode()
            off = _mean_error(exact, Tensors.of(content), (signature, rows), name)
            if off is not None and _add(model, bias, off):
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


def _mean_error(exact: Tensors, product: Tensors, given: tuple[str, Sequence[Feeds]], name: str) -> np.ndarray | None:
    """Return by how much the float output lies above the product's, in the mean of each channel: float64 [channels].

    given: a signature and its calls. None where one of the two has no such tensor.
    """
    signature, rows = given
    scale, total, count = product.scales(signature).get(name), None, 0
    for call in rows:
        one, other = (dict(file.values(signature, call, {name})).get(name) for file in (exact, product))
        if one is None or other is None or one.shape != other.shape or not one.ndim:
            return None
        off = (one.astype(np.float64) - real(other, scale)).reshape(-1, one.shape[-1])
        total = off.sum(axis=0) if total is None else total + off.sum(axis=0)
        count += len(off)
    return None if total is None else np.asarray(total / count)


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
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(after.tobytes(), np.uint8)
    bias.buffer = len(model.buffers)
    model.buffers.append(buffer)
    return True
