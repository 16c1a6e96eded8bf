"""The files of two bundles side by side on given inputs: the float32 one, and the product. Makes no file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.tools import flatbuffer_utils

from kit.quantizer.inside.layer_errors import Pair, by_layer, layer_errors, with_outputs
from kit.quantizer.inside.schemes import operators
from kit.quantizer.inside.tensors import Tensors, real
from kit.quantizer.inside.unique_names import with_unique_names
from kit.shared.calls import Feeds
from kit.shared.quantization import FilePair, LayerError, NamedFile


def compared(pair: FilePair) -> tuple[LayerError, ...]:
    """Return the error of each layer of a signature, by the product's tensor.

    Raises ValueError where the two files do not take the same.
    """
    exact, made = (_content(file) for file in (pair.exact, pair.product))
    found, others = ([*operators(_model(content), pair.layers)] for content in (exact, made))
    files = Tensors.of(exact), Tensors.of(made)
    if any(pair.signature not in file.graphs for file in files):
        raise ValueError(f"both files need a signature {pair.signature!r}")
    both = Pair(*files, with_outputs(by_layer(found, others), *files, pair.signature))
    errors = layer_errors(both, pair.signature, _calls(both, pair), found)
    return tuple(replace(error, tensor=both.partners[error.tensor]) for error in errors)


def _content(file: NamedFile) -> bytes:
    """Return a file whose tensors have their names."""
    content = Path(file.path).read_bytes()
    return with_unique_names(_named(content, file.names) if file.names else content)


def _model(content: bytes) -> Any:
    return flatbuffer_utils.read_model_from_bytearray(bytearray(content))


def _named(content: bytes, names: Sequence[str]) -> bytes:
    """Return a file with a name for each tensor that has none. names: of all, in the file's order."""
    model, left = _model(content), iter(names)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            name = next(left)
            tensor.name = tensor.name or name.encode()
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _calls(both: Pair, pair: FilePair) -> Iterator[tuple[Feeds, Feeds]]:
    """Yield what the float file takes in each call, and what the product does: by input name [...] in its dtype."""
    wanted, given = (
        each.interpreter.get_signature_runner(pair.signature).get_input_details() for each in (both.exact, both.product)
    )
    if set(wanted) != set(given):
        raise ValueError(f"its inputs are {', '.join(sorted(wanted))}, and the product's {', '.join(sorted(given))}")
    with np.load(pair.inputs) as arrays:
        inputs = {name: arrays[f"input/{name}"] for name in given}
    for index in range(len(next(iter(inputs.values())))):
        fed = {name: array[index] for name, array in inputs.items()}
        yield {name: _as_wanted(value, given[name], wanted[name]) for name, value in fed.items()}, fed


def _as_wanted(value: np.ndarray, given: Mapping[str, Any], wanted: Mapping[str, Any]) -> np.ndarray:
    """Return an input as the float file takes it: its real values, or the same whole numbers.

    value: as the product takes it, [...] in its dtype; given, wanted: the interpreter's details of both inputs. Raises
    ValueError where the shapes differ.
    """
    shape = [int(size) for size in wanted["shape_signature"]]
    if len(shape) != value.ndim or any(size not in {-1, own} for size, own in zip(shape, value.shape, strict=True)):
        raise ValueError(f"its input {wanted['name']!r} is {shape}, and the product's {list(value.shape)}")
    values, dtype = real(value, _scale(given)), np.dtype(wanted["dtype"])
    scale = _scale(wanted)
    if dtype.kind == "f" or scale is None:
        return values.astype(dtype)
    ends = np.iinfo(dtype)
    steps = np.round(values / float(scale[0][0])) + int(scale[1][0])
    return np.clip(steps, ends.min, ends.max).astype(dtype)


def _scale(detail: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, int] | None:
    """Return scales float32 [n], zero points int32 [n] and their axis; None where a tensor has none."""
    quantized = detail["quantization_parameters"]
    if not len(quantized["scales"]):
        return None
    return quantized["scales"], quantized["zero_points"], int(quantized["quantized_dimension"])
