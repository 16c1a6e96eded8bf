"""The bundle's layout and contents: what a person drops into an app. Every file is the same bytes on every build."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from kit import __version__
from kit.android.api import COROUTINES, coordinate_of
from kit.android.glue import class_name
from kit.android.write import write_android
from kit.checks import Verdict, ignored, sentence
from kit.files import json_text, sha256_file, sha256_tree, size_of, tree_digests
from kit.harness import harness_files, write_harness
from kit.manifest import FORMAT, MANIFEST, PROVENANCE, PROVENANCE_CODE, PROVENANCE_STRUCTURE, SAMPLES
from kit.measure import OutputMeasure
from kit.metadata.content import about
from kit.metadata.write import write_metadata
from kit.modelfile import ModelFile
from kit.pins import Lock
from kit.recipe import Input, Output, Recipe
from kit.render import render_text
from kit.samples import image_facts, read_labels
from kit.toolchain import Toolchain
from kit.weight_types import WeightTypes
from kit.worker.job import ASSIGN, GOLDEN, MODEL, READ, Result, SignatureSpec, TensorSpec

if TYPE_CHECKING:
    import numpy as np

SIGNATURE_FORMAT = 1  # of signature.json, which the harness reads, too: keys may come, none goes


@dataclass(frozen=True)
class Parts:
    """What a bundle is made of. `files` is the folder of the worker's files, `model` the .tflite with its metadata."""

    recipe: Recipe
    toolchain: Toolchain
    sources: tuple[ModelFile, ...]
    result: Result
    files: Path
    model: bytes
    runtime_lock: Lock
    key: str
    samples: Mapping[str, np.ndarray]
    code: Path | None = None
    structure: Path | None = None


@dataclass(frozen=True)
class Judged:
    """What a product was measured at, on the app's runtime where there is one for it, and how it was judged."""

    interpreter: str  # what ran it: "litert:2.3.0"
    golden: Mapping[str, np.ndarray]  # the arrays of golden.npz
    measures: tuple[OutputMeasure, ...]
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...]  # the worker's, then what the measures say
    weights: WeightTypes


def write_runnable(folder: Path, parts: Parts) -> dict[str, Any]:
    """Write what it takes to run the model as an app does into an empty folder: assets and harness, no golden vectors.

    Returns the signature.
    """
    recipe = parts.recipe
    assets = folder / "src" / "main" / "assets" / recipe.model.id
    assets.mkdir(parents=True)
    (assets / MODEL).write_bytes(parts.model)
    for file, content in label_files(recipe).items():
        (assets / file).write_bytes(content)
    labels = _label_names(recipe)
    signature = _signature(recipe, parts.result, labels)
    (assets / "signature.json").write_text(json_text(signature), "utf-8", newline="\n")
    emulate = folder / "emulate"
    write_harness(emulate, harness_files(recipe.model.id, recipe.android.runtime, __version__))
    (emulate / "requirements.txt").write_text(parts.runtime_lock.text, "utf-8", newline="\n")
    return signature


def write_bundle(folder: Path, parts: Parts, judged: Judged) -> dict[str, Any]:
    """Write everything but the manifest into an empty folder; return the signature."""
    from kit.npz import save_npz  # numpy: a command that builds nothing should not load it

    recipe, golden = parts.recipe, folder / "emulate" / GOLDEN
    signature = write_runnable(folder, parts)
    labels = _label_names(recipe)
    beyond = [sentence(verdict) for verdict in ignored(judged.verdicts)]
    readme = _values(parts, signature) | {"gate": recipe.checks.gate, "beyond": beyond}
    (folder / "README.md").write_text(render_text("bundle/README.md.j2", readme), "utf-8", newline="\n")
    save_npz(golden, judged.golden)
    write_android(
        folder,
        id=recipe.model.id,
        version=recipe.model.version,
        package=recipe.android.package,
        runtime=recipe.android.runtime,
        signature=signature,
        labels={output: _labels(recipe, output) for output in labels},
        golden=golden,
    )
    # What `verify` needs to build the same model again, beside the model files.
    (folder / PROVENANCE).mkdir()
    lock = parts.toolchain.on(parts.result.machine).lock
    (folder / PROVENANCE / lock.path.name).write_text(lock.text, "utf-8", newline="\n")
    save_npz(folder / SAMPLES, parts.samples)
    for place, path in ((PROVENANCE_CODE, parts.code), (PROVENANCE_STRUCTURE, parts.structure)):
        if path is not None:
            shutil.copyfile(path, folder / place)
    for path in (p for p in folder.rglob("*") if p.is_file()):
        path.chmod(0o644)
    return signature


def write_manifest(
    folder: Path,
    parts: Parts,
    signature: Mapping[str, Any],
    judged: Judged,
    emulation: Mapping[str, Any],
) -> None:
    """Write bundle.json: what made the bundle, what was measured and judged, and the SHA-256 of every other file."""
    recipe, result = parts.recipe, parts.result
    model = next(folder.glob(f"src/main/assets/*/{MODEL}"))
    manifest = {
        "format": FORMAT,
        "id": recipe.model.id,
        "version": recipe.model.version,
        "kit": __version__,
        "key": parts.key,
        "recipe": recipe.model_dump(mode="json", exclude_none=True),
        "source": {"files": _sources(parts), "parameters": result.parameters},
        "toolchain": {
            "tensorflow": result.tensorflow,
            "loader": result.loader,
            "python": parts.toolchain.python,
            "keras": parts.toolchain.keras,
            "legacy_keras": parts.toolchain.legacy_keras,
            "lock_sha256": parts.toolchain.on(result.machine).lock.sha256,
            "architecture": result.machine,
            "any_cpu": result.portable,
        },
        "model": {
            "sha256": sha256_file(model),
            "bytes": model.stat().st_size,
            "scheme": recipe.quantize.scheme,
            "io": recipe.io,
            "weights": asdict(judged.weights),
        },
        "signature": signature,
        "variables": [asdict(fate) for fate in result.variables],
        "notes": list(judged.notes),
        "measures": measured(result, judged),
        "gate": recipe.checks.gate,
        "checks": [
            {"name": v.name, "limit": v.limit, "value": v.value, "passed": v.passed, "enforced": v.enforced}
            for v in judged.verdicts
        ],
        "emulation": emulation,
        "files": tree_digests(folder),
    }
    (folder / MANIFEST).write_text(json_text(manifest), "utf-8", newline="\n")


def _sources(parts: Parts) -> list[dict[str, Any]]:
    """Return what is known of each model file or folder, by the name that the recipe has for it."""
    return [
        {
            "file": PurePath(name).name,
            "format": source.suffix,
            "sha256": sha256_tree(source.path),
            "bytes": size_of(source.path),
            "keras": source.keras,
            "tensorflow": source.tensorflow,
        }
        for name, source in zip(parts.recipe.model.paths, parts.sources, strict=True)
    ]


def measured(result: Result, judged: Judged) -> dict[str, Any]:
    """Return what was measured, as the manifest has it."""
    return {
        "on": result.measured_on,
        "samples": result.samples,
        "interpreter": judged.interpreter,
        "outputs": [_plain_measure(measure) for measure in judged.measures],
    }


def _plain_measure(measure: OutputMeasure) -> dict[str, Any]:
    facts = asdict(measure)
    truth = facts.pop("truth") or {}
    return facts | {key: truth.get(key) for key in ("float_accuracy", "accuracy", "majority")}


def _labels(recipe: Recipe, output: str) -> list[str]:
    name = next(o.labels for o in recipe.outputs if o.name == output)
    return read_labels(recipe.file(str(name)))


def label_files(recipe: Recipe) -> dict[str, bytes]:
    """Return each labels file's content by its asset name: one label a line."""
    names = _label_names(recipe).items()
    return {file: "".join(f"{label}\n" for label in _labels(recipe, output)).encode() for output, file in names}


def finish_model(recipe: Recipe, result: Result, model: bytes, labels: Mapping[str, bytes]) -> bytes:
    """Return the worker's model as the bundle has it: with metadata. labels: what label_files gives."""
    return write_metadata(model, _signature(recipe, result, _label_names(recipe)), about(recipe), labels)


def _label_names(recipe: Recipe) -> dict[str, str]:
    """Return the asset name of each labelled output: labels.txt for the first, labels_2.txt for the second."""
    labelled = [output.name for output in recipe.outputs if output.labels]
    return {name: "labels.txt" if i == 0 else f"labels_{i + 1}.txt" for i, name in enumerate(labelled)}


def _signature(recipe: Recipe, result: Result, labels: Mapping[str, str]) -> dict[str, Any]:
    inputs = {tensor.name: tensor for tensor in recipe.inputs}
    outputs = {tensor.name: tensor for tensor in recipe.outputs}
    main = result.signature
    facts: dict[str, Any] = {
        "format": SIGNATURE_FORMAT,
        "id": recipe.model.id,
        "version": recipe.model.version,
        "model": MODEL,
        "signature": main.key,
        "inputs": [_input(spec, inputs.get(spec.name)) for spec in main.inputs],
        "outputs": [_output(spec, outputs.get(spec.name), labels) for spec in main.outputs],
    }
    if result.others:
        facts["others"] = [_plain(signature) for signature in result.others]
    if result.kept:
        tensors = [{"name": v.name, "shape": list(v.shape), "dtype": v.dtype} for v in result.kept]
        facts["variables"] = {"read": READ, "assign": ASSIGN, "tensors": tensors}
    if recipe.model.streaming:
        facts["streaming"] = True  # one step of a sequence in each call, the state in the variables
    if result.train:
        facts["train"] = _plain(result.train)
    if result.flex:
        facts["flex"] = list(result.flex)
    return facts


def _plain(signature: SignatureSpec) -> dict[str, Any]:
    """Return a signature that the recipe says nothing of."""
    return {
        "signature": signature.key,
        "inputs": [_input(spec, None) for spec in signature.inputs],
        "outputs": [_output(spec, None, {}) for spec in signature.outputs],
    }


def _facts(spec: TensorSpec, kind: str) -> dict[str, Any]:
    """Return a tensor's facts; what is as ever stays unsaid: a batch axis, the model's own name."""
    facts = asdict(spec) | {"kind": kind}
    if spec.batched:
        del facts["batched"]
    if not spec.origin:
        del facts["origin"]
    return facts


def _input(spec: TensorSpec, wish: Input | None) -> dict[str, Any]:
    facts = _facts(spec, wish.kind if wish else "tensor")
    return facts | image_facts(wish, spec.shape[1:]) if wish and wish.kind == "image" else facts


def _output(spec: TensorSpec, wish: Output | None, labels: Mapping[str, str]) -> dict[str, Any]:
    facts = _facts(spec, wish.kind if wish else "tensor")
    if wish is None or wish.kind != "classes":
        return facts
    facts |= {"labels": labels.get(spec.name), "activation": wish.activation or "none"}
    return facts if wish.threshold is None else facts | {"threshold": wish.threshold}


def _values(parts: Parts, signature: Mapping[str, Any]) -> dict[str, Any]:
    recipe = parts.recipe
    return {
        "bundle_id": recipe.model.id,
        "version": recipe.model.version,
        "runtime": recipe.android.runtime,
        "coordinate": coordinate_of(recipe.android.runtime),
        "coroutines": COROUTINES,
        "class_name": class_name(recipe.model.id),
        "kit_version": __version__,
        "tensorflow": parts.result.tensorflow,
        "scheme": recipe.quantize.scheme,
        "signature": signature,
    }
