"""The inputs that are made of something else than numbers: of text, of sound. Images are made where they are fed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kit.build.audio_input import AudioInputs
from kit.build.audio_samples import with_windows
from kit.build.text_input import Texts
from kit.build.text_samples import with_ids

if TYPE_CHECKING:
    import numpy as np

    Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class RawInputs:
    """How texts and sounds become inputs, by the input's name."""

    texts: Texts = field(default_factory=dict)
    audio: AudioInputs = field(default_factory=dict)

    def with_values(self, arrays: Mapping[str, np.ndarray], where: str) -> tuple[Arrays, Arrays]:
        """Return the arrays [N, ...] with ids and windows in place of texts and sounds, and what these are made of.

        arrays: by input name, of any dtype, as with_ids and with_windows take them. Raises RecipeError as they do.
        """
        made, said = with_ids(arrays, self.texts, where)
        made, heard = with_windows(made, self.audio, where)
        return made, said | heard

    @property
    def files(self) -> dict[str, bytes]:
        """Return the assets that they need, by name."""
        return {text.file: text.content for text in self.texts.values()}
