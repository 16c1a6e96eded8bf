"""Mend operators of an int8 file that copy bytes from one scale to another, or fill with a zero that is no zero.

TensorFlow's quantizer gives every tensor a scale of its own, and some kernels take no notice of it: REVERSE_V2 copies
the bytes of its input, so it is right only where both have one scale. Here the scales are made one (a QUANTIZE more, as
the quantizer itself puts before a CONCATENATION), or the operator computes in float. Everything else of the file stays.
docs/quantization.md has the operators, `inv bench --operators` finds them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kit.worker.tflite_file.packing import packed

_OPERATORS = schema.BuiltinOperator
# Whose kernels copy bytes: which inputs hold them.
_COPIED = {
    "BATCH_TO_SPACE_ND": (0,),
    "BROADCAST_TO": (0,),
    "DEPTH_TO_SPACE": (0,),
    "DYNAMIC_UPDATE_SLICE": (0, 1),
    "EXPAND_DIMS": (0,),
    "GATHER": (0,),
    "GATHER_ND": (0,),
    "MATRIX_SET_DIAG": (0, 1),
    "MAXIMUM": (0, 1),
    "MAX_POOL_2D": (0,),
    "MINIMUM": (0, 1),
    "MIRROR_PAD": (0,),
    "ONE_HOT": (2, 3),
    "PAD": (0,),
    "PADV2": (0, 2),
    "REDUCE_MAX": (0,),
    "REDUCE_MIN": (0,),
    "RESHAPE": (0,),
    "RESIZE_NEAREST_NEIGHBOR": (0,),
    "REVERSE_SEQUENCE": (0,),
    "REVERSE_V2": (0,),
    "SELECT": (1, 2),
    "SELECT_V2": (1, 2),
    "SLICE": (0,),
    "SPACE_TO_BATCH_ND": (0,),
    "SPACE_TO_DEPTH": (0,),
    "SPLIT": (1,),
    "SPLIT_V": (0,),
    "SQUEEZE": (0,),
    "STRIDED_SLICE": (0,),
    "TILE": (0,),
    "TOPK_V2": (0,),
    "TRANSPOSE": (0,),
    "UNPACK": (0,),
}
# Whose kernels fill with the byte 0, which is no zero where the zero point is another, or add bytes.
_IN_FLOAT = {"MATRIX_DIAG": (0,), "SCATTER_ND": (1,)}
_NEAR = 1 / 256  # scales that differ by less than this differ by less than a step over the whole range


@dataclass(frozen=True)
class Affine:
    """real = scale * (q - zero_point), of a whole tensor."""

    scale: float
    zero_point: int

    def near(self, other: Affine) -> bool:
        """Say whether a byte means the same number under both."""
        return self.zero_point == other.zero_point and abs(self.scale - other.scale) <= _NEAR * max(
            self.scale, other.scale
        )

    def limit(self) -> tuple[str, float]:
        """Return the operator and its constant that move such numbers off zero, by half a step at the most."""
        if self.zero_point == -128:
            return "MAXIMUM", self.scale / 2
        if self.zero_point == 127:
            return "MINIMUM", -self.scale / 2
        return "ADD", self.scale / 4


def mended(content: bytes) -> bytes:
    """Return the file with every operator right that copies, fills or divides; the very same bytes where all are."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    changes = sum(_Graph(model, graph).mend() for graph in model.subgraphs)
    return packed(model) if changes else content


class _Graph:
    """One subgraph that is being changed."""

    def __init__(self, model: Any, graph: Any) -> None:
        self.model, self.graph = model, graph
        self.changes = 0
        # Float tensors that come out of 8 bits: the operator and the number that keep each away from zero.
        self._limits: dict[int, tuple[str, float]] = {}

    def mend(self) -> int:
        """Go through the operators; return how many were changed."""
        operators = list(self.graph.operators)
        self.graph.operators = []
        for operator in operators:
            # What the schema's code reads is read-only.
            operator.inputs = [] if operator.inputs is None else [int(at) for at in operator.inputs]
            operator.outputs = [] if operator.outputs is None else [int(at) for at in operator.outputs]
            self._remember(operator)
            before, behind = self._mended(operator)
            self.graph.operators += [*before, operator, *behind]
            self.changes += bool(before or behind)
        return self.changes

    def _remember(self, operator: Any) -> None:
        """Note what a float tensor behind a DEQUANTIZE may not be, through a square root and another shape, too."""
        name, taken = name_of(self.model, operator), operator.inputs[0] if operator.inputs else -1
        affine, limit = self._affine(taken), self._limits.get(taken)
        if name == "DEQUANTIZE" and affine is not None and not self._constant(taken):
            self._limits[operator.outputs[0]] = affine.limit()
        elif name == "RESHAPE" and limit is not None:
            self._limits[operator.outputs[0]] = limit
        elif name == "SQRT" and limit is not None and limit[0] == "MAXIMUM":
            self._limits[operator.outputs[0]] = "MAXIMUM", limit[1] ** 0.5

    def _mended(self, operator: Any) -> tuple[list[Any], list[Any]]:
        """Return the operators to put before and behind one; change what it reads and writes to fit them."""
        name = name_of(self.model, operator)
        outputs = [at for at in operator.outputs if self._affine(at)]
        if name == "DIV":
            return self._divided(operator)
        if name in _IN_FLOAT and outputs:
            return self._in_float(operator, _IN_FLOAT[name])
        if name not in _COPIED or not outputs:
            return [], []
        copied = _COPIED[name]
        if name == "ONE_HOT" and not all(self._constant(operator.inputs[at]) for at in copied):
            return self._in_float(operator, copied)
        if len(copied) == 1:
            return [], self._behind(operator, operator.inputs[copied[0]], outputs)
        return self._before(operator, copied, outputs[0]), []

    def _before(self, operator: Any, copied: tuple[int, ...], output: int) -> list[Any]:
        """Give the inputs the output's scale."""
        wanted, made = self._affine(output), []
        assert wanted is not None
        for at in copied:
            tensor = operator.inputs[at]
            have = self._affine(tensor)
            if have is None or have.near(wanted):
                continue
            if self._constant(tensor):
                operator.inputs[at] = self._requantized(tensor, have, wanted)
                self.changes += 1
            else:
                operator.inputs[at] = self._like(tensor, "int8", output)
                made.append(self._convert("QUANTIZE", tensor, operator.inputs[at]))
        return made

    def _behind(self, operator: Any, tensor: int, outputs: list[int]) -> list[Any]:
        """Let the outputs have the input's scale, and give each its own behind."""
        have, made = self._affine(tensor), []
        for at, output in enumerate(operator.outputs):
            wanted = self._affine(output)
            if output in outputs and have is not None and wanted is not None and not have.near(wanted):
                operator.outputs[at] = self._like(output, "int8", tensor)
                made.append(self._convert("QUANTIZE", operator.outputs[at], output))
        return made

    def _in_float(self, operator: Any, taken: tuple[int, ...]) -> tuple[list[Any], list[Any]]:
        """Compute in float: a DEQUANTIZE before each value, a QUANTIZE behind."""
        before, behind = [], []
        for at in taken:
            tensor = operator.inputs[at]
            if self._affine(tensor):
                operator.inputs[at] = self._like(tensor, "float32", tensor)
                before.append(self._convert("DEQUANTIZE", tensor, operator.inputs[at]))
        for at, tensor in enumerate(operator.outputs):
            if self._affine(tensor):
                operator.outputs[at] = self._like(tensor, "float32", tensor)
                behind.append(self._convert("QUANTIZE", operator.outputs[at], tensor))
        return before, behind

    def _divided(self, operator: Any) -> tuple[list[Any], list[Any]]:
        """Divide in float, by no denominator that 8 bits made zero.

        The int8 kernel is missing up to TensorFlow 2.19, refuses the byte 0 in 2.20 and 2.21, and a real zero in
        LiteRT 2.3.0; a float one gives infinity.
        """
        before, behind = self._in_float(operator, (0, 1))
        if behind:
            # The int8 kernel has a version of its own; the float one has two, by rank.
            rank = len(self.graph.tensors[operator.outputs[0]].shape)
            operator.opcodeIndex = _opcode(self.model, "DIV", 1 if rank <= 4 else 2)
        denominator = operator.inputs[1]
        if denominator in self._limits:
            before.append(self._off_zero(denominator, *self._limits[denominator]))
            operator.inputs[1] = before[-1].outputs[0]
        return before, behind

    def _off_zero(self, tensor: int, name: str, number: float) -> Any:
        """Return an operator that moves a float tensor away from zero."""
        limit = self._tensor(self.graph.tensors[tensor], "limit", None, self._buffer(np.float32(number)))
        self.graph.tensors[limit].shape, self.graph.tensors[limit].shapeSignature = [], None
        made = schema.OperatorT()
        made.opcodeIndex = _opcode(self.model, name, 1)
        made.inputs, made.outputs = [tensor, limit], [self._like(tensor, "float32", tensor)]
        if name == "ADD":
            made.builtinOptionsType, made.builtinOptions = schema.BuiltinOptions.AddOptions, schema.AddOptionsT()
        else:
            made.builtinOptionsType = schema.BuiltinOptions.MaximumMinimumOptions
            made.builtinOptions = schema.MaximumMinimumOptionsT()
        return made

    def _affine(self, tensor: int) -> Affine | None:
        """Return an int8 tensor's scale, None for what is no int8 or has a scale for each channel."""
        found = self.graph.tensors[tensor] if tensor >= 0 else None
        if found is None or found.type != schema.TensorType.INT8 or found.quantization is None:
            return None
        scale, zero = found.quantization.scale, found.quantization.zeroPoint
        if scale is None or len(scale) != 1:
            return None
        return Affine(float(scale[0]), int(zero[0]) if zero is not None and len(zero) else 0)

    def _constant(self, tensor: int) -> bool:
        data = self.model.buffers[self.graph.tensors[tensor].buffer].data
        return data is not None and len(data) > 0

    def _requantized(self, tensor: int, have: Affine, wanted: Affine) -> int:
        """Return a new constant with the same numbers under another scale."""
        source = self.graph.tensors[tensor]
        numbers = np.asarray(self.model.buffers[source.buffer].data, np.uint8).view(np.int8).astype(np.float64)
        steps = np.round((numbers - have.zero_point) * have.scale / wanted.scale) + wanted.zero_point
        return self._tensor(source, "requantized", wanted, self._buffer(np.clip(steps, -128, 127).astype(np.int8)))

    def _buffer(self, values: Any) -> int:
        """Add a buffer with the bytes of values, of any shape and dtype; return its number."""
        made = schema.BufferT()
        made.data = np.frombuffer(values.tobytes(), np.uint8)
        self.model.buffers.append(made)
        return len(self.model.buffers) - 1

    def _like(self, tensor: int, dtype: str, scaled: int) -> int:
        """Return a new tensor of a tensor's shape: float32, or int8 with the scale of another."""
        affine = self._affine(scaled) if dtype == "int8" else None
        return self._tensor(self.graph.tensors[tensor], "requantized" if affine else "in_float", affine, 0)

    def _tensor(self, source: Any, what: str, affine: Affine | None, buffer: int) -> int:
        made = schema.TensorT()
        made.shape, made.shapeSignature, made.hasRank = source.shape, source.shapeSignature, source.hasRank
        made.name = bytes(source.name or b"") + f"/{what}{len(self.graph.tensors)}".encode()
        made.type, made.buffer = schema.TensorType.FLOAT32, buffer
        if affine is not None:
            made.type, made.quantization = schema.TensorType.INT8, schema.QuantizationParametersT()
            made.quantization.scale = np.array([affine.scale], np.float32)
            made.quantization.zeroPoint = np.array([affine.zero_point], np.int64)
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def _convert(self, name: str, source: int, target: int) -> Any:
        made = schema.OperatorT()
        # The schema's version of each kernel: the first DEQUANTIZE knew uint8 alone.
        made.opcodeIndex = _opcode(self.model, name, 2 if name == "DEQUANTIZE" else 1)
        made.inputs, made.outputs = [source], [target]
        self._remember(made)
        return made


def name_of(model: Any, operator: Any) -> str:
    """Return an operator's name in the schema, "" for one that is no builtin of this version."""
    code = model.operatorCodes[operator.opcodeIndex]
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    return _NAMES.get(number, "")


_NAMES: dict[int, str] = {number: name for name, number in vars(_OPERATORS).items() if name.isupper()}


def _opcode(model: Any, name: str, version: int) -> int:
    number = getattr(_OPERATORS, name)
    for at, code in enumerate(model.operatorCodes):
        if (max(code.builtinCode, code.deprecatedBuiltinCode), code.version) == (number, version):
            return at
    made = schema.OperatorCodeT()
    made.builtinCode, made.deprecatedBuiltinCode, made.version = number, min(number, 127), version
    model.operatorCodes.append(made)
    return len(model.operatorCodes) - 1
