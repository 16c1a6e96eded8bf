"""Whether the files of a bundle are of one build, whatever their digests say: what one says of another, how far off.

Judges what an app or a desktop would get wrong: scales, normalization, labels. What the model computes, the golden
vectors judge.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import fields
from itertools import zip_longest
from typing import Any

from kit.bundle.layout import SIGNATURE, Bundle
from kit.bundle.metadata import About, describe
from kit.bundle.signature import BundleSignature, TensorEntry, read_signature
from kit.errors import CheckError
from kit.shared.job import MODEL
from kit.tflite.metadata.decode import read_files, read_metadata
from kit.tflite.metadata.types import Metadata
from kit.tflite.model import TfliteFile
from kit.tflite.reader import read_tflite

_SHOWN = 3  # lines in a message


def refuse_disagreement(bundle: Bundle) -> None:
    """Refuse a bundle whose files contradict each other. Raises CheckError, and ModelError for damaged bytes."""
    lines = list(disagreements(bundle))
    if lines:
        more = f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
        raise CheckError(
            f"{bundle.folder}: its files are not of one build: {'; '.join(lines[:_SHOWN])}{more}", "build it again"
        )


def disagreements(bundle: Bundle) -> Iterator[str]:
    """Yield a line for each scale, normalization or list of labels that two files of a bundle have otherwise."""
    signature, file = read_signature(bundle.signature), read_tflite(bundle.model)
    scales = [*_scales(signature, file)]
    yield from scales
    found = None if scales else read_metadata(file)  # its limits of an input follow from the scale
    if found is not None:
        wanted = describe(file, signature, About(found.name, found.version))
        yield from note_differences(found, wanted, skip=frozenset({"description", "files"}))
    inside = read_files(bundle.model)
    for name in signature.labels:
        if name in inside and bundle.labels(name).is_file():
            yield from _labels(name, bundle.labels(name).read_bytes(), inside[name])
    yield from _counts(signature, bundle)


def note_differences(found: Metadata, wanted: Metadata, skip: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield what the metadata of inputs and outputs has otherwise than what signature.json would give.

    skip: names of fields of a note.
    """
    if len(found.subgraphs) != len(wanted.subgraphs):
        yield f"metadata of {len(found.subgraphs)} subgraphs, and {SIGNATURE} is of {len(wanted.subgraphs)}"
    for graph, other in zip(found.subgraphs, wanted.subgraphs, strict=False):
        for way in ("inputs", "outputs"):
            for note, one in zip_longest(getattr(graph, way), getattr(other, way)):
                if note is None or one is None:
                    yield f"{graph.name}: {len(getattr(graph, way))} {way}, and {len(getattr(other, way))} in the model"
                    break
                yield from field_differences(note, one, one.name, SIGNATURE, skip)


def field_differences(found: Any, wanted: Any, what: str, where: str, skip: frozenset[str]) -> list[str]:
    """Return a line for each field that metadata has otherwise. what: whose they are; where: what has the others."""
    names = [each.name for each in fields(found) if each.name not in skip]
    pairs = [(name, shown(getattr(found, name)), shown(getattr(wanted, name))) for name in names]
    return [f"{what}: {name} {a} in the metadata, {b} in {where}" for name, a, b in pairs if a != b]


def shown(value: Any) -> str:
    """Return a value of metadata in words, numbers in the digits that float32 has."""
    if isinstance(value, tuple) and all(isinstance(each, float) for each in value):
        return f"[{', '.join(f'{each:.7g}' for each in value)}]"
    return repr(value)


def _scales(signature: BundleSignature, file: TfliteFile) -> Iterator[str]:
    known = {found.key: found for found in file.signatures}
    for entry in signature.all_signatures():
        if entry.key not in known:
            continue
        own, tensors = known[entry.key], file.subgraphs[known[entry.key].subgraph].tensors
        for listed, indices in ((entry.inputs, own.inputs), (entry.outputs, own.outputs)):
            for tensor in listed:
                affine = tensors[indices[tensor.name]].quantization if tensor.name in indices else None
                if affine is not None and len(affine.scales) == 1:
                    yield from _scale(tensor, affine.scales[0], affine.zero_points[0])


def _scale(tensor: TensorEntry, scale: float, zero_point: int) -> Iterator[str]:
    """Yield how an output or input is quantized otherwise in the model file."""
    if tensor.scale is None:
        return
    if not math.isclose(tensor.scale, scale, rel_tol=1e-6):
        times = tensor.scale / scale if scale else math.inf
        yield (
            f"{tensor.name} has scale {tensor.scale:.7g} in {SIGNATURE}, and {scale:.7g} in {MODEL}: an app would take "
            f"its real values {times:.4g} times as large"
        )
    elif (tensor.zero_point or 0) != zero_point:
        steps = zero_point - (tensor.zero_point or 0)
        yield (
            f"{tensor.name} has zero point {tensor.zero_point} in {SIGNATURE}, and {zero_point} in {MODEL}: an app "
            f"would take its real values {steps:+d} steps off"
        )


def _labels(name: str, beside: bytes, inside: bytes) -> Iterator[str]:
    """Yield how a labels file is not the one that the model's metadata has. Both in UTF-8, a label a line."""
    ours, theirs = (text.decode("utf-8", "replace").splitlines() for text in (beside, inside))
    off = [i for i, (a, b) in enumerate(zip_longest(ours, theirs)) if a != b]
    if not off:
        return
    first = [repr(lines[off[0]]) if off[0] < len(lines) else "nothing" for lines in (ours, theirs)]
    count = f"{len(off)} of {max(len(ours), len(theirs))} lines differ"
    by = _shift(ours, theirs)
    means = (
        f"they are shifted by {abs(by)}: each class would get another one's name" if by else "classes would be misnamed"
    )
    yield (
        f"{name} is not the labels in the model's metadata: line {off[0] + 1} is {first[0]}, and {first[1]} there; "
        f"{count}, {means}"
    )


def _shift(ours: Sequence[str], theirs: Sequence[str]) -> int:
    """Return by how many lines labels are shifted, those at the ends around or away; 0 where they are not."""
    for by in (1, -1, 2, -2):
        pairs = [(ours[i + by], label) for i, label in enumerate(theirs) if 0 <= i + by < len(ours)]
        if len(pairs) > 1 and all(one == other for one, other in pairs):
            return by
    return 0


def _counts(signature: BundleSignature, bundle: Bundle) -> Iterator[str]:
    for output in signature.outputs:
        path = bundle.labels(output.labels) if output.classes and output.labels else None
        if path is None or not path.is_file():
            continue
        count = len(path.read_text("utf-8", "replace").splitlines())
        if output.shape[-1] >= 0 and count != output.shape[-1]:
            yield f"{path.name} has {count} labels, and '{output.name}' has {output.shape[-1]} classes"
