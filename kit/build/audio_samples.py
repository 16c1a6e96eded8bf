"""Sounds of a user's data: arrays of PCM, and folders of .wav files. Makes windows of them, as the model takes them.

What the data is for, and its classes by folders, samples.py knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kit.bounded import read_bounded
from kit.build.audio_input import AudioInput, AudioInputs
from kit.errors import RecipeError
from kit.recipe.schema import Recipe

if TYPE_CHECKING:
    import numpy as np

    from kit.shared.audio import Sound

    Arrays = dict[str, np.ndarray]

SUFFIX = ".wav"
_ARRAY = "save PCM as int16, or floats from -1 to 1, one sound a row: [N, samples], or [N, samples, channels]"
_CONVERT = "convert it: ffmpeg -i IN -c:a pcm_s16le OUT.wav; or remove it"


def with_windows(arrays: Mapping[str, np.ndarray], audio: AudioInputs, where: str) -> tuple[Arrays, Arrays]:
    """Return the arrays with windows [N, *shape] float32 in place of sounds, and those sounds as pack_sounds has them.

    arrays: by input name [N, samples] or [N, samples, channels], int16 or float, at the model's rate; or packed sounds,
    uint8 [N, bytes]. Raises RecipeError for others.
    """
    made, said = dict(arrays), {}
    for name, tensor in audio.items():
        if name in arrays:
            made[name], said[name] = _windows(_sounds(arrays[name], tensor, f"{where}: '{name}'"), tensor, where)
    return made, said


def read_folder(recipe: Recipe, files: Sequence[Path], audio: AudioInputs, where: str) -> tuple[Arrays, Arrays]:
    """Return the windows and the sounds of .wav files, one each, by the name of the one input.

    Windows are float32 [files, *shape], sounds uint8 [files, bytes], as with_windows has them. Raises RecipeError.
    """
    if len(recipe.inputs) != 1:
        raise RecipeError(
            f"{where}: a folder of .wav files needs exactly one input, of kind 'audio'",
            "use .npz with one array for each input",
        )
    import numpy as np

    from kit.shared.audio import pack_sounds

    ((name, tensor),) = audio.items()
    parts, windows = zip(*(_read(file, tensor, where) for file in files), strict=True)
    return {name: np.concatenate(windows)}, {name: pack_sounds(parts)}


def _windows(sounds: Sequence[Sound], tensor: AudioInput, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Return windows, float32 [N, *shape], and what of the sounds they are made of, packed uint8 [N, bytes]."""
    from kit.shared.audio import first_part, pack_sounds

    parts = [first_part(sound, tensor.form) for sound in sounds]
    try:
        return tensor.values(parts), pack_sounds(parts)
    except ValueError as error:
        raise RecipeError(f"{where}: {error}", _CONVERT) from error


def _sounds(array: np.ndarray, tensor: AudioInput, where: str) -> list[Sound]:
    """Return the sounds of an array [N, samples], [N, samples, channels] of int16 or float, or packed uint8 [N, bytes].

    Raises RecipeError for another one.
    """
    import numpy as np

    from kit.shared.audio import Sound, unpack_sounds

    try:
        if array.dtype == np.uint8:
            return unpack_sounds(array)
        if array.ndim not in (2, 3) or 0 in array.shape or (array.dtype != np.int16 and array.dtype.kind != "f"):
            raise ValueError(f"it is {array.dtype} {list(array.shape)}")
        values = array if array.dtype == np.int16 else array.astype(np.float32)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError("it holds numbers that are not finite")
        return [Sound(row.reshape(len(row), -1), tensor.rate) for row in values]
    except ValueError as error:
        raise RecipeError(f"{where} is no sound: {error}", _ARRAY) from error


def _read(path: Path, tensor: AudioInput, where: str) -> tuple[Sound, np.ndarray]:
    """Return what of a file its first window is made of, and that window, float32 [1, *shape]. Raises RecipeError."""
    from kit.shared.audio import Sound, first_part
    from kit.shared.wav import MOST_BYTES, read_wav

    try:
        part = first_part(Sound(*read_wav(read_bounded(path, MOST_BYTES))), tensor.form)
        sound = Sound(part.frames.copy(), part.rate)  # the rest of the file can go
        return sound, tensor.values([sound])
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path}: {where.rpartition(': ')[2]}: {error}", _CONVERT) from error
