"""The names of a model file's tensors, in a table beside it: what its inner tensors are called, and of which layer.

provenance/tensors.json has them as the converter wrote them; the file itself has only those that its readers need.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kit.bounded import MOST_JSON, read_bounded
from kit.bundle.layout import MAIN_ASSETS, TENSORS
from kit.errors import ModelError
from kit.files import json_text
from kit.shared.layers import layers_of_tensor
from kit.shared.values import from_json
from kit.tflite.inner_names import TensorName
from kit.tflite.model import TfliteFile
from kit.tflite.reader import read_tflite, tflite_path


@dataclass(frozen=True)
class TensorRow:
    """A tensor by its place in the file. layers: those of the source model that it belongs to."""

    subgraph: int
    tensor: int
    name: str
    layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Table:
    tensors: tuple[TensorRow, ...]


def table_text(names: Sequence[TensorName], layers: Collection[str]) -> str:
    """Return tensors.json. layers: the names of all layers of the source model."""
    rows = [
        {
            "subgraph": each.subgraph,
            "tensor": each.tensor,
            "name": each.name,
            "layers": layers_of_tensor(each.name, layers),
        }
        for each in names
    ]
    return json_text({"tensors": rows})


def read_table(path: Path) -> tuple[TensorRow, ...]:
    """Return the rows of tensors.json. Raises ModelError where it is none that a build writes."""
    try:
        return from_json(_Table, json.loads(read_bounded(path, MOST_JSON))).tensors
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path}: no table of tensors: {error}", "build the bundle again") from error


def read_named(path: Path) -> TfliteFile:
    """Read a .tflite file, or a bundle's: its tensors with their names where its bundle has a table of them.

    Raises ModelError where there is no whole file, or its table is of another.
    """
    place = tflite_path(path)
    file = read_tflite(place)
    table = _table_of(place.absolute())
    if table is None or not table.is_file():
        return file
    rows = read_table(table)
    if [(row.subgraph, row.tensor) for row in rows] != _places(file):
        raise ModelError(f"{table}: it is of another model than {place.name}", "build the bundle again")
    return with_names(file, [row.name for row in rows])


def layers_by_operator(table: Path, file: TfliteFile) -> dict[tuple[int, int], str]:
    """Return the source model's layers of what each operator gives, by subgraph and operator, where a table knows."""
    if not table.is_file():
        return {}
    of = {(row.subgraph, row.tensor): ", ".join(row.layers) for row in read_table(table)}
    places = [(i, j, each.outputs) for i, graph in enumerate(file.subgraphs) for j, each in enumerate(graph.operators)]
    return {(i, j): layer for i, j, outputs in places if outputs and (layer := of.get((i, outputs[0]), ""))}


def _table_of(model: Path) -> Path | None:
    """Return where the table of a model is that lies as a bundle's does, None for one that lies elsewhere."""
    assets = model.parent.parent
    bundle = assets.parents[len(MAIN_ASSETS.parts) - 1] if len(assets.parts) > len(MAIN_ASSETS.parts) else None
    return bundle / TENSORS if bundle is not None and bundle / MAIN_ASSETS == assets else None


def with_names(file: TfliteFile, names: Sequence[str]) -> TfliteFile:
    """Return a file's values with a name for each tensor that has none. names: of all tensors, in the file's order."""
    left, graphs = iter(names), []
    for graph in file.subgraphs:
        named = (replace(tensor, name=tensor.name or name) for tensor, name in zip(graph.tensors, left, strict=False))
        graphs.append(replace(graph, tensors=tuple(named)))
    return replace(file, subgraphs=tuple(graphs))


def _places(file: TfliteFile) -> list[tuple[int, int]]:
    return [(i, j) for i, graph in enumerate(file.subgraphs) for j in range(len(graph.tensors))]
