"""A Keras file: who wrote it, signature, layers with shapes and bytes, what code it carries and what it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from kit.bounded import printable
from kit.errors import ModelError
from kit.files import size_of
from kit.inspection.shown import Shown, percent_of, rows, shape_text, table
from kit.source_model.layers import FileLayer, file_layers
from kit.source_model.model_file import ModelFile
from kit.source_model.text_layer import config_of, find_text_layers


def show_keras(source: ModelFile, guessed: Sequence[str]) -> Shown:
    """Return what a .keras or an .h5 file says of itself. guessed: what its outputs may be.

    Raises ModelError where the weights in it cannot be read: it would look like a model without any.
    """
    if source.unread:
        raise ModelError(f"{source.path}: the weights in it cannot be read: {source.unread}", "copy or save it again")
    layers, size = file_layers(config_of(source, None), source.arrays), size_of(source.path)
    texts = find_text_layers(source)
    document = own_words(source) | {
        "bytes": size,
        "parameters": sum(layer.parameters for layer in layers),
        "layers": [asdict(layer) for layer in layers],
        "texts": [asdict(each) for each in texts],
        "guessed": list(guessed),
    }
    lines = rows(
        [
            ("path", source.path),
            ("format", source.suffix),
            ("bytes", f"{size:,}"),
            ("written by", f"Keras {source.keras}" if source.keras else "not said"),
            *_ends(source, layers),
            ("weights", f"{sum(layer.parameters for layer in layers):,} parameters in {source.weights:,} bytes"),
            *([("trained", "with quantization (QAT): its ranges may be in it")] if source.trained_int8 else []),
            *carried(source),
            *(("text", each.sentence) for each in texts),
            *(("guessed", each) for each in guessed),
        ]
    )
    return Shown((*map(printable, lines), *_layer_table(layers)), document)


def own_words(source: ModelFile) -> dict[str, Any]:
    """Return a model file's description as JSON has it, without its arrays and its whole configuration."""
    words = asdict(replace(source, arrays=(), config={})) | {"path": str(source.path)}
    return {name: value for name, value in words.items() if name not in {"arrays", "config", "unread"}}


def carried(source: ModelFile) -> list[tuple[str, str]]:
    """Return what a model runs of its own, and what it asks for beyond computing; one row that says none."""
    code = [("code", f"the layer '{name}' contains Python, which runs in the sandbox alone") for name in source.code]
    asks = [("asks", ask) for ask in source.asks]
    return [*(code or [("code", "none")]), *(asks or [("asks", "nothing beyond computing")])]


def _ends(source: ModelFile, layers: Sequence[FileLayer]) -> list[tuple[str, str]]:
    """Return inputs and outputs as rows, with types and shapes as far as the file has them."""
    shapes = {layer.name: layer.shape for layer in layers}
    names = source.names
    types = names.types if names else {}
    inputs = [(name, shapes.get(name) or (-1, *(size or -1 for size in rest))) for name, rest in source.inputs.items()]
    outputs = [(name, shapes.get(name)) for name in names.outputs] if names else []
    return [
        *(("input", f"'{name}' {types.get(name, '')}{shape_text(shape)}") for name, shape in inputs),
        *(("output", f"'{name}' {shape_text(shape)}") for name, shape in outputs),
    ]


def _layer_table(layers: Sequence[FileLayer]) -> list[str]:
    whole = sum(layer.bytes for layer in layers)
    cells = [
        (
            repr(layer.name)[1:-1],
            repr(layer.kind)[1:-1] + (f" of {layer.inside} layers" if layer.inside else ""),
            shape_text(layer.shape) if layer.kind else "",
            f"{layer.parameters:,}" if layer.parameters else "",
            f"{layer.bytes:,}" if layer.bytes else "",
            percent_of(layer.bytes, whole),
            " ".join(layer.types) + ("" if layer.trainable else " frozen"),
        )
        for layer in layers
    ]
    return table(f"{len(layers)} layers", ("layer", "class", "output", "parameters", "bytes", "share", "type"), cells)
