"""What an app sees of a bundle or of a .tflite file: entry points, what values mean, labels, runtimes, measures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.bundle.labels import bundle_labels
from kit.bundle.layout import Bundle
from kit.bundle.manifest import read_manifest
from kit.bundle.manifest_entries import Manifest
from kit.bundle.signature import SignatureEntry, TensorEntry
from kit.bundle.tensor_table import read_named
from kit.bundle.whole import MANIFEST
from kit.errors import ModelError
from kit.files import tree_digests
from kit.tflite.metadata.decode import read_files, read_metadata
from kit.tflite.metadata.types import TensorNote
from kit.tflite.model import Subgraph, Tensor, TfliteFile
from kit.toolchains.operator_support import misfits, table
from kit.updates.terms import contract_digest, labels_digest

_BORDER = {"name", "shape", "dtype", "scale", "zero_point", "labels"}  # of signature.json, compared on their own
_READ_BESIDE = re.compile(r"vocabulary(_[0-9]+)?\.txt|anchors(_[0-9]+)?\.bin")  # assets that a class reads


@dataclass(frozen=True)
class TensorView:
    """An input or output. real = scale * (q - zero_point). meaning: what an app does before or behind it, by key."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None
    meaning: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True)
class EntryView:
    """An entry point, its tensors in the order of the file."""

    key: str
    inputs: tuple[TensorView, ...]
    outputs: tuple[TensorView, ...]


@dataclass(frozen=True)
class AppView:
    """All that an app sees. A .tflite file alone says neither id, runtime nor measures."""

    path: str
    file: TfliteFile
    entries: tuple[EntryView, ...]
    runs_on: tuple[str, ...]  # pinned runtimes that have its operators
    needs: tuple[str, ...]  # operators that no runtime has by itself: flex and custom ones
    id: str = ""
    version: str = ""
    scheme: str = ""
    package: str = ""
    runtime: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)  # type and shape by name
    assets: Mapping[str, str] = field(default_factory=dict)  # SHA-256 of vocabularies and anchors by name
    metrics: Mapping[str, float] = field(default_factory=dict)  # "accuracy of 'digit'"
    terms: str = ""  # digest of what a class that takes updates relies on; "" where it takes none


def view_pair(a: Path, b: Path) -> tuple[AppView, AppView]:
    """Return both: as bundles where both are, else as the .tflite files, of which both say the same things."""
    both = all((path / MANIFEST).is_file() for path in (a, b))
    return (view_bundle(a), view_bundle(b)) if both else (view_file(a), view_file(b))


def view_bundle(folder: Path) -> AppView:
    """Return what an app sees of a bundle. Raises RecipeError, CheckError or ModelError where it is damaged."""
    manifest = read_manifest(folder)
    bundle = Bundle(folder, manifest.id)
    file, signature = read_named(bundle.model), manifest.signature
    labels = bundle_labels(bundle, signature)
    kept = signature.variables.tensors if signature.variables else ()
    digests = {name: sha for name, sha in tree_digests(bundle.assets).items() if _READ_BESIDE.fullmatch(name)}
    takes = manifest.recipe.update_version > 0
    return AppView(
        path=file.path,
        file=file,
        entries=tuple(_entry(entry, labels if entry is signature.main else {}) for entry in signature.all_signatures()),
        runs_on=_runs_on(file),
        needs=_needs(file),
        id=manifest.id,
        version=manifest.version,
        scheme=manifest.model.scheme,
        package=str(manifest.recipe.package or ""),
        runtime=manifest.runtime,
        variables={each.name: f"{each.dtype}{list(each.shape)}" for each in kept},
        assets=digests,
        metrics=dict(_metrics(manifest)),
        terms=contract_digest(signature) + labels_digest(bundle) if takes else "",
    )


def view_file(path: Path) -> AppView:
    """Return what an app sees of a .tflite file, or of a bundle's, by the file alone. Raises ModelError."""
    file = read_named(path)
    return AppView(file.path, file, tuple(_file_entries(file)), _runs_on(file), _needs(file))


def _entry(entry: SignatureEntry, labels: Mapping[str, tuple[str, ...]]) -> EntryView:
    sides = ([_tensor(tensor, labels.get(tensor.name)) for tensor in side] for side in (entry.inputs, entry.outputs))
    inputs, outputs = (tuple(side) for side in sides)
    return EntryView(entry.key, inputs, outputs)


def _tensor(tensor: TensorEntry, labels: tuple[str, ...] | None) -> TensorView:
    document = json.loads(json.dumps(tensor.to_json()))
    meaning = {key: value for key, value in document.items() if key not in _BORDER and key != "origin"}
    form = meaning.pop(tensor.kind, None)
    meaning |= {key: value for key, value in form.items() if key != "labels"} if isinstance(form, dict) else {}
    return TensorView(tensor.name, tensor.shape, tensor.dtype, tensor.scale, tensor.zero_point, meaning, labels)


def _metrics(manifest: Manifest) -> Iterator[tuple[str, float]]:
    for output in manifest.measures.outputs if manifest.measures else ():
        of = f"of '{output.name}'"
        if output.accuracy is not None:
            yield f"accuracy {of}", output.accuracy
        yield from ((f"{each.name} {of}", each.after) for each in output.metrics if each.after is not None)
        if output.agreement is not None:
            yield f"agreement with float {of}", output.agreement
        yield f"worst error {of}", output.worst_error


def _file_entries(file: TfliteFile) -> Iterator[EntryView]:
    files, notes = _attached(file)
    for signature in file.signatures:
        graph = file.subgraphs[signature.subgraph]
        sides = [
            tuple(_of_file(name, graph.tensors[i], notes.get((signature.subgraph, i)), files) for name, i in side)
            for side in (signature.inputs.items(), signature.outputs.items())
        ]
        yield EntryView(signature.key, sides[0], sides[1])
    if not file.signatures:
        yield _unsigned(file.subgraphs[0], notes, files)


def _unsigned(graph: Subgraph, notes: Mapping[tuple[int, int], TensorNote], files: Mapping[str, bytes]) -> EntryView:
    """Return the entry point of a file without signatures: its first graph, by the names of tensors."""
    sides = [
        tuple(_of_file(graph.tensors[i].name, graph.tensors[i], notes.get((0, i)), files) for i in side)
        for side in (graph.inputs, graph.outputs)
    ]
    return EntryView("", sides[0], sides[1])


def _attached(file: TfliteFile) -> tuple[Mapping[str, bytes], dict[tuple[int, int], TensorNote]]:
    """Return the files behind a model, and what its metadata says, by subgraph and tensor; nothing where damaged."""
    try:
        metadata = read_metadata(file)
        files = read_files(Path(file.path)) if metadata else {}
    except ModelError:
        return {}, {}
    notes: dict[tuple[int, int], TensorNote] = {}
    for index, (note, graph) in enumerate(zip(metadata.subgraphs if metadata else (), file.subgraphs, strict=False)):
        pairs = (*zip(note.inputs, graph.inputs, strict=False), *zip(note.outputs, graph.outputs, strict=False))
        notes |= {(index, tensor): said for said, tensor in pairs}
    return files, notes


def _of_file(name: str, tensor: Tensor, note: TensorNote | None, files: Mapping[str, bytes]) -> TensorView:
    quantization = tensor.quantization
    affine = quantization if quantization and len(quantization.scales) == 1 else None
    labels = next((each.name for each in note.files if each.kind == "labels"), None) if note else None
    return TensorView(
        name=name,
        shape=tensor.shape_signature or tensor.shape,
        dtype=tensor.dtype,
        scale=affine.scales[0] if affine else None,
        zero_point=(affine.zero_points or (0,))[0] if affine else None,
        meaning=_said(note) if note else {},
        labels=tuple(files[labels].decode("utf-8", "replace").splitlines()) if labels and labels in files else None,
    )


def _said(note: TensorNote) -> dict[str, Any]:
    said = {
        "content": note.content,
        "color": note.color,
        "rate": note.rate,
        "mean": list(note.mean),
        "std": list(note.std),
        "threshold": note.threshold,
    }
    return {key: value for key, value in said.items() if value}


def _runs_on(file: TfliteFile) -> tuple[str, ...]:
    needed: dict[str, int] = {}
    for code in file.operator_codes:
        if not code.name.startswith("CUSTOM"):
            needed[code.name] = max(needed.get(code.name, 1), code.version)
    return tuple(name for name in table() if not misfits(needed, name))


def _needs(file: TfliteFile) -> tuple[str, ...]:
    return tuple(sorted({c.name.removeprefix("CUSTOM:") for c in file.operator_codes if c.name.startswith("CUSTOM")}))
