"""bundle.json of a build: what made the bundle, what was measured and judged, and the SHA-256 of every other file."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import PurePath

from kit import __version__
from kit.build.checks import Verdict
from kit.build.metrics import OutputMeasure
from kit.build.write_bundle import Judged, Parts
from kit.bundle.layout import Bundle
from kit.bundle.manifest_entries import (
    CheckEntry,
    Manifest,
    Measures,
    ModelEntry,
    OutputEntry,
    RecipeEntry,
    Source,
    SourceFile,
    ToolchainEntry,
)
from kit.bundle.replay_report import ReplayReport
from kit.files import json_text, sha256_file, sha256_tree, size_of, tree_digests
from kit.shared.job import Result


def write_manifest(bundle: Bundle, manifest: Manifest) -> Manifest:
    """Write bundle.json beside all other files, and return it with their digests."""
    manifest = replace(manifest, files=tree_digests(bundle.folder))
    bundle.manifest.write_text(json_text(manifest.to_json()), "utf-8", newline="\n")
    return manifest


def manifest_of(bundle: Bundle, parts: Parts, judged: Judged, emulation: ReplayReport) -> Manifest:
    """Return what bundle.json says, but for the files. emulation: the harness's report."""
    recipe, result = parts.recipe, parts.result
    model = ModelEntry(
        sha256=sha256_file(bundle.model),
        bytes=bundle.model.stat().st_size,
        scheme=recipe.quantize.scheme,
        io=recipe.io,
        weights=judged.weights,
        unsure=result.unsure,
    )
    return Manifest(
        id=recipe.model.id,
        version=recipe.model.version,
        kit=__version__,
        key=parts.plan.key,
        recipe=RecipeEntry.from_json(recipe.model_dump(mode="json", exclude_none=True)),
        source=Source(_sources(parts), result.parameters),
        toolchain=_toolchain(parts),
        model=model,
        signature=parts.signature,
        files={},
        variables=result.variables,
        notes=judged.notes,
        measures=measured(result, judged),
        gate=recipe.checks.gate,
        checks=checked(judged.verdicts),
        emulation=emulation,
    )


def _toolchain(parts: Parts) -> ToolchainEntry:
    toolchain, result = parts.plan.toolchain, parts.result
    return ToolchainEntry(
        tensorflow=result.tensorflow,
        python=toolchain.python,
        keras=toolchain.keras,
        legacy_keras=toolchain.legacy_keras,
        locks={machine: lock.sha256 for machine, lock in toolchain.locks().items()},
        loader=result.loader,
        any_cpu=result.portable and not result.unsure and not parts.recipe.quantize.bias_correction,
        **_quantizer(parts),
    )


def _quantizer(parts: Parts) -> dict[str, str]:
    """Return what is said of LiteRT's quantizer, nothing where it made no part of the file."""
    if not parts.recipe.quantize.by_litert:
        return {}
    lock = parts.plan.quantizer.lock
    version = next((pin.version for pin in lock.pins if pin.name == "litert-quantizer"), "")
    return {"quantizer": f"litert-quantizer {version}", "quantizer_lock_sha256": lock.sha256}


def _sources(parts: Parts) -> tuple[SourceFile, ...]:
    """Return what is known of each model file or folder, by the name that the recipe has for it."""
    return tuple(
        SourceFile(
            file=PurePath(name).name,
            sha256=sha256_tree(source.path),
            format=source.suffix,
            bytes=size_of(source.path),
            keras=source.keras,
            tensorflow=source.tensorflow,
        )
        for name, source in zip(parts.recipe.model.paths, parts.plan.sources, strict=True)
    )


def measured(result: Result, judged: Judged) -> Measures:
    """Return what was measured, as the manifest has it."""
    return Measures(
        result.measured_on, result.samples, judged.interpreter, tuple(_output(measure) for measure in judged.measures)
    )


def checked(verdicts: tuple[Verdict, ...]) -> tuple[CheckEntry, ...]:
    """Return how each check ended, as the manifest has it."""
    return tuple(CheckEntry(v.name, v.limit, v.value, v.passed, v.enforced) for v in verdicts)


def _output(measure: OutputMeasure) -> OutputEntry:
    truth = measure.truth
    said = {field.name: getattr(measure, field.name) for field in fields(measure) if field.name != "truth"}
    entry = OutputEntry(**said)
    if truth is None:
        return entry
    return replace(entry, float_accuracy=truth.float_accuracy, accuracy=truth.accuracy, majority=truth.majority)
