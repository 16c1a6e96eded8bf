"""Hold what a bundle says of its model against the model: names, counts, types, labels, constants. Runs nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from kit.android.codegen.kotlin_names import literal
from kit.android.proof.kotlin_sources import Bindings
from kit.bundle.golden_bin import read_golden
from kit.bundle.labels import bundle_labels
from kit.bundle.layout import Bundle
from kit.bundle.signature import BundleSignature, TensorEntry, read_signature
from kit.errors import CheckError
from kit.tflite.model import Tensor, TfliteFile
from kit.tflite.reader import read_tflite

_AGAIN = "build the bundle again"


def check_signature(bundle: Bundle, bindings: Bindings) -> str:
    """Return what was counted.

    Raises CheckError where signature.json, labels, golden vectors or Kotlin do not fit the model.
    """
    signature = read_signature(bundle.signature)
    file = read_tflite(bundle.model)
    kotlin = "".join(path.read_text("utf-8") for path in bindings.sources)
    faults = [*_signatures(signature, file), *_labels(signature, bundle, kotlin), *_names(signature, kotlin)]
    faults += _vectors(signature, bundle.golden_bin)
    if faults:
        raise CheckError("\n  ".join(faults[:8]), _AGAIN)
    entries = signature.all_signatures()
    tensors = sum(len(entry.inputs) + len(entry.outputs) for entry in entries)
    return f"{len(entries)} signatures and {tensors} inputs and outputs as in the model file"


def _signatures(signature: BundleSignature, file: TfliteFile) -> Iterator[str]:
    known = {found.key: found for found in file.signatures}
    for entry in signature.all_signatures():
        found = known.get(entry.key)
        if found is None:
            yield f"signature.json names {entry.key!r}, and the model file has {', '.join(known) or 'none'}"
            continue
        tensors = file.subgraphs[found.subgraph].tensors
        for kind, listed, indices in (
            ("inputs", entry.inputs, found.inputs),
            ("outputs", entry.outputs, found.outputs),
        ):
            named = {tensor.name: tensor for tensor in listed}
            if set(named) != set(indices):
                yield f"{kind} of {entry.key}: {sorted(named)}, and in the model file {sorted(indices)}"
            for name in sorted(set(named) & set(indices)):
                yield from _tensor(named[name], tensors[indices[name]])
    kept = signature.variables
    for key in (kept.read, kept.assign) if kept else ():
        if key not in known:
            yield f"signature.json names {key!r} for the variables, and the model file has none"


def _tensor(entry: TensorEntry, tensor: Tensor) -> Iterator[str]:
    shape, wanted = tensor.shape_signature or tensor.shape, entry.shape
    if len(shape) != len(wanted) or any(a != b for a, b in zip(shape, wanted, strict=True) if a >= 0 and b >= 0):
        yield f"{entry.name}: shape {list(wanted)}, and in the model file {list(shape)}"
    if entry.dtype != tensor.dtype:
        yield f"{entry.name}: {entry.dtype}, and in the model file {tensor.dtype}"
    affine = tensor.quantization
    if entry.scale is not None and affine is not None and len(affine.scales) == 1:
        same = math.isclose(entry.scale, affine.scales[0], rel_tol=1e-6)
        if not same or (entry.zero_point or 0) != affine.zero_points[0]:
            yield f"{entry.name}: scale and zero point are not the model file's"


def _labels(signature: BundleSignature, bundle: Bundle, kotlin: str) -> Iterator[str]:
    found = bundle_labels(bundle, signature)
    for output in (output for output in signature.outputs if output.classes and output.name in found):
        labels = found[output.name]
        if len(labels) != output.shape[-1]:
            yield f"{output.labels}: {len(labels)} labels, and {output.name} has {output.shape[-1]} units"
        place = 0
        for label in labels:
            place = kotlin.find(literal(label), place) + 1
            if not place:
                yield f"{output.labels}: {label!r} is not in that order in the Kotlin"
                break


def _names(signature: BundleSignature, kotlin: str) -> Iterator[str]:
    for entry in signature.all_signatures():
        names = [entry.key, *(tensor.name for tensor in (*entry.inputs, *entry.outputs))]
        yield from (f"the Kotlin has no constant {literal(name)}" for name in names if literal(name) not in kotlin)


def _vectors(signature: BundleSignature, path: Path) -> Iterator[str]:
    try:
        sections = read_golden(path.read_bytes())
    except (OSError, ValueError) as error:
        yield f"{path.name}: {error}"
        return
    for kind, tensors in (("input", signature.inputs), ("output", signature.outputs)):
        for tensor in tensors:
            name = f"{signature.main.key}/{kind}/{tensor.name}"
            if name not in sections:
                yield f"{path.name} has no {name}"
            elif sections[name].dtype.name != tensor.dtype:
                yield f"{path.name}: {name} is {sections[name].dtype.name}, and the model's is {tensor.dtype}"
