"""Sounds as the windows that the model takes: of .wav files, of arrays, of golden vectors."""

from pathlib import Path

import numpy as np
from audio import Sound, unpack_sounds, window_of, windows_of
from wav import MOST_BYTES, read_wav

from .errors import one_line, refused
from .files import Array
from .tensor import Tensor


def read_windows(path: Path, tensor: Tensor) -> Array:
    """Return the windows of a .wav file, float32 [windows, *sample]: whole ones, one each hop; one of a shorter file.

    Raises EmulateError.
    """
    assert tensor.audio is not None
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"it is larger than {MOST_BYTES:,} bytes")
        windows = windows_of(Sound(*read_wav(path.read_bytes())), tensor.audio)
    except (OSError, ValueError, MemoryError) as error:
        raise refused(path, one_line(error)) from error
    return windows.reshape(len(windows), *tensor.sample)


def to_windows(path: Path, tensor: Tensor, array: Array) -> Array:
    """Return the first window of each sound of an array, float32 [N, *sample], or [*sample] of one sound.

    array: int16 or float, at the model's rate: [samples], [N, samples] or [N, samples, channels]; of another dtype it
    is returned as it is. Raises EmulateError.
    """
    if tensor.audio is None or not (array.dtype == np.int16 or array.dtype.kind == "f"):
        return array
    frames = array if array.dtype == np.int16 else array.astype(np.float32)
    single = frames.ndim == 1 or frames.shape == tensor.sample
    if single or frames.shape[1:] == tensor.sample:
        frames = frames.reshape(1 if single else len(frames), -1)
    try:
        sounds = [Sound(row.reshape(len(row), -1), tensor.audio.rate) for row in frames]
        rows = np.stack([window_of(sound, tensor.audio) for sound in sounds])
    except (ValueError, TypeError) as error:
        wanted = "[samples], [N, samples] or [N, samples, channels]"
        raise refused(path, f"{tensor.name} has the shape {list(array.shape)}, and a sound is {wanted}") from error
    return rows.reshape(tensor.sample if single else (len(rows), *tensor.sample))


def windows_of_golden(tensor: Tensor, packed: Array) -> Array:
    """Return the windows of golden sounds, float32 [sounds, *sample], of uint8 [sounds, bytes]. Raises ValueError."""
    assert tensor.audio is not None
    rows = [window_of(sound, tensor.audio) for sound in unpack_sounds(packed)]
    return np.stack(rows).reshape(len(rows), *tensor.sample)
