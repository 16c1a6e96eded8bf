"""Sound: what a .wav file may be, and what mixing, resampling and windows make of it."""

from __future__ import annotations

import io
import struct
import wave
from collections.abc import Sequence

import numpy as np
import pytest

from kit.shared.audio import (
    AudioForm,
    Sound,
    filter_weights,
    first_part,
    half_width,
    pack_sounds,
    ratio,
    resample,
    to_mono,
    unpack_sounds,
    window_of,
    windows_of,
)
from kit.shared.wav import read_wav

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
GUID = bytes.fromhex("000000001000800000aa00389b71")
RATES = (8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000)


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(content) if size is None else size) + content + b"\0" * (len(content) % 2)


def form(kind: int = PCM, channels: int = 1, rate: int = 8000, bits: int = 16, width: int | None = None) -> bytes:
    width = channels * bits // 8 if width is None else width
    return struct.pack("<HHIIHH", kind, channels, rate, rate * width, width, bits)


def riff(*chunks: bytes, head: bytes = b"RIFF", kind: bytes = b"WAVE") -> bytes:
    body = kind + b"".join(chunks)
    return head + struct.pack("<I", len(body)) + body


def wav(data: bytes, **of: int) -> bytes:
    return riff(chunk(b"fmt ", form(**of)), chunk(b"data", data))


# ---------------------------------------------------------------- .wav files


def test_what_the_standard_library_writes_is_read() -> None:
    frames = np.array([[0, -1], [32767, -32768], [5, 256]], "<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(44_100)
        out.writeframes(frames.tobytes())
    found, rate = read_wav(file.getvalue())
    assert rate == 44_100 and found.dtype == np.int16
    assert found.tolist() == frames.tolist()


@pytest.mark.parametrize(
    ("kind", "bits", "data", "wanted"),
    [
        (PCM, 8, bytes([0, 128, 255]), [-1, 0, 127 / 128]),
        (PCM, 24, b"\x00\x00\x80\xff\xff\x7f\x01\x00\x00\xff\xff\xff", [-1, 1 - 2**-23, 2**-23, -(2**-23)]),
        (PCM, 32, struct.pack("<3i", -(2**31), 2**30, 0), [-1, 0.5, 0]),
        (FLOAT, 32, struct.pack("<3f", -1.5, 0.25, 1e-30), [-1.5, 0.25, float(np.float32(1e-30))]),
        (FLOAT, 64, struct.pack("<2d", 0.1, -1), [float(np.float32(0.1)), -1]),
    ],
)
def test_every_width_is_from_minus_one_to_one(kind: int, bits: int, data: bytes, wanted: Sequence[float]) -> None:
    extended = form(EXTENSIBLE, bits=bits) + struct.pack("<HHIH", 22, bits, 0, kind) + GUID
    for content in (wav(data, kind=kind, bits=bits), riff(chunk(b"fmt ", extended), chunk(b"data", data))):
        found, _ = read_wav(content)
        assert found.dtype == np.float32
        assert found[:, 0].tolist() == wanted


def test_other_chunks_are_passed_over_and_what_lies_behind_the_sound_is_left() -> None:
    content = riff(
        chunk(b"LIST", b"odd"), chunk(b"fmt ", form() + b"\0\0"), chunk(b"data", b"\1\0\2\0"), chunk(b"id3 ", b"x" * 9)
    )
    assert read_wav(content)[0].tolist() == [[1], [2]]
    assert read_wav(content[:-4])[0].tolist() == [[1], [2]]
    # The size of the whole file is what many programs get wrong.
    assert read_wav(content[:4] + b"\0\0\0\0" + content[8:])[0].tolist() == [[1], [2]]


WRONG = {
    "nothing": (b"", "it is empty"),
    "text": (b"hello, I am a sound", "does not begin with RIFF and WAVE"),
    "an image": (riff(kind=b"WEBP"), "does not begin with RIFF and WAVE"),
    "big endian": (riff(chunk(b"fmt ", form()), head=b"RIFX"), "does not begin with RIFF and WAVE"),
    "the head alone": (b"RIFF", "does not begin with RIFF and WAVE"),
    "larger than RIFF": (riff(chunk(b"ds64", form()), head=b"RF64"), "of more than 4 GB"),
    "no sound": (riff(chunk(b"fmt ", form())), "no chunk with its sound"),
    "no format": (riff(chunk(b"data", b"\0\0")), "no chunk with its format"),
    "a short format": (riff(chunk(b"fmt ", form()[:12]), chunk(b"data", b"\0\0")), "its format has 12 bytes"),
    "a format cut off": (riff(b"fmt " + struct.pack("<I", 16) + form()[:9]), "its format has 16 bytes, and 9 are"),
    "cut off": (riff(chunk(b"fmt ", form()), chunk(b"data", b"\0\0", 4)), "its sound has 4 bytes, and 2 are there"),
    "4 GB": (riff(chunk(b"fmt ", form()), chunk(b"data", b"\0\0", 0xFFFFFFFF)), "its sound has 4,294,967,295 bytes"),
    "mp3 inside": (wav(b"\0\0", kind=85), "its format is number 85"),
    "a law": (riff(chunk(b"fmt ", form(EXTENSIBLE) + b"\0" * 24), chunk(b"data", b"\0\0")), "is an extension"),
    "12 bits": (wav(b"\0\0", bits=12), "1 channels of 12 bits in 1 bytes"),
    "no channels": (wav(b"\0\0", channels=0, width=2), "0 channels"),
    "another width": (wav(b"\0\0", width=4), "1 channels of 16 bits in 4 bytes"),
    "no rate": (wav(b"\0\0", rate=0), "0 a second"),
    "half a frame": (wav(b"\0\0\0"), "its sound has 3 bytes, and a frame has 2"),
    "no frames": (wav(b""), "its sound has 0 bytes"),
    "not a number": (wav(struct.pack("<f", float("nan")), kind=FLOAT, bits=32), "not finite"),
    "beyond float32": (wav(struct.pack("<d", 1e300), kind=FLOAT, bits=64), "not finite"),
    "chunks without end": (riff(*[chunk(b"junk", b"")] * 5000, chunk(b"fmt ", form())), "no chunk with its format"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_sound_is_refused_with_the_reason(name: str) -> None:
    content, says = WRONG[name]
    with pytest.raises(ValueError, match=r"^it") as caught:
        read_wav(content)
    assert says in str(caught.value)


# ---------------------------------------------------------------- mixing and resampling


def tone(frequency: float, rate: int, seconds: float = 0.5) -> np.ndarray:
    return np.cos(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate).astype(np.float32)


def level(samples: np.ndarray) -> float:
    """Return how loud the middle of it is, in dB of a full cosine."""
    middle = samples[len(samples) // 4 : 3 * len(samples) // 4].astype(np.float64)
    return float(10 * np.log10(2 * np.mean(middle**2) + 1e-20))


def test_channels_become_their_mean_rounded_once() -> None:
    assert to_mono(np.array([[-32768], [16384]], np.int16)).tolist() == [-1, 0.5]
    frames = np.array([[32767, -32768, 1]], np.int16)
    assert to_mono(frames).tolist() == [float(np.float32(0 / 32768 / 3))]
    assert to_mono(np.array([[1, 2**-24, 2**-24]], np.float32))[0] == np.float32((1 + 2**-23) / 3)
    assert to_mono(frames).dtype == np.float32


@pytest.mark.parametrize("target", [8_000, 16_000, 44_100])
@pytest.mark.parametrize("source", RATES)
def test_what_both_rates_hold_passes_and_what_one_does_not_is_gone(source: int, target: int) -> None:
    lower = min(source, target)
    for part in (0.01, 0.2, 0.4):  # of the lower rate: up to 80 % of its half
        found, wanted = resample(tone(part * lower, source), source, target), tone(part * lower, target)
        size = min(len(found), len(wanted))
        middle = slice(size // 4, 3 * size // 4)
        assert np.abs(found[middle] - wanted[middle]).max() < 1e-4  # neither louder, nor later
    for part in (0.51, 0.6, 0.9):
        if part * lower < source / 2:
            assert level(resample(tone(part * lower, source), source, target)) < -80
    # Each phase adds up to one: silence stays silence, and what does not move stays what it is.
    steady = resample(np.full(source // 4, 0.7, np.float32), source, target)
    half = 2 * half_width(*ratio(source, target)) * target // source + 1
    assert np.abs(steady[half:-half] - np.float32(0.7)).max() < 1e-6
    assert not resample(np.zeros(100, np.float32), source, target).any()


def test_resampling_is_the_sum_that_its_docstring_says() -> None:
    """The same by numpy's own sine and Bessel function, which need not be the same bits."""
    rng = np.random.default_rng(2)
    mono = rng.uniform(-1, 1, 500).astype(np.float32)
    for source, target in ((44_100, 16_000), (8_000, 44_100), (48_000, 8_000)):
        found = resample(mono, source, target)
        cut = 15 / 16 * min(1, target / source)
        exact = []
        for place in range(len(found)):
            x = cut * (place * source / target - np.arange(-4000, 4500))
            inside = np.clip(1 - (x / 32) ** 2, 0, 1)
            weights = np.sinc(x) * np.i0(8 * np.sqrt(inside)) * (np.abs(x) < 32)
            exact.append((weights[4000:4500] * mono).sum() / weights.sum())
        assert len(found) == -(-500 * target // source)
        assert np.abs(found - exact).max() < 1e-6


def test_a_sound_can_be_made_in_parts() -> None:
    """What is not near an end does not depend on what is there."""
    rng = np.random.default_rng(3)
    mono = rng.uniform(-1, 1, 9_000).astype(np.float32)
    whole, (up, down) = resample(mono, 44_100, 16_000), ratio(44_100, 16_000)
    half = half_width(up, down)
    for start in (down, 5 * down):
        part = resample(mono[start : start + 3000], 44_100, 16_000)
        skip, last = half * up // down + 1, (3000 - half) * up // down
        assert np.array_equal(part[skip:last], whole[start * up // down :][skip:last])


def test_rates_without_a_filter_are_refused() -> None:
    assert filter_weights(*ratio(11_025, 16_000)).shape == (640, 70)
    with pytest.raises(ValueError, match="44101 to 16000, and no filter is that fine"):
        resample(np.zeros(9, np.float32), 44_101, 16_000)


# ---------------------------------------------------------------- windows


def test_a_shorter_sound_ends_in_zeros_and_a_longer_one_is_cut() -> None:
    of = AudioForm(8000, 4, 3)
    sound = Sound(np.arange(1, 12, dtype=np.int16)[:, None] * 1024, 8000)
    assert (window_of(sound, of) * 32).tolist() == [1, 2, 3, 4]
    assert (windows_of(sound, of) * 32).tolist() == [[1, 2, 3, 4], [4, 5, 6, 7], [7, 8, 9, 10]]
    short = Sound(sound.frames[:2], 8000)
    assert (window_of(short, of) * 32).tolist() == [1, 2, 0, 0]
    assert (windows_of(short, of) * 32).tolist() == [[1, 2, 0, 0]]


@pytest.mark.parametrize("rate", RATES)
def test_no_window_depends_on_what_is_cut_off(rate: int) -> None:
    rng = np.random.default_rng(4)
    of = AudioForm(16_000, 800, 400)
    sound = Sound(rng.integers(-999, 999, (rate // 5, 2)).astype(np.int16), rate)
    part = first_part(sound, of)
    assert len(part.frames) < len(sound.frames)
    assert np.array_equal(window_of(part, of), windows_of(sound, of)[0])
    assert np.array_equal(window_of(sound, of), windows_of(sound, of)[0])


def test_packed_sounds_come_back() -> None:
    sounds = [
        Sound(np.array([[1, -2], [3, 4]], np.int16), 44_100),
        Sound(np.array([[0.5], [-1], [0]], np.float32), 8000),
    ]
    rows = pack_sounds(sounds)
    assert rows.dtype == np.uint8
    for found, wanted in zip(unpack_sounds(rows), sounds, strict=True):
        assert (found.rate, found.frames.dtype, found.frames.tolist()) == (
            wanted.rate,
            wanted.frames.dtype,
            wanted.frames.tolist(),
        )


@pytest.mark.parametrize(
    "row",
    [
        b"short",
        struct.pack("<IHHI", 8000, 1, 12, 0),
        struct.pack("<IHHI", 8000, 1, 16, 9) + b"\0\0",
        struct.pack("<IHHI", 8000, 0, 16, 0),
        struct.pack("<IHHI", 10, 1, 16, 1) + b"\0\0",
        struct.pack("<IHHI", 8000, 0xFFFF, 32, 0xFFFFFFFF),
    ],
)
def test_what_is_no_packed_sound_is_refused(row: bytes) -> None:
    with pytest.raises(ValueError, match=r"bytes|channels|rate"):
        unpack_sounds(np.frombuffer(row, np.uint8)[None])
