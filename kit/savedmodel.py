"""Who wrote a SavedModel folder and what its signatures take, read without TensorFlow, nor anything of its graphs.

Source of the fields: tensorflow/core/protobuf/saved_model.proto and meta_graph.proto,
and tensorflow/core/framework/tensor_shape.proto.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PROTOBUF = "saved_model.pb"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_META_GRAPHS, _META_INFO, _TENSORFLOW_VERSION = 2, 1, 5
_SIGNATURES, _INPUTS, _SHAPE = 5, 1, 3
_KEY, _VALUE = 1, 2  # of an entry in a map
_DIMENSIONS, _SIZE = 2, 1

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Writer:
    """Who wrote a SavedModel; "" where it does not say."""

    tensorflow: str  # "2.15.1"
    keras: str  # "2.15.0": what model.save() of Keras 2 leaves; an export does not say
    signatures: Mapping[str, Mapping[str, Shape]]  # the shapes of each one's inputs, with every axis
    rounds: bool = False  # it has operations that round to the ranges of quantization-aware training


def read_writer(folder: Path) -> Writer | None:
    """Return who wrote the SavedModel in folder, or None where there is none, or none that can be read."""
    try:
        content = (folder / PROTOBUF).read_bytes()
        graph = next(_fields(content, _META_GRAPHS))
        info = next(_fields(graph, _META_INFO))
        version = next(_fields(info, _TENSORFLOW_VERSION), b"")
        signatures = {
            key: {name: _shape(tensor) for name, tensor in _map(signature, _INPUTS)}
            for key, signature in _map(graph, _SIGNATURES)
            if not key.startswith("__saved_model")
        }
    except (OSError, ValueError, IndexError, StopIteration):
        return None
    keras, rounds = _keras(folder / "keras_metadata.pb"), b"FakeQuantWithMinMax" in content
    return Writer(version.decode("utf-8", errors="replace"), keras, signatures, rounds)


def _keras(metadata: Path) -> str:
    """Return the version in the JSON texts of keras_metadata.pb, or ""."""
    found = re.search(rb'"keras_version": ?"([^"]*)"', metadata.read_bytes()) if metadata.is_file() else None
    return found[1].decode("utf-8", errors="replace") if found else ""


def _map(message: bytes, wanted: int) -> Iterator[tuple[str, bytes]]:
    """Yield each key and value of a map."""
    for entry in _fields(message, wanted):
        key = next(_fields(entry, _KEY), b"")
        yield key.decode("utf-8", errors="replace"), next(_fields(entry, _VALUE), b"")


def _shape(tensor: bytes) -> Shape:
    """Return the shape of a TensorInfo: None for an open axis; () also where the number of axes is open."""
    axes = _fields(next(_fields(tensor, _SHAPE), b""), _DIMENSIONS)
    sizes = [next(_numbers(axis, _SIZE), 0) for axis in axes]
    return tuple(None if size >= 1 << 63 else size for size in sizes)  # -1 is written as an unsigned number


def _fields(message: bytes, wanted: int) -> Iterator[bytes]:
    """Yield the content of each field of that number that holds bytes. Raises ValueError for what is no message."""
    return (value for value in _all(message, wanted) if isinstance(value, bytes))


def _numbers(message: bytes, wanted: int) -> Iterator[int]:
    """Yield each whole number of that field."""
    return (value for value in _all(message, wanted) if isinstance(value, int))


def _all(message: bytes, wanted: int) -> Iterator[bytes | int]:
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _BYTES:
            size, at = _varint(message, at)
            if at + size > len(message):
                raise ValueError("a field is longer than its message")
            if tag >> 3 == wanted:
                yield message[at : at + size]
            at += size
        elif kind == _VARINT:
            number, at = _varint(message, at)
            if tag >> 3 == wanted:
                yield number
        elif kind in {_FIXED64, _FIXED32}:
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind} is unknown")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return the number at a place, seven bits a byte with the lowest first, and the place after it."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number has more than 64 bits")
