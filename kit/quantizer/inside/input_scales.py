"""The operators that OSCAR adds before dense layers: each tensor of them has a name of its own, and its layer's.

litert-quantizer names the scaled tensor after what is scaled: two layers that share an input share that name, too.
"""

from __future__ import annotations

from typing import Any

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils


def with_named_scales(content: bytes, exact: bytes) -> bytes:
    """Return a file whose added multiplications are named after the dense layer that takes them. exact: the float file,
    which has none of them."""
    model, first = (flatbuffer_utils.read_model_from_bytearray(bytearray(each)) for each in (content, exact))
    before = {tensor.name for graph in first.subgraphs for tensor in graph.tensors}
    for code in model.operatorCodes:
        if code.builtinCode == schema.BuiltinOperator.MUL:
            code.customCode, code.deprecatedBuiltinCode = None, code.builtinCode  # as the converter writes it
    for graph in model.subgraphs:
        for operator in graph.operators:
            output = graph.tensors[operator.outputs[0]] if len(operator.outputs) else None
            if output is None or output.name in before or not _multiplies(model, operator):
                continue
            name = _layer(graph, operator.outputs[0])
            output.name = name + b"/scaled"
            scales = graph.tensors[operator.inputs[1]]
            if scales.name not in before:
                scales.name = name + b"/scales"
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _multiplies(model: Any, operator: Any) -> bool:
    return bool(model.operatorCodes[operator.opcodeIndex].builtinCode == schema.BuiltinOperator.MUL)


def _layer(graph: Any, tensor: int) -> bytes:
    """Return the name of what the first operator that takes a tensor makes of it."""
    taker = next(operator for operator in graph.operators if tensor in operator.inputs)
    return bytes(graph.tensors[taker.outputs[0]].name)
