"""The step that reads the model file's metadata back, and holds it against all else that the bundle says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from kit.android.proof.step import Step, step
from kit.bundle.agreement import field_differences, note_differences, shown
from kit.bundle.layout import Bundle
from kit.bundle.manifest import read_manifest
from kit.bundle.metadata import about, calibrations, describe
from kit.bundle.signature import BundleSignature, read_signature
from kit.errors import CheckError, ModelError
from kit.recipe.schema import Recipe
from kit.tflite.metadata.decode import read_files, read_metadata
from kit.tflite.metadata.types import Metadata, TensorNote
from kit.tflite.reader import read_tflite

METADATA = "metadata"
_AGAIN = "build the bundle again"


def metadata_step(bundle: Path) -> Step:
    """Return how the model's metadata stands to signature.json, the labels files and the recipe."""
    return step(METADATA, lambda: check_metadata(bundle))


def check_metadata(bundle: Path) -> str:
    """Return what was read. Raises CheckError that names both sides of each difference, or says what is damaged."""
    try:
        return _check(bundle)
    except ModelError as error:
        raise CheckError(error.message, error.hint) from error
    except OSError as error:
        raise CheckError(f"{error.filename}: cannot be read: {error.strerror}", _AGAIN) from error


def _check(bundle: Path) -> str:
    manifest = read_manifest(bundle)
    there = Bundle(bundle, manifest.id)
    model, signature = there.model, read_signature(there.signature)
    recipe = Recipe.model_validate_json(manifest.recipe.text)
    file = read_tflite(model)
    found = read_metadata(file)
    if found is None:
        raise CheckError(f"{model.name} has no metadata", _AGAIN)
    wanted = describe(file, signature, about(recipe))
    inside = read_files(model)
    faults = [
        *field_differences(found, wanted, "the model", "the bundle", frozenset({"subgraphs"})),
        *note_differences(found, wanted),
        *_recipe(found, recipe, signature.main.key),
    ]
    faults += _files(inside, there, signature)
    if faults:
        raise CheckError("\n  ".join(dict.fromkeys(faults)), _AGAIN)
    tensors = sum(len(graph.inputs) + len(graph.outputs) for graph in found.subgraphs)
    behind = f"; {', '.join(sorted(inside))} behind the model" if inside else ""
    return f"{tensors} inputs and outputs as signature.json and the recipe have them{behind}"


def _recipe(found: Metadata, recipe: Recipe, main: str) -> Iterator[str]:
    """Yield where the recipe's own numbers are not the metadata's: signature.json may be wrong in the same way."""
    # The recipe speaks of the main signature; another one may take the same image as plain numbers.
    graphs = [graph for graph in found.subgraphs if graph.name == main]
    notes: dict[str, TensorNote] = {note.name: note for graph in graphs for note in graph.inputs}
    for tensor in recipe.inputs:
        note = notes.get(tensor.name)
        if note is None or not tensor.std:
            continue
        for name, wanted in (("mean", tensor.mean), ("std", tensor.std)):
            reported = getattr(note, name)
            if len(reported) != len(wanted) or any(
                abs(a - b) > 1e-6 * abs(b) for a, b in zip(reported, wanted, strict=True)
            ):
                yield f"{tensor.name}: {name} {shown(reported)} in the metadata, {shown(tuple(wanted))} in the recipe"


def _files(inside: Mapping[str, bytes], bundle: Bundle, signature: BundleSignature) -> Iterator[str]:
    for name in signature.labels:
        beside = bundle.labels(name).read_bytes() if bundle.labels(name).is_file() else None
        if beside is None or inside.get(name) != beside:
            yield f"{name}: {_lines(inside.get(name))} in the model, {_lines(beside)} beside it"
    wanted = {*signature.labels, *calibrations(signature)}
    yield from (f"{name} behind the model is not of signature.json" for name in sorted(inside.keys() - wanted))
    for name, content in calibrations(signature).items():
        if inside.get(name) != content:
            yield f"{name}: {_lines(inside.get(name))} in the model, {_lines(content)} for a sigmoid"


def _lines(content: bytes | None) -> str:
    """Return a labels file in a few words, safe for a terminal."""
    if content is None:
        return "none"
    lines = content.decode("utf-8", "replace").splitlines()
    return f"{len(lines)} lines {', '.join(map(repr, lines[:3]))}{', ...' if len(lines) > 3 else ''}"
