"""What of an int8 file stays in float: a front end that takes the logarithm of a spectrum, and the mask of a sequence.

A spectrum has values over many powers of ten, and 256 steps keep the largest alone; the logarithm then spreads what is
lost. So whatever lies between the model's inputs and such a LOG is left to float, and what comes behind is quantized.
A number that stands for "nothing here", -4.2e6 say, would set the range of the whole input; so an input is compared
with it in float, and what is there goes on without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tensorflow.lite.python import lite  # the public module does not have the function that is wrapped here
from tensorflow.lite.python import schema_py_generated as schema

_OPERATORS = {number: name for name, number in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
# What a network has and a front end has not.
_LEARNED = {
    "ELU", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "LOG_SOFTMAX", "PRELU", "RELU", "RELU6", "RELU_N1_TO_1",
    "SOFTMAX", "TANH", "WHILE", "IF",
}  # fmt: skip


@contextmanager
def front_ends_in_float() -> Iterator[None]:
    """Let TensorFlow's quantizer leave front ends alone, during the block."""
    original = lite._mlir_quantize

    def quantize(model: bytes, *args: Any, **kwargs: Any) -> bytes:
        names = [*front_end(model), *masks(model)]
        return bytes(original(model, *args, **kwargs, **({"denylisted_nodes": names} if names else {})))

    lite._mlir_quantize = quantize
    try:
        yield
    finally:
        lite._mlir_quantize = original


def front_end(content: bytes) -> list[str]:
    """Return the names of the tensors that a float .tflite computes on the way from its inputs to such a logarithm."""
    model = schema.Model.GetRootAs(content, 0)
    names: dict[str, None] = {}
    for at in range(model.SubgraphsLength()):
        graph = _Graph(model, model.Subgraphs(at))
        for operator, (kind, _, outputs) in enumerate(graph.operators):
            before = graph.upstream(operator) if kind == "LOG" else None
            if before is not None:
                names |= dict.fromkeys(graph.name(tensor) for one in before for tensor in graph.operators[one][2])
                names |= dict.fromkeys(map(graph.name, outputs))
    return list(names)


def masks(content: bytes) -> list[str]:
    """Return the names of the tensors by which a float .tflite finds a constant in an input and takes it out."""
    model = schema.Model.GetRootAs(content, 0)
    names: dict[str, None] = {}
    for at in range(model.SubgraphsLength()):
        graph = _Graph(model, model.Subgraphs(at))
        masked = {tensor for kind, inputs, _ in graph.operators if kind in _COMPARING for tensor in graph.raw(inputs)}
        for kind, inputs, outputs in graph.operators:
            if kind in _COMPARING | _MASKING and masked.intersection(inputs):
                names |= dict.fromkeys(map(graph.name, outputs))
        names |= dict.fromkeys(graph.name(tensor) for tensor in masked if not graph.is_input(tensor))
    return list(names)


_COMPARING = {"EQUAL", "NOT_EQUAL"}
_MASKING = {"MUL", "SELECT", "SELECT_V2"}
_COPYING = {"EXPAND_DIMS", "RESHAPE", "SLICE", "SQUEEZE", "STRIDED_SLICE", "TRANSPOSE"}


class _Graph:
    """A subgraph's operators as (kind, inputs, outputs), by the numbers of their tensors."""

    def __init__(self, model: Any, graph: Any) -> None:
        self._graph = graph
        codes = [_code(model.OperatorCodes(i)) for i in range(model.OperatorCodesLength())]
        self.operators = [_operator(graph.Operators(i), codes) for i in range(graph.OperatorsLength())]
        self._made = {tensor: at for at, (_, _, outputs) in enumerate(self.operators) for tensor in outputs}
        self._inputs = {graph.Inputs(i) for i in range(graph.InputsLength())}

    def name(self, tensor: int) -> str:
        return str(self._graph.Tensors(tensor).Name().decode())

    def is_input(self, tensor: int) -> bool:
        """Say whether a tensor is one of the subgraph's inputs."""
        return tensor in self._inputs

    def raw(self, tensors: list[int]) -> list[int]:
        """Return those of the tensors that are an input, or an input of another shape, with the tensors between."""
        found = []
        for tensor in tensors:
            chain = [tensor]
            while not self.is_input(chain[-1]) and (made := self._made.get(chain[-1])) is not None:
                kind, inputs, _ = self.operators[made]
                if kind not in _COPYING:
                    break
                chain.append(inputs[0])
            if self.is_input(chain[-1]):
                found += chain
        return found

    def upstream(self, operator: int) -> set[int] | None:
        """Return the operators before one, None where a network is among them or no input is behind them."""
        seen: set[int] = set()
        waiting, fed = [operator], False
        while waiting:
            for tensor in self.operators[waiting.pop()][1]:
                fed = fed or tensor in self._inputs
                before = self._made.get(tensor)
                if before is None or before in seen:
                    continue
                if self.operators[before][0] in _LEARNED:
                    return None
                seen.add(before)
                waiting.append(before)
        return seen if fed else None


def _code(code: Any) -> str:
    return str(_OPERATORS.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "CUSTOM"))


def _operator(operator: Any, codes: list[str]) -> tuple[str, list[int], list[int]]:
    kind = codes[operator.OpcodeIndex()]
    inputs = [operator.Inputs(i) for i in range(operator.InputsLength())]
    outputs = [operator.Outputs(i) for i in range(operator.OutputsLength())]
    return (_activated(operator) or kind), inputs, outputs


def _activated(operator: Any) -> str:
    """Return the activation that is part of an operator, "" for none."""
    kind = {
        schema.BuiltinOptions.Conv2DOptions: schema.Conv2DOptions,
        schema.BuiltinOptions.DepthwiseConv2DOptions: schema.DepthwiseConv2DOptions,
        schema.BuiltinOptions.FullyConnectedOptions: schema.FullyConnectedOptions,
    }.get(operator.BuiltinOptionsType())
    table = operator.BuiltinOptions()
    if kind is None or table is None:
        return ""
    options = kind()
    options.Init(table.Bytes, table.Pos)
    return "RELU" if options.FusedActivationFunction() != schema.ActivationFunctionType.NONE else ""
