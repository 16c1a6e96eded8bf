"""A .tflite file as values: signatures, tensors, operators, constants, metadata."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

Option = str | int | float | bool | tuple[int | float | bool, ...]


@dataclass(frozen=True)
class Quantization:
    """real = scales[c] * (q - zero_points[c]), where c is the index on axis quantized_dimension, or 0."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    quantized_dimension: int
    details: str  # "" for the affine one above; else "custom", "blockwise", ...


@dataclass(frozen=True)
class Tensor:
    """A tensor of a subgraph, constant where its buffer has bytes."""

    name: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]  # as shape, with -1 for a dynamic axis; empty where the file gives none
    dtype: str  # "int8", "float32", ... as numpy names it; also "int4", "string", "resource", and "type 99" if unknown
    quantization: Quantization | None
    buffer: int  # which of the file's buffers
    sha256: str | None  # of the buffer's bytes; None where it has none: the tensor is computed or fed
    is_variable: bool
    sparse: bool


@dataclass(frozen=True)
class Operator:
    """One step of a subgraph. Its tensors are indices into the subgraph's; -1 stands for an absent optional input."""

    name: str  # "CONV_2D", "CUSTOM:FlexErf", "operator 250" if unknown
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Option]  # defaults filled in


@dataclass(frozen=True)
class OperatorCode:
    """An operator and version that the runtime has to know, and how many steps use it."""

    name: str
    version: int
    count: int


@dataclass(frozen=True)
class Subgraph:
    """One graph; operators in the order that they run in."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]


@dataclass(frozen=True)
class Signature:
    """A named way to call a subgraph: tensor index by name, in the order of the file."""

    key: str
    subgraph: int
    inputs: dict[str, int]
    outputs: dict[str, int]


@dataclass(frozen=True)
class Metadata:
    """A named buffer of the file."""

    name: str
    size: int
    sha256: str
    text: str | None  # of min_runtime_version


@dataclass(frozen=True)
class Buffer:
    """Where a buffer's bytes are in the file."""

    offset: int = field(compare=False)
    size: int
    sha256: str | None  # None where it is empty


@dataclass(frozen=True)
class TfliteFile:
    """A whole file."""

    path: str = field(compare=False)  # "" where it was bytes
    size: int
    sha256: str
    schema: int
    description: str
    signatures: tuple[Signature, ...]
    subgraphs: tuple[Subgraph, ...]
    operator_codes: tuple[OperatorCode, ...]
    metadata: tuple[Metadata, ...]
    buffers: tuple[Buffer, ...]
    data: bytes | memoryview = field(repr=False, compare=False)

    @property
    def min_runtime_version(self) -> str | None:
        """The oldest runtime that knows every operator version, as the converter wrote it."""
        # A converter that quantizes writes a second, empty one.
        return next((entry.text for entry in self.metadata if entry.text), None)

    @property
    def buffers_size(self) -> int:
        """Bytes in all buffers: constants and metadata."""
        return sum(buffer.size for buffer in self.buffers)

    def attached(self, name: str) -> memoryview | None:
        """Return the bytes of a named buffer in the metadata, None where the file has none of that name."""
        entry = next((each for each in self.metadata if each.name == name and each.size), None)
        buffer = next((each for each in self.buffers if entry and each.sha256 == entry.sha256), None)
        return memoryview(self.data)[buffer.offset : buffer.offset + buffer.size] if buffer else None

    def content(self, tensor: Tensor) -> memoryview:
        """Return a constant's bytes, as they are in the file; empty for another tensor."""
        buffer = self.buffers[tensor.buffer]
        return memoryview(self.data)[buffer.offset : buffer.offset + buffer.size]


def to_json(file: TfliteFile) -> dict[str, Any]:
    """Return a file's content as JSON has it, without the constants' bytes."""
    return {name: value for name, value in asdict(replace(file, data=b"")).items() if name != "data"}
