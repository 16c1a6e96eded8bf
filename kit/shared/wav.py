"""Read .wav files: RIFF with PCM of 8, 16, 24 or 32 bits, or floats of 32 or 64. Trusts no size that stands in one.

The host imports it, and each bundle carries a byte-for-byte copy as `emulate/wav.py`: so it needs Python 3.10+ and
numpy only. The standard library's `wave` reads no floats. Sources: IBM and Microsoft, Multimedia Programming Interface
and Data Specifications 1.0 (RIFF); Microsoft, WAVEFORMATEXTENSIBLE.
"""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 1 << 30  # of a file
MOST_CHUNKS = 1000
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
BITS = {PCM: (8, 16, 24, 32), FLOAT: (32, 64)}

_GUID = bytes.fromhex("000000001000800000aa00389b71")  # of a sub-format, behind its two bytes of the format's number


def read_wav(content: bytes) -> tuple[NDArray[Any], int]:
    """Return a file's frames and its rate: int16 [frames, channels] of 16 bits, float32 from -1 to 1 of others.

    Raises ValueError where it is no such file, is cut off, or holds no sound.
    """
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        what = "it is no .wav file: it does not begin with RIFF and WAVE" if content else "it is empty"
        raise ValueError("it is a .wav file of more than 4 GB" if content[:4] == b"RF64" else what)
    form, data = _chunks(content)
    kind, channels, rate, width, bits = _form(form)
    if kind not in BITS:
        raise ValueError(f"its format is number {kind}, and PCM (1) and float (3) are read")
    if bits not in BITS[kind] or not channels or width != channels * bits // 8 or not rate:
        raise ValueError(f"its format is none: {channels} channels of {bits} bits in {width} bytes, {rate} a second")
    if len(data) % width or not len(data):
        raise ValueError(f"its sound has {len(data)} bytes, and a frame has {width}")
    frames = _values(data, kind, bits).reshape(-1, channels)
    if frames.dtype.kind == "f" and not np.isfinite(frames).all():
        raise ValueError("it holds floats that are not finite")
    return frames, rate


def _chunks(content: bytes) -> tuple[bytes, memoryview]:
    """Return the first chunk that says the format, and the first that holds sound. Raises ValueError without them."""
    place, form = 12, None
    for _ in range(MOST_CHUNKS):
        if place + 8 > len(content):
            break
        name, size = struct.unpack_from("<4sI", content, place)
        place += 8
        if place + size > len(content) and name in (b"fmt ", b"data"):
            what = "format" if name == b"fmt " else "sound"
            raise ValueError(f"it is cut off: its {what} has {size:,} bytes, and {len(content) - place:,} are there")
        if name == b"fmt " and form is None:
            form = content[place : place + min(size, 64)]
        if name == b"data" and form is not None:
            return form, memoryview(content)[place : place + size]
        place += size + size % 2  # a chunk of odd size has a byte behind it
    raise ValueError(f"it has no chunk with its {'sound' if form else 'format'}")


def _form(form: bytes) -> tuple[int, int, int, int, int]:
    """Return the format's number, channels, frames a second, bytes of a frame, bits of a sample. Raises ValueError."""
    if len(form) < 16:
        raise ValueError(f"its format has {len(form)} bytes, and 16 are needed")
    kind, channels, rate, _, width, bits = struct.unpack_from("<HHIIHH", form)
    if kind == EXTENSIBLE:
        if len(form) < 40 or form[26:40] != _GUID:
            raise ValueError("its format is an extension, and of these PCM and float are read")
        (kind,) = struct.unpack_from("<H", form, 24)
    return kind, channels, rate, width, bits


def _values(data: memoryview, kind: int, bits: int) -> NDArray[Any]:
    """Return the samples [frames * channels], int16 of 16 bits, float32 of others."""
    if kind == FLOAT:
        with np.errstate(over="ignore"):  # what is beyond float32 is refused as not finite
            return np.frombuffer(data, "<f4" if bits == 32 else "<f8").astype(np.float32)
    if bits == 16:
        return np.frombuffer(data, "<i2").astype(np.int16)
    if bits == 8:  # alone without a sign
        return ((np.frombuffer(data, np.uint8).astype(np.float32)) - 128) / 128
    if bits == 32:
        return (np.frombuffer(data, "<i4") / 2.0**31).astype(np.float32)
    parts = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.int32)
    whole = parts[:, 0] | parts[:, 1] << 8 | parts[:, 2] << 16
    return ((whole ^ 1 << 23) - (1 << 23)).astype(np.float32) / 2**23
