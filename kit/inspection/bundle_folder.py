"""A bundle: what made it, its signature with what an app does around it, what was measured, its files. Runs none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kit.bounded import printable
from kit.bundle.layout import TENSORS, Bundle
from kit.bundle.manifest import faults, read_manifest
from kit.bundle.manifest_entries import Manifest, OutputEntry
from kit.bundle.signature import SignatureEntry, TensorEntry
from kit.bundle.tensor_table import layers_by_operator, read_named
from kit.inspection.shown import Shown, rows, shape_text, table
from kit.inspection.tflite_file import code_rows, held_table, needed, written_by
from kit.tflite.conversion import conversion
from kit.tflite.held import held_by_operators
from kit.tflite.weight_types import weights_text


def show_bundle(folder: Path) -> Shown:
    """Return what a bundle says of itself, and what its model holds.

    Raises RecipeError where it is none, ModelError where its model or its table of tensors is damaged.
    """
    manifest = read_manifest(folder)
    file = read_named(Bundle(folder, manifest.id).model)
    changed, held = faults(folder, manifest), held_by_operators(file)
    layers = layers_by_operator(folder / TENSORS, file)
    lines = rows(
        [
            ("path", folder),
            ("format", f"bundle {manifest.id} {manifest.version} of dropkit {manifest.kit}"),
            ("files", f"{len(manifest.files)}, {'; '.join(changed) or 'all as they were built'}"),
            *_made(manifest),
            ("written by", written_by(conversion(file))),
            *code_rows(file),
            ("runtime", manifest.runtime),
            *_measured(manifest),
            *(("note", note) for note in manifest.notes),
        ]
    )
    for signature in manifest.signature.all_signatures():
        lines += _signature(signature)
    kept = [(f"{v.name!r}", f"{v.dtype}{shape_text(v.shape)}") for v in _kept(manifest)]
    lines += table("variables that the model keeps", ("name", "type"), kept)
    codes = [(code.name, f"v{code.version}", f"x{code.count}") for code in file.operator_codes]
    lines += table("operators", ("operator", "version", "count"), codes)
    flex, custom = needed(file)
    document: dict[str, Any] = {
        "path": str(folder),
        "format": "bundle",
        "changed": changed,
        "bundle": manifest.to_json(),
        "converted_by": asdict(conversion(file)),
        "operators": [asdict(code) for code in file.operator_codes],
        "held": [{"layer": layers.get((each.subgraph, each.operator)), **asdict(each)} for each in held],
        "flex": flex,
        "custom": custom,
    }
    return Shown((*map(printable, lines), *held_table(held, layers)), document)


def _kept(manifest: Manifest) -> tuple[Any, ...]:
    return manifest.signature.variables.tensors if manifest.signature.variables else ()


def _made(manifest: Manifest) -> Iterator[tuple[str, object]]:
    for source in manifest.source.files:
        writers = {"TensorFlow": source.tensorflow, "Keras": source.keras}
        by = " and ".join(f"{name} {version}" for name, version in writers.items() if version)
        kind = f"{source.format}, {source.bytes:,} bytes" + (f", {by}" if by else "")
        yield "source", f"{source.file} ({kind}), sha256 {source.sha256}"
    made, model = manifest.toolchain, manifest.model
    quantizer = f", {made.quantizer}" if made.quantizer else ""
    yield "toolchain", f"TensorFlow {made.tensorflow}, {made.loader or made.keras}{quantizer}"
    yield "model", f"{model.bytes:,} bytes, {model.scheme}, {model.io} in and out, sha256 {model.sha256}"
    if model.weights:
        yield "weights", weights_text(model.weights, model.scheme)


def _measured(manifest: Manifest) -> Iterator[tuple[str, object]]:
    measures = manifest.measures
    if measures:
        yield "measured", f"on {measures.samples:,} samples ({measures.on}), by {measures.interpreter}"
        for output in measures.outputs:
            yield "output", f"'{output.name}' {'; '.join(_numbers(output))}"
    for check in manifest.checks:
        state = "pass" if check.passed else "FAIL" if check.enforced else "warn"
        yield "check", f"{check.name}: {check.value}, limit {check.limit}: {state}"


def _numbers(output: OutputEntry) -> Iterator[str]:
    if output.accuracy is not None and output.float_accuracy is not None:
        yield f"accuracy {output.float_accuracy:.2%} -> {output.accuracy:.2%}"
    yield from (
        f"{metric.name} {metric.before:.4g} -> {metric.after:.4g}"
        for metric in output.metrics
        if metric.before is not None and metric.after is not None
    )
    if output.agreement is not None:
        yield f"agreement {output.agreement:.2%}"
    yield f"worst error {output.worst_error:.4g}"


def _signature(signature: SignatureEntry) -> list[str]:
    lines = ["", f"signature {signature.key!r}"]
    lines += [f"in   {tensor_text(tensor)}" for tensor in signature.inputs]
    return lines + [f"out  {tensor_text(tensor)}" for tensor in signature.outputs]


def tensor_text(tensor: TensorEntry) -> str:
    """Return a tensor with what an app does before or behind it, in words."""
    affine = "" if tensor.scale is None else f" scale {tensor.scale:.7g} zero {tensor.zero_point}"
    own = {key: value for key, value in tensor.to_json().items() if key not in _PLAIN and value is not None}
    words = ", ".join(f"{key} {_value(value)}" for key, value in own.items())
    kind = tensor.kind + (f" ({words})" if words else "")
    return f"{tensor.name!r} {tensor.dtype}{shape_text(tensor.shape)}{affine}  {kind}"


_PLAIN = {"name", "shape", "dtype", "scale", "zero_point", "kind"}


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key}={_value(each)}" for key, each in value.items() if each is not None)
    return ",".join(map(_value, value)) if isinstance(value, list) else f"{value}"
