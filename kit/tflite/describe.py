"""A .tflite file as lines to read, safe for a terminal whatever the file holds. Reads no bytes."""

from __future__ import annotations

from collections.abc import Sequence

from kit.errors import ModelError
from kit.tflite.metadata.decode import read_metadata
from kit.tflite.metadata.types import TensorNote
from kit.tflite.model import Operator, Quantization, Tensor, TfliteFile


def describe(file: TfliteFile) -> list[str]:
    """Return a file's content as lines to read."""
    lines = columns(
        [
            ("bytes", f"{file.size:,} ({file.buffers_size:,} in {len(file.buffers)} buffers)"),
            ("sha256", file.sha256),
            ("description", quoted(file.description)),
            ("min runtime", escaped(file.min_runtime_version or "not said")),
            *(
                ("metadata", f"{quoted(entry.name)} {escaped(entry.text or '') or f'{entry.size:,} bytes'}")
                for entry in file.metadata
            ),
            *(("operator", f"{escaped(code.name)} v{code.version} x{code.count}") for code in file.operator_codes),
        ]
    )
    if noted := metadata_rows(file):
        lines += ["", *columns(noted)]
    for signature in file.signatures:
        lines += ["", f"signature {quoted(signature.key)} of subgraph {signature.subgraph}"]
        rows = [("in", *pair) for pair in signature.inputs.items()] + [("out", *p) for p in signature.outputs.items()]
        tensors = file.subgraphs[signature.subgraph].tensors
        lines += columns([(way, quoted(name), f"= #{i}", tensor_type(tensors[i])) for way, name, i in rows])
    for index, graph in enumerate(file.subgraphs):
        lines += ["", f"subgraph {index} {quoted(graph.name)}: {_list(graph.inputs)} -> {_list(graph.outputs)}"]
        lines += columns([_operator_row(n, operator) for n, operator in enumerate(graph.operators)])
        lines += ["", f"tensors of subgraph {index}"]
        lines += columns([_tensor_row(file, n, tensor) for n, tensor in enumerate(graph.tensors)])
    return lines


def metadata_rows(file: TfliteFile) -> list[tuple[str, ...]]:
    """Return what a file says of itself: the model's own words, then each input and output of each subgraph."""
    try:
        metadata = read_metadata(file)
    except ModelError as error:
        return [("metadata", escaped(error.message))]  # the rest of the file may be whole
    if metadata is None:
        return []
    said = ("name", "version", "description", "author", "license")
    rows = [(f"model {word}", quoted(getattr(metadata, word))) for word in said if getattr(metadata, word)]
    for graph in metadata.subgraphs:
        rows += [("metadata in", _note(each)) for each in graph.inputs]
        rows += [("metadata out", _note(each)) for each in graph.outputs]
    return list(rows)


def _note(note: TensorNote) -> str:
    words = [quoted(note.name), note.description and quoted(note.description), note.content]
    words += [note.color] if note.content == "image" else []
    words += [f"{note.rate} samples a second"] if note.content == "audio" else []
    if note.std:
        words.append(f"mean {_numbers(note.mean)} std {_numbers(note.std)}")
    words += [f"{escaped(each.kind)} {quoted(each.name)}" for each in note.files]
    words += [] if note.threshold is None else [f"threshold {note.threshold:.7g}"]
    return " ".join(word for word in words if word)


def _numbers(values: Sequence[float]) -> str:
    return ",".join(f"{value:.7g}" for value in values)


def _operator_row(index: int, operator: Operator) -> tuple[str, ...]:
    # repr(): an option may be a text out of a hostile file.
    options = ", ".join(f"{name}={value!r}" for name, value in operator.options.items())
    wires = f"{_list(operator.inputs)} -> {_list(operator.outputs)}"
    return str(index), f"{escaped(operator.name)} v{operator.version}", wires, options


def _tensor_row(file: TfliteFile, index: int, tensor: Tensor) -> tuple[str, ...]:
    size = f"{file.buffers[tensor.buffer].size:,} bytes" if tensor.sha256 else ""
    marks = [mark for mark, is_set in (("variable", tensor.is_variable), ("sparse", tensor.sparse)) if is_set]
    return f"#{index}", tensor_type(tensor), size, " ".join([_affine(tensor.quantization), *marks]), quoted(tensor.name)


def _affine(quantization: Quantization | None) -> str:
    if quantization is None:
        return ""
    if len(quantization.scales) == 1:
        return f"scale {quantization.scales[0]:.7g} zero {' '.join(map(str, quantization.zero_points)) or 0}"
    kind = quantization.details or f"axis {quantization.quantized_dimension}"
    return f"{len(quantization.scales)} scales, {kind}"


def tensor_type(tensor: Tensor) -> str:
    """Return type and shape in one word: "int8[1,8,8,1]", with -1 for a dynamic axis."""
    return f"{tensor.dtype}[{','.join(map(str, tensor.shape_signature or tensor.shape))}]"


def quoted(text: str) -> str:
    """Return a text of a file for a terminal: in quotes, with its control characters escaped."""
    return repr(text)


def escaped(text: str) -> str:
    """Return a text of a file for a terminal: with its control characters escaped."""
    return repr(text)[1:-1]


def columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows of one length as lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _list(indices: Sequence[int]) -> str:
    return ",".join("-" if index < 0 else f"#{index}" for index in indices)
