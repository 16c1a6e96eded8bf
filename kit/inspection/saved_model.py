"""A SavedModel: who wrote it, signatures with types, operators, variables, and what it runs or asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from kit.bounded import printable
from kit.files import size_of
from kit.inspection.keras_file import carried, own_words
from kit.inspection.shown import Shown, percent_of, rows, shape_text, table
from kit.source_model.model_file import ModelFile
from kit.source_model.saved_graph import SavedGraph, read_saved_graph
from kit.source_model.saved_signature import SavedTensor

_MOST_OPERATORS = 12  # in a line


def show_saved_model(source: ModelFile, guessed: Sequence[str]) -> Shown:
    """Return what a SavedModel says of itself. Raises ModelError where it is not whole."""
    graph, size = read_saved_graph(source.path), size_of(source.path)
    document = own_words(source) | {
        "bytes": size,
        "parameters": graph.parameters,
        "texts": [],
        "guessed": list(guessed),
        "python": list(graph.python),
        **asdict(graph),
    }
    writers = " and ".join(
        f"{name} {version}" for name, version in (("TensorFlow", source.tensorflow), ("Keras", source.keras)) if version
    )
    lines = rows(
        [
            ("path", source.path),
            ("format", "SavedModel"),
            ("bytes", f"{size:,}"),
            ("written by", writers or "not said"),
            ("tags", ", ".join(graph.tags) or "none"),
            ("weights", f"{graph.parameters:,} parameters in {len(graph.variables)} variables"),
            *([("trained", "with quantization (QAT): its ranges are in it")] if source.trained_int8 else []),
            *_code(source, graph),
            *(("guessed", each) for each in guessed),
            ("operators", _operators(graph)),
        ]
    )
    for signature in graph.signatures:
        lines += ["", f"signature {signature.key!r}"]
        lines += [f"in   {_tensor(tensor)}" for tensor in signature.inputs]
        lines += [f"out  {_tensor(tensor)}" for tensor in signature.outputs]
    return Shown((*map(printable, lines), *_variable_table(graph)), document)


def _code(source: ModelFile, graph: SavedGraph) -> list[tuple[str, str]]:
    calls = [("code", f"{each}: calls a Python function, which is not in the file") for each in graph.python]
    return [*calls, *(row for row in carried(source) if not calls or row[0] != "code")]


def _operators(graph: SavedGraph) -> str:
    most = [f"{name} x{count}" for name, count in graph.operators[:_MOST_OPERATORS]]
    more = len(graph.operators) - len(most)
    return ", ".join(most) + (f", and {more} other kinds" if more > 0 else "")


def _tensor(tensor: SavedTensor) -> str:
    return f"{tensor.name!r} {tensor.dtype}{shape_text(tensor.shape)}"


def _variable_table(graph: SavedGraph) -> list[str]:
    whole = sum(variable.bytes for variable in graph.variables)
    cells = [
        (
            repr(each.name)[1:-1],
            f"{each.dtype}{shape_text(each.shape)}",
            f"{each.bytes:,}",
            percent_of(each.bytes, whole),
        )
        for each in graph.variables
    ]
    return table(f"{len(cells)} variables", ("variable", "type", "bytes", "share"), cells)
