"""What a .tflite file holds, read without TensorFlow: signatures, tensors, operators, constants, metadata.

The `tflite` package has the schema. It trusts what it reads, so every count, slice and index is bounded here. Runs
nothing, and knows nothing of bundles and recipes.
Source: tensorflow/compiler/mlir/lite/schema/schema.fbs; FlatBuffers internals (tables, vectors, strings).
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kit.errors import ModelError
from kit.tflite.model import (
    Buffer,
    Metadata,
    Operator,
    OperatorCode,
    Option,
    Quantization,
    Signature,
    Subgraph,
    Tensor,
    TfliteFile,
)
from kit.tflite.schema import fields_of, names_of, slots_of
from kit.tflite.schema_package import schema

MAGIC = b"TFL3"
_WHERE = slice(4, 8)
_MOST_OBJECTS = 500_000  # tables in one file: bounds the time to some seconds; a large language model has 100,000
# Names that the schema got after the newest `tflite` package (2.18): TensorFlow 2.21 and LiteRT 2.3 have them.
_NEWER_TYPES = {19: "int2", 20: "uint4", 21: "float8_e4m3fn", 22: "float8_e5m2"}
_NEWER_OPERATORS = {209: "STABLEHLO_CASE"}
_QUANTIZATIONS = {1: "custom", 2: "blockwise", 3: "multi-axis"}
# Options that are a number with a name. An option of the same name that is a vector stays numbers.
_NAMED_OPTIONS = {
    "padding": "Padding",
    "fused_activation_function": "ActivationFunctionType",
    "weights_format": "FullyConnectedOptionsWeightsFormat",
    "kernel_type": "LSTMKernelType",
    "mode": "MirrorPadMode",
    "quantized_bias_type": "TensorType",
    "in_data_type": "TensorType",
    "out_data_type": "TensorType",
    "out_type": "TensorType",
    "idx_out_type": "TensorType",
    "output_type": "TensorType",
}


def is_tflite(path: Path) -> bool:
    """Say whether a file calls itself one, by its content or else by its name."""
    try:
        with path.open("rb") as file:
            return file.read(8)[_WHERE] == MAGIC or path.suffix == ".tflite"
    except OSError:
        return False


def tflite_path(path: Path) -> Path:
    """Return the model of the bundle at path; a file stands for itself. Raises ModelError where there is none."""
    if not path.is_dir():
        return path
    models = sorted(path.glob("src/main/assets/*/*.tflite"))
    if len(models) != 1:
        raise ModelError(f"{path}: a folder with {len(models)} models in src/main/assets", "name a bundle or a file")
    return models[0]


def read_tflite(source: Path | bytes) -> TfliteFile:
    """Read a file or its bytes. Raises ModelError where it is not a whole .tflite file, however it is damaged."""
    name = "the model" if isinstance(source, bytes) else str(source)
    data = _Bounded(source) if isinstance(source, bytes) else _read(source)
    if memoryview(data)[_WHERE] != MAGIC:
        kind = "empty" if not data else f"{len(data)} bytes without the mark {MAGIC.decode()} at byte 4"
        raise ModelError(f"{name}: not a .tflite file: it is {kind}", "name a file that a converter wrote")
    try:
        return _Reader(data).file("" if isinstance(source, bytes) else name)
    except (_DamageError, struct.error, ValueError, TypeError, IndexError, OverflowError) as error:
        # What flatbuffers, struct and numpy raise is about their own calls, and says nothing to a user.
        why = error if isinstance(error, _DamageError) else "it points outside of itself"
        raise ModelError(f"{name}: a damaged .tflite file: {why}", "copy or convert it again") from error


def _read(path: Path) -> _Bounded:
    """Return a file's bytes, which are in memory once: a copy of a large one would take longer than its reading."""
    try:
        if path.exists() and not path.is_file():  # a device or pipe may never end
            raise ModelError(f"{path}: not a file", "name a .tflite file")
        with path.open("rb", buffering=0) as file:
            data = _Bounded(os.fstat(file.fileno()).st_size)
            view, filled = memoryview(data), 0
            while filled < len(data) and (count := file.readinto(view[filled:])):
                filled += count
        view.release()
        if filled < len(data):  # it was cut while it was read
            del data[filled:]
        return data
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}", "check its path and its permissions") from error


class _DamageError(Exception):
    """What a file says of itself is not so; the text says what."""


class _Bounded(bytearray):
    """Bytes whose slices do not end silently where the bytes do, and do not add up to more than a file can hold."""

    budget: int

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            if key.stop > len(self):
                raise _DamageError(f"a text ends at byte {key.stop:,} of {len(self):,}")
            self.spend(key.stop - key.start)
        return super().__getitem__(key)

    def spend(self, count: int) -> None:
        """Count bytes of texts, numbers and buffers: many may be said to be at one place, to no end."""
        self.budget -= count
        if self.budget < 0:
            raise _DamageError("it says that it holds far more than its size")


class _Reader:
    """Walk a file's tables. Raises what damage makes struct, numpy, flatbuffers and the checks here raise."""

    def __init__(self, data: _Bounded) -> None:
        self.data = memoryview(data).toreadonly()
        self.bytes = data
        self.bytes.budget = 4 * len(data) + 4096  # a writer may share a text or a vector, not a million times
        self.objects = min(len(data) // 8, _MOST_OBJECTS)  # a table has 4 bytes, and 4 more in a vector

    def file(self, path: str) -> TfliteFile:
        model = schema().Model.GetRootAs(self.bytes, 0)
        buffers = tuple(self.buffer(each) for each in self.items(model, "Buffers"))
        codes = [self.code(each) for each in self.items(model, "OperatorCodes")]
        graphs = tuple(self.subgraph(each, codes, buffers) for each in self.items(model, "Subgraphs"))
        if not graphs:
            raise _DamageError("it has no subgraph")
        counts: dict[tuple[str, int], int] = dict.fromkeys(codes, 0)
        for operator in (operator for graph in graphs for operator in graph.operators):
            counts[operator.name, operator.version] += 1
        return TfliteFile(
            path=path,
            size=len(self.data),
            sha256=hashlib.sha256(self.data).hexdigest(),
            schema=model.Version(),
            description=_text(model.Description()),
            signatures=tuple(self.signature(each, graphs) for each in self.items(model, "SignatureDefs")),
            subgraphs=graphs,
            operator_codes=tuple(OperatorCode(name, version, count) for (name, version), count in counts.items()),
            metadata=tuple(self.metadata(each, buffers) for each in self.items(model, "Metadata")),
            buffers=buffers,
            data=self.data,
        )

    def items(self, table: Any, name: str) -> Iterator[Any]:
        """Yield the tables of a vector."""
        count = getattr(table, f"{name}Length")()
        self.objects -= count
        if self.objects < 0:
            raise _DamageError(f"it says that it has {count:,} {name}")
        for index in range(count):
            yield getattr(table, name)(index)

    def numbers(self, table: Any, name: str) -> tuple[Any, ...]:
        """Return a vector of numbers; empty where there is none."""
        count = getattr(table, f"{name}Length")()
        if not count:
            return ()
        values = getattr(table, f"{name}AsNumpy")()
        self.bytes.spend(values.nbytes)
        return tuple(values.tolist())

    def indices(self, table: Any, name: str, count: int, least: int = 0) -> tuple[int, ...]:
        """Return a vector of indices, each from `least` and below `count`."""
        return tuple(_within(index, count, name, least) for index in self.numbers(table, name))

    def buffer(self, table: Any) -> Buffer:
        offset, size = table.Offset(), table.Size()
        if offset <= 1:  # 1 is what a writer puts there before it knows
            size = table.DataLength()
            offset = table._tab.Vector(table._tab.Offset(4)) if size else 0
        if offset + size > len(self.data):
            raise _DamageError(f"a buffer ends at byte {offset + size:,} of {len(self.data):,}")
        self.bytes.spend(size)
        content = self.data[offset : offset + size]
        return Buffer(offset, size, hashlib.sha256(content).hexdigest() if size else None)

    def code(self, table: Any) -> tuple[str, int]:
        # Old files have the number in a byte; newer ones say 127 there, and the number in the new field.
        number = max(table.DeprecatedBuiltinCode(), table.BuiltinCode())
        name = names_of("BuiltinOperator").get(number) or _NEWER_OPERATORS.get(number, f"operator {number}")
        if name == "CUSTOM":
            name = f"CUSTOM:{_text(table.CustomCode())}"
        return name, table.Version()

    def subgraph(self, table: Any, codes: Sequence[tuple[str, int]], buffers: Sequence[Buffer]) -> Subgraph:
        tensors = tuple(self.tensor(each, buffers) for each in self.items(table, "Tensors"))
        count = len(tensors)
        return Subgraph(
            name=_text(table.Name()),
            inputs=self.indices(table, "Inputs", count),
            outputs=self.indices(table, "Outputs", count),
            tensors=tensors,
            operators=tuple(self.operator(each, codes, count) for each in self.items(table, "Operators")),
        )

    def tensor(self, table: Any, buffers: Sequence[Buffer]) -> Tensor:
        buffer = _within(table.Buffer(), len(buffers), "buffer")
        return Tensor(
            name=_text(table.Name()),
            shape=self.numbers(table, "Shape"),
            shape_signature=self.numbers(table, "ShapeSignature"),
            dtype=_dtype(table.Type()),
            quantization=self.quantization(table.Quantization()),
            buffer=buffer,
            sha256=buffers[buffer].sha256,
            is_variable=table.IsVariable(),
            sparse=table.Sparsity() is not None,
        )

    def quantization(self, table: Any) -> Quantization | None:
        if table is None:
            return None
        kind = table.DetailsType()
        details = _QUANTIZATIONS.get(kind, f"kind {kind}") if kind else ""
        scales, zeros = self.numbers(table, "Scale"), self.numbers(table, "ZeroPoint")
        # Converters write an empty table for a tensor that is not quantized.
        return Quantization(scales, zeros, table.QuantizedDimension(), details) if scales or details else None

    def operator(self, table: Any, codes: Sequence[tuple[str, int]], tensors: int) -> Operator:
        name, version = codes[_within(table.OpcodeIndex(), len(codes), "operator code")]
        options = self.options(table.BuiltinOptionsType(), table.BuiltinOptions(), "BuiltinOptions")
        options |= self.options(table.BuiltinOptions2Type(), table.BuiltinOptions2(), "BuiltinOptions2")
        custom = table.CustomOptionsAsNumpy() if table.CustomOptionsLength() else b""
        if len(custom):
            self.bytes.spend(len(custom))
            options["custom_options"] = f"{len(custom)} bytes, sha256 {hashlib.sha256(custom).hexdigest()}"
        return Operator(
            name=name,
            version=version,
            inputs=self.indices(table, "Inputs", tensors, -1),
            outputs=self.indices(table, "Outputs", tensors),
            options=options,
        )

    def options(self, kind: int, union: Any, unions: str) -> dict[str, Option]:
        """Return an operator's options by their names in the schema: a table of a type that only `kind` tells."""
        if not kind or union is None:
            return {}
        self.objects -= 1
        name = names_of(unions).get(kind)
        if name is None:
            return {"options": f"kind {kind}, newer than the schema here"}
        table = getattr(schema(), name)()
        table.Init(self.bytes, union.Pos)
        found = {_snake(each): self.option(table, each) for each in fields_of(name)}
        return found | self.unknown_fields(table, 1 + max(slots_of(name), default=-1))

    def option(self, table: Any, name: str) -> Option:
        if hasattr(table, f"{name}Length"):
            return self.numbers(table, name)
        value: bytes | int | float | bool | None = getattr(table, name)()
        if value is None or isinstance(value, bytes):
            return _text(value)
        enum = _NAMED_OPTIONS.get(_snake(name))
        if enum == "TensorType":
            return _dtype(int(value))
        return names_of(enum).get(int(value), value) if enum else value

    def unknown_fields(self, table: Any, known: int) -> dict[str, Option]:
        """Say which fields are set beyond the known ones: a newer schema's."""
        tab = table._tab
        start = tab.Pos - struct.unpack_from("<i", self.bytes, tab.Pos)[0]
        fields = (struct.unpack_from("<H", self.bytes, start)[0] - 4) // 2
        return {f"field {n}": "set, newer than the schema here" for n in range(known, fields) if tab.Offset(4 + 2 * n)}

    def signature(self, table: Any, graphs: Sequence[Subgraph]) -> Signature:
        index = _within(table.SubgraphIndex(), len(graphs), "subgraph")
        return Signature(
            key=_text(table.SignatureKey()),
            subgraph=index,
            inputs=self.tensor_map(table, "Inputs", len(graphs[index].tensors)),
            outputs=self.tensor_map(table, "Outputs", len(graphs[index].tensors)),
        )

    def tensor_map(self, table: Any, name: str, tensors: int) -> dict[str, int]:
        pairs = [(_text(each.Name()), each.TensorIndex()) for each in self.items(table, name)]
        found = {key: _within(index, tensors, f"signature's {name.lower()}") for key, index in pairs}
        if len(found) != len(pairs):
            raise _DamageError(f"a signature names one of its {name.lower()} twice")
        return found

    def metadata(self, table: Any, buffers: Sequence[Buffer]) -> Metadata:
        name, buffer = _text(table.Name()), buffers[_within(table.Buffer(), len(buffers), "metadata buffer")]
        content = self.bytes[buffer.offset : buffer.offset + buffer.size]
        text = _text(content.split(b"\0")[0]) if name == "min_runtime_version" else None
        return Metadata(name, buffer.size, hashlib.sha256(content).hexdigest(), text)


def _within(index: int, count: int, what: str, least: int = 0) -> int:
    if not least <= index < count:
        raise _DamageError(f"{what}: index {index} of {count}")
    return index


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "backslashreplace")


def _dtype(number: int) -> str:
    name = names_of("TensorType").get(number)
    return name.lower() if name else _NEWER_TYPES.get(number, f"type {number}")


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
