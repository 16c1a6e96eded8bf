"""A bundle's numbers by operator, as Model Explorer reads node data: error of layers, their names, bytes.

Source of the format: Model Explorer's node_data_builder.py, 0.1.34. A node of its TFLite adapter is the operator's
place in its subgraph, for names of inner tensors are not in a bundle's file; a graph is the subgraph's name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.bounded import MOST_JSON, read_bounded
from kit.bundle.layout import TENSORS, Bundle
from kit.bundle.manifest import read_manifest
from kit.bundle.tensor_table import layers_by_operator, read_named
from kit.errors import OutputError
from kit.shared.quantization import PERFECT, LayerError
from kit.shared.values import from_json
from kit.tflite.held import held_by_operators
from kit.tflite.model import TfliteFile

Nodes = dict[tuple[int, int], float | str]  # by subgraph and operator
RETYPES = {"QUANTIZE", "DEQUANTIZE"}
_PALE, _STRONG = "#fff3d6", "#c2410c"  # of the least and of the largest value


@dataclass(frozen=True)
class NodeData:
    """One column of numbers or words. word: names its file; title: what Model Explorer calls it."""

    word: str
    title: str
    graphs: Mapping[str, Mapping[str, float | str]]  # by subgraph, then by operator

    def text(self) -> str:
        """Return it as the JSON of a node data file."""
        return json.dumps({graph: self._graph(values) for graph, values in self.graphs.items()}, indent=2) + "\n"

    def _graph(self, values: Mapping[str, float | str]) -> dict[str, object]:
        entry: dict[str, object] = {"results": {node: {"value": value} for node, value in values.items()}}
        if all(isinstance(value, float) for value in values.values()):
            entry["gradient"] = [{"stop": 0, "bgColor": _PALE}, {"stop": 1, "bgColor": _STRONG}]
        return entry


@dataclass(frozen=True)
class Explored:
    """A bundle's model with its columns, and what is to be said of them."""

    name: str
    model: Path
    columns: tuple[NodeData, ...]
    notes: tuple[str, ...]


def explored(folder: Path) -> Explored:
    """Return what Model Explorer shows of a bundle.

    Raises RecipeError where it is none, ModelError where its model is damaged, OutputError where the record of the
    search beside it is.
    """
    manifest = read_manifest(folder)
    model = Bundle(folder, manifest.id).model
    file = read_named(model)
    layers = layers_by_operator(folder / TENSORS, file)
    held: Nodes = {(row.subgraph, row.operator): float(row.bytes) for row in held_by_operators(file) if row.bytes}
    errors, notes = recorded_errors(folder.with_name(f"{folder.name}.search.json"), file)
    columns = [
        _column(file, "added", "error that it adds, % of the signal", {at: 100 * e.added for at, e in errors.items()}),
        _column(file, "snr", "signal to noise, dB", {at: min(e.snr, PERFECT) for at, e in errors.items()}),
        _column(file, "layer", "layer of the source model", dict(layers)),
        _column(file, "bytes", "bytes of constants", held),
    ]
    return Explored(manifest.id, model, tuple(column for column in columns if column.graphs), tuple(notes))


def _column(file: TfliteFile, word: str, title: str, nodes: Mapping[tuple[int, int], float | str]) -> NodeData:
    graphs: dict[str, dict[str, float | str]] = {}
    for (subgraph, operator), value in sorted(nodes.items()):
        graphs.setdefault(file.subgraphs[subgraph].name, {})[str(operator)] = value
    return NodeData(word, title, graphs)


def recorded_errors(record: Path, file: TfliteFile) -> tuple[dict[tuple[int, int], LayerError], list[str]]:
    """Return the errors of a search's record by operator, and notes on what is not there.

    file: with the names of its tensors. Raises OutputError where the record is none.
    """
    if not record.is_file():
        return {}, [
            "errors of layers are measured by scheme = 'auto' and tune = true, and this bundle is of neither: names of "
            "layers and bytes alone"
        ]
    size, errors = _chosen(record)
    if size != file.size:
        return {}, [f"{record.name} is of another build, whose file has {size:,} bytes: its errors are left out"]
    return errors_by_operator(errors, file)


def errors_by_operator(
    errors: Sequence[LayerError], file: TfliteFile
) -> tuple[dict[tuple[int, int], LayerError], list[str]]:
    """Return errors by the operator that gives their tensor, and notes on those that none gives.

    file: with the names of its tensors.
    """
    places = dict(reversed([*_places(file), *_retyped(file)]))
    found = {places[error.tensor]: error for error in errors if error.tensor in places}
    lost = len(errors) - len(found)
    return found, [f"{lost} of {len(errors)} layers have no operator of their name in the file"] if lost else []


def _chosen(record: Path) -> tuple[int, Sequence[LayerError]]:
    """Return the size of the file that a search chose, and its errors. Raises OutputError where none says so."""
    try:
        rows = json.loads(read_bounded(record, MOST_JSON))["candidates"]
        row = next(row for row in rows if row["verdict"] == "chosen")
        return int(row["bytes"]), [from_json(LayerError, error) for error in row["errors"]]
    except (OSError, ValueError, TypeError, KeyError, StopIteration, RecursionError) as error:
        what = f"{type(error).__name__}: {error}"
        raise OutputError(f"{record}: no record of a search: {what}", "remove it, or build the bundle again") from error


def _retyped(file: TfliteFile) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield what only changes a type, as an output at the app's border, with the place of what calculates it."""
    for index, graph in enumerate(file.subgraphs):
        made = {at: place for place, operator in enumerate(graph.operators) for at in operator.outputs}
        for operator in graph.operators:
            if operator.name in RETYPES and operator.outputs and (at := made.get(operator.inputs[0])) is not None:
                yield graph.tensors[operator.outputs[0]].name, (index, at)


def _places(file: TfliteFile) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield each operator's first output by name, with its place; what only changes a type has the name, too."""
    for index, graph in enumerate(file.subgraphs):
        for place, operator in enumerate(graph.operators):
            if operator.outputs and operator.name not in RETYPES:
                yield graph.tensors[operator.outputs[0]].name, (index, place)
