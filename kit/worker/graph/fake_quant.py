"""Fake quantization in a graph: the ranges that quantization-aware training learned.

TensorFlow's converter takes them for int8. In the other schemes, which calculate in float, the weights keep the steps
that they were trained with, and nothing else is rounded. docs/qat.md says why, with numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.lite.python import schema_py_generated as schema

from kit.shared.job import JobError
from kit.shared.layers import layer_of
from kit.worker.graph.constants import constants
from kit.worker.graph.freeze import Frozen
from kit.worker.graph.needed import base, unordered, upstream
from kit.worker.graph.stand_ins import make_constant
from kit.worker.graph.subgraph import nodes_of

_ROUNDING = {"FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel", "FakeQuantWithMinMaxArgs"}
_STATE = {"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"}
_OPERATORS = {number: name for name, number in vars(schema.BuiltinOperator).items() if name.isupper()}


def is_trained(graph: graph_pb2.GraphDef) -> bool:
    """Say whether a graph has ranges that training learned."""
    return bool(roundings(graph))


def roundings(graph: graph_pb2.GraphDef) -> list[str]:
    """Return the names of the nodes that round."""
    return [node.name for node in nodes_of(graph) if node.op in _ROUNDING]


def kept_readers(frozen: Frozen) -> list[str]:
    """Return the names of the nodes that read a kept variable."""
    holders = set(frozen.kept.values())
    return [node.name for node in frozen.graph.node if any(base(name) in holders for name in node.input)]


def refuse_ranges(frozen: Frozen, layers: Sequence[str]) -> None:
    """Raise JobError for a range that int8 cannot take: of other than 8 bits, or one that stays a variable."""
    bare, kept = unordered(frozen.graph), {placeholder: name for name, placeholder in frozen.kept.items()}
    for node in (node for node in bare.node if node.op in _ROUNDING):
        bits = node.attr["num_bits"].i or 8
        if bits != 8:
            where = layer_of(node.name, layers) or node.name
            raise JobError(
                "model",
                f"'{where}' was trained for {bits} bits, and TFLite's int8 operators have 8",
                'use scheme = "float32", "float16" or "dynamic", or train it for 8 bits',
            )
        ends = upstream(bare, map(base, node.input[1:])) & set(kept)
        if ends:
            raise JobError(
                "recipe",
                f"[variables] keep: '{kept[min(ends)]}' is a range that training learned, and int8 needs it constant",
                "name the weights alone: keep = ['layer/kernel', 'layer/bias']",
            )


def kept_unrounded(frozen: Frozen) -> Frozen:
    """Return the graph without the rounding of kept variables: an app assigns floats, and the layer takes floats."""
    bare, kinds = unordered(frozen.graph), {node.name: node.op for node in frozen.graph.node}
    holders, found = set(frozen.kept.values()), set()
    for node in (node for node in bare.node if node.op in _ROUNDING):
        before = upstream(bare, [base(node.input[0])])
        starts = {name for name in before if kinds[name] == "Placeholder"}
        if starts and starts <= holders:
            found.add(node.name)
    return replace(frozen, graph=_passing(frozen.graph, found)) if found else frozen


def unrounded(frozen: Frozen) -> Frozen:
    """Return the graph with the weights as they were rounded in training, as constants, and nothing else rounded."""
    graph = frozen.graph
    if not is_trained(graph):
        return frozen
    values = _constants(graph)
    made = _passing(graph, set(roundings(graph)) - set(values))
    for node in made.node:
        if node.name in values:
            make_constant(node, _rounded(node, values))
    return replace(frozen, graph=made)


def _passing(graph: graph_pb2.GraphDef, names: Collection[str]) -> graph_pb2.GraphDef:
    """Return the graph with nodes that hand on what goes into them."""
    made = graph_pb2.GraphDef()
    made.CopyFrom(graph)
    for node in made.node:
        if node.name in names:
            node.op, node.input[:] = "Identity", [node.input[0]]
            node.attr.clear()
            node.attr["T"].type = tf.float32.as_datatype_enum
    return made


def _constants(graph: graph_pb2.GraphDef) -> dict[str, list[np.ndarray]]:
    """Return what goes into each rounding of a constant, by the node's name, in float32.

    That is the values, of any shape, and the ends of their range, scalars or [channels], where these are inputs.
    """
    kinds, bare = {node.name: node.op for node in graph.node}, unordered(graph)
    found = {
        node.name: list(node.input)
        for node in bare.node
        if node.op in _ROUNDING
        and not any(kinds[name] in {"Placeholder", "VarHandleOp"} for name in upstream(bare, map(base, node.input)))
    }
    values = iter(constants(bare, [name for names in found.values() for name in names]))
    return {name: [next(values) for _ in names] for name, names in found.items()}


def _rounded(node: Any, values: Mapping[str, list[np.ndarray]]) -> np.ndarray:
    """Round as TensorFlow's kernel does (fake_quant_ops_functor.h), in double precision: the same on each CPU.

    values: as _constants has them. Returns float32 of the first one's shape.
    """
    given = [value.astype(np.float64) for value in values[node.name]]
    low, high = given[1:] if len(given) == 3 else (np.float64(node.attr["min"].f), np.float64(node.attr["max"].f))
    least, most = (1.0 if node.attr["narrow_range"].b else 0.0), 2.0 ** (node.attr["num_bits"].i or 8) - 1
    scale = (high - low) / (most - least)
    with np.errstate(divide="ignore", invalid="ignore"):
        zero = np.clip(np.floor(least - low / scale + 0.5), least, most)
        steps = np.floor((np.clip(given[0], (least - zero) * scale, (most - zero) * scale)) / scale + zero + 0.5)
        result = np.where(scale > 0, (steps - zero) * scale, 0.0)
    return np.asarray(result, np.float32)


def left_in_float(content: bytes, key: str, outputs: Mapping[str, str]) -> list[list[str]]:
    """Return what an int8 file's signature computes in float for want of a range: of each tensor the nodes it is of.

    outputs: the node of each of the signature's outputs, by name. An operator between a DEQUANTIZE and a QUANTIZE has
    all its ranges, and the converter has no int8 for it.
    """
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    signature = next((each for each in model.signatureDefs or () if each.signatureKey.decode() == key), None)
    graph = model.subgraphs[0 if signature is None else signature.subgraphIndex]
    given = {} if signature is None else {each.tensorIndex: outputs[each.name.decode()] for each in signature.outputs}
    operators = [(_kind(model, each), list(each.inputs), list(each.outputs)) for each in graph.operators]
    made = {tensor: kind for kind, _, tensors in operators for tensor in tensors}
    readers: dict[int, set[str]] = {}
    for kind, inputs, _ in operators:
        for tensor in inputs:
            readers.setdefault(tensor, set()).add(kind)
    left = []
    for kind, inputs, tensors in operators:
        floats = [at for at in tensors if graph.tensors[at].type == schema.TensorType.FLOAT32]
        if not floats or kind in {"QUANTIZE", "DEQUANTIZE", *_STATE}:
            continue
        between = all(made.get(at, "DEQUANTIZE") == "DEQUANTIZE" for at in inputs)
        if between and all(readers.get(at) == {"QUANTIZE"} for at in floats):
            continue
        left += [[given[at]] if at in given else graph.tensors[at].name.decode().split(";") for at in floats]
    return left


def _kind(model: Any, operator: Any) -> str:
    code = model.operatorCodes[operator.opcodeIndex]
    return str(_OPERATORS.get(max(code.builtinCode, code.deprecatedBuiltinCode), "CUSTOM"))
