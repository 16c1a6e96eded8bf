"""Who wrote a SavedModel folder and what its signatures take, read without TensorFlow, nor anything of its graphs.

Source of the fields: tensorflow/core/protobuf/saved_model.proto and meta_graph.proto,
and tensorflow/core/framework/tensor_shape.proto.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from kit.bounded import MOST_JSON, read_bounded
from kit.shared.protobuf import entries, fields, last, merged, numbers, text

PROTOBUF = "saved_model.pb"
MOST_GRAPH = 2 << 30  # what a protocol buffer can be
_META_GRAPHS, _META_INFO, _TENSORFLOW_VERSION = 2, 1, 5
_SIGNATURES, _INPUTS, _OUTPUTS, _SHAPE = 5, 1, 2, 3
_DIMENSIONS, _SIZE = 2, 1

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Writer:
    """Who wrote a SavedModel; "" where it does not say."""

    tensorflow: str  # "2.15.1"
    keras: str  # "2.15.0": what model.save() of Keras 2 leaves; an export does not say
    signatures: Mapping[str, Mapping[str, Shape]]  # the shapes of each one's inputs, with every axis
    rounds: bool = False  # it has operations that round to the ranges of quantization-aware training
    outputs: Mapping[str, Mapping[str, int | None]] = field(default_factory=dict)  # each one's, with their last axis


def read_writer(folder: Path) -> Writer | None:
    """Return who wrote the SavedModel in folder, or None where there is none, or none that can be read."""
    try:
        content = read_bounded(folder / PROTOBUF, MOST_GRAPH)
        graph = next(fields(content, _META_GRAPHS))
        version = text(last(merged(graph, _META_INFO), _TENSORFLOW_VERSION))
        signatures = {
            key: {name: _shape(tensor) for name, tensor in entries(signature, _INPUTS)}
            for key, signature in entries(graph, _SIGNATURES)
            if not key.startswith("__saved_model")
        }
        outputs = {
            key: {name: (_shape(tensor) or (None,))[-1] for name, tensor in entries(signature, _OUTPUTS)}
            for key, signature in entries(graph, _SIGNATURES)
        }
    except (OSError, ValueError, IndexError, StopIteration):
        return None
    keras, rounds = _keras(folder / "keras_metadata.pb"), b"FakeQuantWithMinMax" in content
    return Writer(version, keras, signatures, rounds, outputs)


def _keras(metadata: Path) -> str:
    """Return the version in the JSON texts of keras_metadata.pb, or ""."""
    found = None
    with suppress(OSError):  # there is none, or it is none of Keras's
        found = re.search(rb'"keras_version": ?"([^"]*)"', read_bounded(metadata, MOST_JSON))
    return found[1].decode("utf-8", errors="replace") if found else ""


def _shape(tensor: bytes) -> Shape:
    """Return the shape of a TensorInfo: None for an open axis; () also where the number of axes is open."""
    axes = fields(merged(tensor, _SHAPE), _DIMENSIONS)
    sizes = [next(numbers(axis, _SIZE), 0) for axis in axes]
    return tuple(None if size >= 1 << 63 else size for size in sizes)  # -1 is written as an unsigned number
