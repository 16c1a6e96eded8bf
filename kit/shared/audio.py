"""Turn sound into the samples that a model takes: one channel, the model's rate, one window.

Knows mixing down, resampling, windows, and how golden sounds are packed. Leaves files to `wav.py`, signatures and
interpreters to its callers. The host imports it, and each bundle carries a byte-for-byte copy as `emulate/audio.py`: so
it needs Python 3.10+ and numpy only. What it gives is what the app's Kotlin gives, bit for bit
(templates/android/runtime/AudioInput.kt, RateConverter.kt): only + - * / on float64 in a stated order, which IEEE 754
rounds in one way, and no library's sine.

The filter: a windowed sinc, 32 zero crossings to each side, its cut-off at 15/16 of the lower rate's half, under a
Kaiser window of beta 8, each phase scaled to a sum of 1. Sources: A. V. Oppenheim and R. W. Schafer, Discrete-Time
Signal Processing, 7.6 (the window); J. O. Smith, Digital Audio Resampling
(ccrma.stanford.edu/~jos/resample).
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOWEST_RATE, HIGHEST_RATE = 1000, 768_000  # samples a second
MOST_CHANNELS = 64
CROSSINGS = 32
CUT = 16  # the cut-off is (CUT - 1) / CUT of half of the lower rate
BETA = 8.0
MOST_WEIGHTS = 1 << 20  # of one filter: 8 MB
_HEADER = struct.Struct("<IHHI")  # rate, channels, bits of a sample (16: whole, 32: float), frames
_BLOCK = 1 << 14  # samples that are made in one go: they stay in a CPU's cache
_SINE_TERMS, _BESSEL_TERMS = 12, 32  # from there on a term is less than half of the sum's last bit

Mono = NDArray[np.float32]


@dataclass(frozen=True)
class Sound:
    """Sound as it was recorded. frames: int16 [frames, channels], or float32, of which -1 to 1 is full scale."""

    frames: NDArray[Any]
    rate: int  # frames a second

    def __post_init__(self) -> None:
        """Raise ValueError for another shape or dtype, or a rate or channels beyond what sound has."""
        if self.frames.ndim != 2 or self.frames.dtype not in (np.int16, np.float32):
            raise ValueError(f"{self.frames.dtype} {list(self.frames.shape)}: int16 or float32 [frames, channels]")
        if not LOWEST_RATE <= self.rate <= HIGHEST_RATE:
            raise ValueError(f"a rate of {self.rate} is none from {LOWEST_RATE} to {HIGHEST_RATE}")
        if not 1 <= self.frames.shape[1] <= MOST_CHANNELS:
            raise ValueError(f"{self.frames.shape[1]} channels: 1 to {MOST_CHANNELS} are read")


@dataclass(frozen=True)
class AudioForm:
    """What the model takes: `window` samples at `rate` a second. hop: samples from one call of a stream to the next."""

    rate: int
    window: int
    hop: int


def to_mono(frames: NDArray[Any]) -> Mono:
    """Return the mean of the channels, float32 [frames], -1 to 1. frames: as Sound has them.

    int16 is divided by 32768. The mean is a float64 sum in the channels' order, divided, and rounded once.
    """
    scale = 32768.0 if frames.dtype == np.int16 else 1.0
    total = np.zeros(len(frames))
    for channel in range(frames.shape[1]):
        total = total + frames[:, channel] / scale
    return (total / float(frames.shape[1])).astype(np.float32)


def resample(mono: Mono, source: int, target: int) -> Mono:
    """Return float32 [ceil(samples * target / source)] of [samples]: the first is at the same time, around is silence.

    source, target: samples a second. A sum begins with the earliest sample, in float64, and is rounded once. Raises
    ValueError for two rates whose filter would be larger than MOST_WEIGHTS.
    """
    if source == target:
        return mono
    up, down = ratio(source, target)
    half, weights = half_width(up, down), filter_weights(up, down)
    padded = np.concatenate([np.zeros(half - 1), mono.astype(np.float64), np.zeros(half + 1)])
    made = np.empty(resampled_length(len(mono), source, target), np.float32)
    for start in range(0, len(made), _BLOCK):
        position = np.arange(start, min(start + _BLOCK, len(made)), dtype=np.int64) * down
        first, phase = position // up, position % up
        total = np.zeros(len(position))
        for tap in range(2 * half):
            total = total + weights[phase, tap] * padded[first + tap]
        made[start : start + _BLOCK] = total
    return made


def ratio(source: int, target: int) -> tuple[int, int]:
    """Return two rates in lowest terms: target / source = up / down."""
    common = math.gcd(source, target)
    return target // common, source // common


def resampled_length(samples: int, source: int, target: int) -> int:
    """Return how many samples become of so many."""
    return -(-samples * target // source)


def half_width(up: int, down: int) -> int:
    """Return how many samples of the source the filter reads to each side of a point."""
    return -(-CROSSINGS * CUT * max(up, down) // ((CUT - 1) * up))


@lru_cache(maxsize=8)
def filter_weights(up: int, down: int) -> NDArray[np.float64]:
    """Return the filter, float64 [up phases, 2 * half_width taps], the earliest sample's first.

    Phase p lies p / up of a sample behind tap half_width - 1. Raises ValueError where it is larger than MOST_WEIGHTS.
    """
    half = half_width(up, down)
    if 2 * half * up > MOST_WEIGHTS:
        raise ValueError(
            f"the rates are as {down} to {up}, and no filter is that fine: convert the sound to a usual rate"
        )
    taps = np.arange(2 * half, dtype=np.int64) - (half - 1)
    # In crossings: (CUT - 1) / CUT * (p / up - tap) * up / max(up, down), whole over whole so that nothing is rounded.
    above = (CUT - 1) * (np.arange(up, dtype=np.int64)[:, None] - taps * up)
    below = CUT * max(up, down)
    weights = _sinc(above, below) * _kaiser(above / float(below * CROSSINGS))
    total = np.zeros(up)
    for tap in range(2 * half):
        total = total + weights[:, tap]
    normalized: NDArray[np.float64] = weights / total[:, None]
    return normalized


def _sinc(above: NDArray[np.int64], below: int) -> NDArray[np.float64]:
    """Return sin(pi x) / (pi x) of x = above / below, float64 of above's shape."""
    turned = np.abs(above) % (2 * below)
    sign = np.where(turned > below, -1.0, 1.0)
    turned = np.where(turned > below, turned - below, turned)
    turned = np.where(2 * turned > below, below - turned, turned)
    angle = math.pi * (turned / float(below))
    term = sine = angle
    for k in range(1, _SINE_TERMS):
        term = term * (angle * angle) / -float(2 * k * (2 * k + 1))
        sine = sine + term
    whole = math.pi * (np.abs(above) / float(below))
    return np.where(above == 0, 1.0, sign * sine / np.where(above == 0, 1.0, whole))


def _kaiser(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return I0(BETA sqrt(1 - x x)), 0 beyond 1: its power series, in which no root is left. float64 of x's shape."""
    square = BETA * BETA / 4.0 * (1.0 - x * x)
    term = total = np.ones(x.shape)
    for k in range(1, _BESSEL_TERMS):
        term = term * square / float(k * k)
        total = total + term
    return np.where(np.abs(x) < 1.0, total, 0.0)


def samples_of(sound: Sound, form: AudioForm) -> Mono:
    """Return a sound in one channel at the model's rate, float32 [samples], -1 to 1. Raises ValueError as resample."""
    return resample(to_mono(sound.frames), sound.rate, form.rate)


def window_of(sound: Sound, form: AudioForm) -> Mono:
    """Return the first window of a sound, float32 [window]: a longer one is cut, a shorter one ends in zeros.

    Raises ValueError as resample.
    """
    samples = samples_of(first_part(sound, form), form)[: form.window]
    return np.concatenate([samples, np.zeros(form.window - len(samples), np.float32)])


def windows_of(sound: Sound, form: AudioForm) -> Mono:
    """Return all whole windows of a sound, one each hop, float32 [windows, window]; of a shorter one window_of's.

    They are views of one array. Raises ValueError as resample.
    """
    samples = samples_of(sound, form)
    if len(samples) < form.window:
        return window_of(sound, form)[None]
    windows: Mono = np.lib.stride_tricks.sliding_window_view(samples, form.window)[:: form.hop]
    return windows


def first_part(sound: Sound, form: AudioForm) -> Sound:
    """Return what of a sound its first window can depend on."""
    if sound.rate == form.rate:
        return Sound(sound.frames[: form.window], sound.rate)
    frames = resampled_length(form.window, form.rate, sound.rate) + half_width(*ratio(sound.rate, form.rate)) + 1
    return Sound(sound.frames[:frames], sound.rate)


def pack_sounds(sounds: Sequence[Sound]) -> NDArray[np.uint8]:
    """Return sounds as bytes in little endian, uint8 [sounds, bytes of the longest], each filled up with 0.

    Rate (32 bits), channels (16), bits of a sample (16: whole numbers, 32: floats), frames (32), then the frames.
    """
    packed = []
    for sound in sounds:
        count, channels = sound.frames.shape
        head = _HEADER.pack(sound.rate, channels, 8 * sound.frames.dtype.itemsize, count)
        packed.append(head + sound.frames.astype(sound.frames.dtype.newbyteorder("<")).tobytes())
    rows = np.zeros((len(packed), max(map(len, packed), default=_HEADER.size)), np.uint8)
    for row, raw in zip(rows, packed, strict=True):
        row[: len(raw)] = np.frombuffer(raw, np.uint8)
    return rows


def unpack_sounds(rows: NDArray[np.uint8]) -> list[Sound]:
    """Return the sounds that `pack_sounds` packed: uint8 [sounds, bytes]. Raises ValueError where that is none."""
    return [_unpack(row.tobytes()) for row in rows]


def _unpack(raw: bytes) -> Sound:
    if len(raw) < _HEADER.size:
        raise ValueError(f"{len(raw)} bytes are no packed sound")
    rate, channels, bits, count = _HEADER.unpack_from(raw)
    if bits not in (16, 32) or len(raw) - _HEADER.size < count * channels * bits // 8:
        raise ValueError(f"{len(raw)} bytes hold no {count} frames of {channels} channels of {bits} bits")
    dtype = np.dtype("<i2" if bits == 16 else "<f4")
    values = np.frombuffer(raw, dtype, count * channels, _HEADER.size)
    return Sound(values.astype(dtype.newbyteorder("=")).reshape(count, channels), rate)
