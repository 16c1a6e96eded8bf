"""The multiplications that OSCAR puts before dense layers: without those by one, and with names of their own.

litert-quantizer adds one also where no scales are better than none, and names its output after what is multiplied: two
layers that share an input share that name, too.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils


def tidied(content: bytes, exact: bytes) -> bytes:
    """Return a file whose added multiplications do something, and are named after the dense layer that takes them.

    exact: the float file, which has none of them.
    """
    model, first = (flatbuffer_utils.read_model_from_bytearray(bytearray(each)) for each in (content, exact))
    before = {tensor.name for graph in first.subgraphs for tensor in graph.tensors}
    for graph in model.subgraphs:
        multiplications = [operator for operator in graph.operators if _multiplies(model, operator)]
        added = [operator for operator in multiplications if _output(graph, operator).name not in before]
        for operator in added:
            if _by_one(model, graph.tensors[operator.inputs[1]]):
                _leave_out(graph, operator)
            else:
                _name(graph, operator, before)
        _drop_unused(model, graph, before)
    _tidy_codes(model)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _multiplies(model: Any, operator: Any) -> bool:
    return bool(model.operatorCodes[operator.opcodeIndex].builtinCode == schema.BuiltinOperator.MUL)


def _output(graph: Any, operator: Any) -> Any:
    return graph.tensors[operator.outputs[0]]


def _by_one(model: Any, scales: Any) -> bool:
    return bool((np.frombuffer(bytes(model.buffers[scales.buffer].data), np.float32) == 1).all())


def _leave_out(graph: Any, operator: Any) -> None:
    """Take an operator out: what takes its output takes its first input instead."""
    given, output = operator.inputs[0], operator.outputs[0]
    graph.operators = [other for other in graph.operators if other is not operator]
    for other in graph.operators:
        other.inputs = [given if at == output else at for at in _numbers(other.inputs)]


def _name(graph: Any, operator: Any, before: Collection[bytes]) -> None:
    """Name what an operator adds after the output of the first operator that takes it."""
    taker = next(other for other in graph.operators if operator.outputs[0] in _numbers(other.inputs))
    _output(graph, operator).name = _output(graph, taker).name + b"/scaled"
    scales = graph.tensors[operator.inputs[1]]
    if scales.name not in before:
        scales.name = _output(graph, taker).name + b"/scales"


def _drop_unused(model: Any, graph: Any, before: Collection[bytes]) -> None:
    """Drop the added tensors that no operator has any more, and their constants.

    Those that were there before keep their numbers: what is added stands behind them.
    """
    used = {at for operator in graph.operators for at in (*_numbers(operator.inputs), *_numbers(operator.outputs))}
    kept = [at for at, tensor in enumerate(graph.tensors) if at in used or tensor.name in before]
    places = {-1: -1} | {at: place for place, at in enumerate(kept)}
    dropped = [tensor for at, tensor in enumerate(graph.tensors) if at not in places]
    graph.tensors = [graph.tensors[at] for at in kept]
    for operator in graph.operators:
        operator.inputs = [places[at] for at in _numbers(operator.inputs)]
        operator.outputs = [places[at] for at in _numbers(operator.outputs)]
    shared = {tensor.buffer for other in model.subgraphs for tensor in other.tensors}
    for tensor in dropped:
        if tensor.buffer not in shared:
            model.buffers[tensor.buffer].data = None


def _numbers(listed: Any) -> list[int]:
    """Return the numbers of an operator's tensors; a file may have no list for none."""
    return [] if listed is None else [int(at) for at in listed]


def _tidy_codes(model: Any) -> None:
    """Write the operator's code as the converter does, and drop it where no operator has it any more."""
    codes = model.operatorCodes
    if not any(len(codes) - 1 == operator.opcodeIndex for graph in model.subgraphs for operator in graph.operators):
        codes.pop()
    for code in codes:
        if code.builtinCode == schema.BuiltinOperator.MUL:
            code.customCode, code.deprecatedBuiltinCode = None, code.builtinCode
