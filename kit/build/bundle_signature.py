"""The signature of a bundle: what the worker made, with what the recipe says of it; and the labels beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kit.build.anchors import Anchors
from kit.build.audio_input import check_audio
from kit.build.image_input import image_entry
from kit.build.output_forms import Forms, forms_of
from kit.build.raw_inputs import RawInputs
from kit.bundle.signature import (
    BundleSignature,
    ClassesEntry,
    SignatureEntry,
    TensorEntry,
    VariableEntry,
    VariablesEntry,
)
from kit.recipe.labels import read_labels
from kit.recipe.output import Output
from kit.recipe.schema import Input, Recipe
from kit.shared.job import ASSIGN, READ, Result, TensorSpec


@dataclass(frozen=True)
class Labels:
    """The labels of one output. file: the asset's name, labels.txt for the first, labels_2.txt for the second."""

    file: str
    texts: tuple[str, ...]

    @property
    def content(self) -> bytes:
        """Return the asset: one label a line."""
        return "".join(f"{text}\n" for text in self.texts).encode()


def labels_of(recipe: Recipe) -> dict[str, Labels]:
    """Return the labels by output name, as the recipe's files have them. Raises RecipeError."""
    labelled = [(output.name, output.labels) for output in recipe.outputs if output.labels]
    return {
        name: Labels("labels.txt" if i == 0 else f"labels_{i + 1}.txt", tuple(read_labels(recipe.file(path))))
        for i, (name, path) in enumerate(labelled)
    }


def label_files(labels: Mapping[str, Labels]) -> dict[str, bytes]:
    """Return the content of each labels file by its asset name."""
    return {found.file: found.content for found in labels.values()}


def read_forms(recipe: Recipe, result: Result, labels: Mapping[str, Labels], anchors: Mapping[str, Anchors]) -> Forms:
    """Return what the outputs are that the recipe gives a kind. Raises RecipeError where their shapes do not fit."""
    counted = {name: (found.file, len(found.texts)) for name, found in labels.items()}
    return forms_of(recipe, result, counted, anchors)


def signature_of(
    recipe: Recipe, result: Result, labels: Mapping[str, Labels], forms: Forms, raw: RawInputs
) -> BundleSignature:
    """Return the signature of what the worker made of a recipe. Raises RecipeError for an input not of its kind."""
    inputs = {tensor.name: tensor for tensor in recipe.inputs}
    outputs = {tensor.name: tensor for tensor in recipe.outputs}
    main = result.signature
    kept = tuple(VariableEntry(spec.name, spec.shape, spec.dtype) for spec in result.kept)
    return BundleSignature(
        id=recipe.model.id,
        version=recipe.model.version,
        main=SignatureEntry(
            main.key,
            tuple(_input(spec, inputs.get(spec.name), raw) for spec in main.inputs),
            tuple(_output(spec, outputs.get(spec.name), labels.get(spec.name), forms) for spec in main.outputs),
        ),
        others=tuple(SignatureEntry.plain(spec) for spec in result.others),
        train=SignatureEntry.plain(result.train) if result.train else None,
        variables=VariablesEntry(READ, ASSIGN, kept) if kept else None,
        streaming=recipe.model.streaming,
        resets=recipe.quantize.fused_lstm,
        flex=result.flex,
    )


def _input(spec: TensorSpec, said: Input | None, raw: RawInputs) -> TensorEntry:
    """Return an input. said: what the recipe says of it."""
    if spec.name in raw.texts:
        return TensorEntry.of(spec).with_text(raw.texts[spec.name].entry)
    if (audio := raw.audio.get(spec.name)) is not None:
        shape = spec.shape[1:] if spec.batched else spec.shape
        check_audio(audio, spec.name, shape, real=spec.dtype.startswith("float") or spec.scale is not None)
        return TensorEntry.of(spec).with_audio(audio.entry)
    image = image_entry(said, spec.shape[1:]) if said and said.kind == "image" else None
    return TensorEntry.of(spec, image=image)


def _output(spec: TensorSpec, said: Output | None, labels: Labels | None, forms: Forms) -> TensorEntry:
    if said is not None and (form := forms.outputs.get(spec.name)) is not None:
        return TensorEntry.of(spec).with_form(said.kind, form)
    if said is None or said.kind != "classes":
        return TensorEntry.of(spec)
    classes = ClassesEntry(labels.file if labels else None, said.activation or "none", said.threshold)
    return TensorEntry.of(spec, classes=classes)
