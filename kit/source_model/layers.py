"""The layers of a Keras file with what each holds: shape of its output, parameters, bytes. Reads its JSON and arrays.

A .keras file numbers the arrays' groups by the layers' classes, in the model's order; an .h5 has the layers' names.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kit.source_model.hdf5 import StoredArray
from kit.source_model.layer_graph import LayerGraph, layer_name, layer_rows, read_graph
from kit.source_model.layer_shapes import layer_shapes

_NUMBERED = ("layers", "_layer_checkpoint_dependencies")  # of a .keras file of Keras 3 and of 2.12
_NAMED = "model_weights"  # of an .h5


@dataclass(frozen=True)
class FileLayer:
    """A layer of the outermost model. One that is a model itself has those of all its layers."""

    name: str
    kind: str  # its class: "Conv2D"; "" where the file does not say which layers there are
    shape: tuple[int, ...] | None  # of its first output, with the batch axis, -1 for an open one; None: not known
    parameters: int
    bytes: int
    types: tuple[str, ...]  # of its arrays, sorted: "float32"
    trainable: bool = True
    inside: int = 0  # how many layers it has itself


def file_layers(config: Mapping[str, Any], arrays: Sequence[StoredArray]) -> list[FileLayer]:
    """Return the layers in the model's order; arrays that belong to none that it lists come last, by their group."""
    rows, graph = layer_rows(config), read_graph(config)
    shapes = _with_numbers(graph) if graph is not None else {}
    numbered = _numbered(rows)
    held: dict[str, list[StoredArray]] = {}
    for array in arrays:
        parts = array.path.split("/")
        named = parts[0] == _NAMED and len(parts) > 2
        group = parts[1] if named or (parts[0] in _NUMBERED and len(parts) > 2) else parts[0]
        held.setdefault(group if named else numbered.get(group, group), []).append(array)
    found = [_layer(row, shapes.get(layer_name(row)), held.pop(layer_name(row), [])) for row in rows]
    return found + [_layer({"name": name}, None, left) for name, left in held.items()]


def _with_numbers(graph: LayerGraph) -> dict[str, tuple[int, ...]]:
    """Return the layers' shapes with -1 for an open axis, as those of .tflite files are shown."""
    found = layer_shapes(graph).items()
    return {name: tuple(-1 if size is None else size for size in shape) for name, shape in found}


def _numbered(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return each layer's name by its class with a number, as Keras 3 calls its group: "conv2d_1"."""
    counts: Counter[str] = Counter()
    found: dict[str, str] = {}
    for row in rows:
        kind = _snake(str(row.get("class_name") or ""))
        found[f"{kind}_{counts[kind]}" if counts[kind] else kind] = layer_name(row)
        counts[kind] += 1
    return found


def _snake(name: str) -> str:
    """Return a class's name as a group has it. Source: to_snake_case of keras.src.utils.naming."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _layer(row: Mapping[str, Any], shape: tuple[int, ...] | None, arrays: Sequence[StoredArray]) -> FileLayer:
    own = row.get("config") if isinstance(row.get("config"), Mapping) else {}
    return FileLayer(
        name=layer_name(row),
        kind=str(row.get("class_name") or ""),
        shape=shape,
        parameters=sum(math.prod(array.shape) for array in arrays),
        bytes=sum(array.bytes for array in arrays),
        types=tuple(sorted({array.dtype for array in arrays})),
        trainable=bool(own.get("trainable", True)) if isinstance(own, Mapping) else True,
        inside=len(layer_rows(row)),
    )
