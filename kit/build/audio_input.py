"""Inputs of kind audio: rate, window and hop, from the recipe and the shape that the model has. Reads no sound."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.bundle.signature import AudioEntry
from kit.errors import RecipeError
from kit.recipe.schema import Input, Recipe
from kit.source_model.file_names import Shape
from kit.source_model.model_file import ModelFile

if TYPE_CHECKING:
    import numpy as np

    from kit.shared.audio import AudioForm, Sound

AudioInputs = Mapping[str, "AudioInput"]  # by input name


@dataclass(frozen=True)
class AudioInput:
    """One input of kind audio. shape: of one window in the model, [window], [window, 1] or [1, window]."""

    rate: int  # samples a second
    hop: int  # samples from one call of a stream to the next
    shape: tuple[int, ...]

    @property
    def window(self) -> int:
        """Return how many samples a call takes."""
        return math.prod(self.shape)

    @property
    def form(self) -> AudioForm:
        """Return how sound becomes windows."""
        from kit.shared.audio import AudioForm

        return AudioForm(self.rate, self.window, self.hop)

    @property
    def entry(self) -> AudioEntry:
        """Return what signature.json says of it."""
        return AudioEntry(self.rate, self.window, self.hop)

    def values(self, sounds: Sequence[Sound]) -> np.ndarray:
        """Return the first window of each sound, float32 [sounds, *shape]. Raises ValueError as audio.resample does."""
        import numpy as np

        from kit.shared.audio import window_of

        rows = [window_of(sound, self.form) for sound in sounds]
        return np.stack(rows).reshape(len(rows), *self.shape)


def audio_of(recipe: Recipe, sources: Sequence[ModelFile]) -> dict[str, AudioInput]:
    """Return the inputs of kind audio by name. Raises RecipeError where recipe and model do not make a window."""
    return {tensor.name: _read(recipe, sources, tensor) for tensor in recipe.inputs if tensor.kind == "audio"}


def check_audio(audio: AudioInput, name: str, shape: Sequence[int], *, real: bool) -> None:
    """Raise RecipeError where an input of the produced file takes no such window.

    shape: of one sample in the file; real: whether its values stand for real numbers.
    """
    if not real:
        raise RecipeError(
            f"[[inputs]] {name}: kind 'audio' gives numbers from -1 to 1, and the model takes whole ones",
            'use kind = "tensor": this model takes the samples as they are',
        )
    if math.prod(shape) != audio.window:
        raise RecipeError(
            f"[[inputs]] {name}: the model takes {list(shape)}, and the window has {audio.window} samples",
            f"give shape = {list(shape)}, and leave window out",
        )


def _read(recipe: Recipe, sources: Sequence[ModelFile], tensor: Input) -> AudioInput:
    where = f"{recipe.path}: [[inputs]] {tensor.name}"
    own = _own_shape(sources, tensor.source or tensor.name)
    shape = tuple(tensor.shape) if tensor.shape is not None else own or (tensor.window,)
    open_axes = sum(size is None or size < 1 for size in shape)
    if not shape or open_axes > 1 or (open_axes and not tensor.window):
        what = "is open" if own or tensor.shape else "is not known from the model file"
        raise RecipeError(f"{where}: how many samples a call takes {what}", "add window = 16000: samples, not seconds")
    filled = tuple(tensor.window if size is None or size < 1 else size for size in shape)
    whole = tuple(int(size) for size in filled if size)
    window = math.prod(whole)
    if sum(size > 1 for size in whole) > 1:
        raise RecipeError(
            f"{where}: kind 'audio' cannot be {list(whole)}: it is [window], [window, 1] or [1, window]",
            'use kind = "tensor"',
        )
    if tensor.window not in (None, window):
        raise RecipeError(
            f"{where}: window = {tensor.window}, and the model takes {window} samples of the shape {list(whole)}",
            "leave window out",
        )
    hop = tensor.hop or max(window // 2, 1)
    if hop > window:
        raise RecipeError(
            f"{where}: hop = {hop} leaves out samples between two windows of {window}",
            f"give a hop from 1 to {window}",
        )
    return AudioInput(int(tensor.rate or 0), hop, whole)


def _own_shape(sources: Sequence[ModelFile], name: str) -> Shape:
    """Return the shape that a model file says, without its batch axis; () where none does."""
    inner = name.partition("/")[2]
    shapes = [source.inputs.get(key) for source in sources for key in (name, inner)]
    return next((shape for shape in shapes if shape), ())
