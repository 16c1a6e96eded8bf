"""Inputs of kind text: how text becomes ids, out of the model file, and the vocabulary as an asset. Reads no data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from kit.bundle.signature import TextEntry
from kit.errors import RecipeError
from kit.recipe.schema import Input, Recipe
from kit.source_model.model_file import ModelFile
from kit.source_model.text_layer import read_text_layer

if TYPE_CHECKING:
    import numpy as np

    from kit.shared.text import TextForm

Texts = Mapping[str, "TextInput"]  # by input name


@dataclass(frozen=True)
class TextInput:
    """One input of kind text. file: the asset's name, vocabulary.txt for the first, vocabulary_2.txt for the second."""

    file: str
    form: TextForm
    length: int | None  # ids of each text; None: as many as the longest has
    single: bool = False  # a text is one id, and its row has no axis of its own

    @property
    def content(self) -> bytes:
        """Return the asset: one token a line, by id."""
        from kit.shared.text import write_vocabulary

        return write_vocabulary(self.form.vocabulary)

    @property
    def entry(self) -> TextEntry:
        """Return what signature.json says of it."""
        return TextEntry(self.file, self.form.standardize, self.form.split, self.form.unknown)

    def ids(self, texts: Sequence[str]) -> np.ndarray:
        """Return the ids of texts, int64 [texts, length], or [texts] of single ids."""
        from kit.shared.text import tokenize_all

        rows = tokenize_all(texts, self.form, self.length)
        return rows[:, 0] if self.single else rows


def texts_of(recipe: Recipe, sources: Sequence[ModelFile], structure: Path | None) -> dict[str, TextInput]:
    """Return the inputs of kind text by name, as the model files have their layers. Raises RecipeError, ModelError."""
    tensors = [tensor for tensor in recipe.inputs if tensor.kind == "text"]
    return {tensor.name: _read(recipe, sources, structure, tensor, place) for place, tensor in enumerate(tensors)}


def _read(recipe: Recipe, sources: Sequence[ModelFile], structure: Path | None, tensor: Input, place: int) -> TextInput:
    from kit.shared.text import TextForm

    source, name = _source(recipe, sources, tensor.source or tensor.name)
    layer = read_text_layer(source, structure, name)
    form = TextForm(layer.vocabulary, layer.standardize, layer.split, layer.unknown)
    length, shape = layer.length, tensor.shape
    if shape is not None:
        if len(shape) > 1:
            raise RecipeError(
                f"{recipe.path}: [[inputs]] {tensor.name}: a text is one row of ids, and its shape is {shape}",
                "give shape = [length], or leave it out",
            )
        length = (None if shape[0] < 1 else shape[0]) if shape else 1
    file = "vocabulary.txt" if place == 0 else f"vocabulary_{place + 1}.txt"
    return TextInput(file, form, 1 if length is None and layer.split == "none" else length, shape == [])


def _source(recipe: Recipe, sources: Sequence[ModelFile], name: str) -> tuple[ModelFile, str]:
    """Return the file that a layer is in, and its name there: of joined models names begin with their file."""
    if len(sources) == 1:
        return sources[0], name
    stems = [PurePath(path).stem for path in recipe.model.paths]
    stem, _, rest = name.partition("/")
    if stem not in stems:
        raise RecipeError(
            f"{recipe.path}: [[inputs]] source = '{name}': the models are joined, and names begin with their file",
            f"write '{stems[0]}/{name}'",
        )
    return sources[stems.index(stem)], rest
