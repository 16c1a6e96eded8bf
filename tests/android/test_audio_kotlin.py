"""The fixed Kotlin of sound against audio.py, bit for bit on a JVM: rates, channels, floats, parts of any length."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from runtime_kotlin import bits, compile_runtime, run_program

from kit.shared.audio import AudioForm, Sound, half_width, ratio, resample, to_mono, window_of, windows_of

pytestmark = pytest.mark.usefixtures("android_tools")

RATES = (16_000, 44_100, 48_000, 8_000, 11_025, 22_050, 96_000, 1_000, 192_000)


@dataclass(frozen=True)
class Case:
    """A sound, the model's form, and how many frames come a time."""

    form: AudioForm
    sound: Sound
    parts: tuple[int, ...] = (160, 1, 1024, 37, 3000)

    def packed(self) -> bytes:
        frames = self.sound.frames
        whole = frames.dtype == np.int16
        numbers = (self.form.rate, self.form.window, self.form.hop, self.sound.rate, frames.shape[1])
        head = struct.pack(">6i", *numbers, len(self.parts)) + struct.pack(f">{len(self.parts)}i", *self.parts)
        head += struct.pack(">2i", 16 if whole else 32, frames.size)
        return head + frames.astype(">i2" if whole else ">f4").tobytes()


def cases() -> list[Case]:
    """Return every rate into two others, in one channel to three, whole numbers and floats, short and long."""
    rng, made = np.random.default_rng(11), []
    for number, rate in enumerate(RATES):
        for target in (16_000, 44_100 if rate != 96_000 else 8_000):
            frames = int(rate * (0.7, 0.02, 0.31)[number % 3]) + number
            channels = 1 + number % 3
            values = rng.integers(-32768, 32768, (frames, channels))
            whole = (number + target // 100) % 2 == 0
            sound = Sound(values.astype(np.int16) if whole else (values / 30000).astype(np.float32), rate)
            made.append(Case(AudioForm(target, target // 4, target // 9), sound))
    nasty = np.array([np.nan, np.inf, -0.0, 1e-45, 3e38, -3e38, 1.0], np.float32)
    floats = rng.choice(nasty, (900, 2)).astype(np.float32)
    floats[:500] = rng.choice(nasty[2:4], (500, 2))
    made += [Case(AudioForm(16_000, 300, 300), Sound(floats, rate)) for rate in (16_000, 48_000)]
    made.append(Case(AudioForm(16_000, 400, 1), Sound(rng.integers(-9, 9, (410, 1)).astype(np.int16), 16_000), (1,)))
    return made


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory, android_tools: None) -> Path:
    """Give a folder with the compiled files."""
    folder = tmp_path_factory.mktemp("audio")
    compile_runtime(folder)
    return folder


def run(folder: Path, mode: str, cases: list[Case]) -> str:
    (folder / "in").write_bytes(struct.pack(">i", len(cases)) + b"".join(case.packed() for case in cases))
    return run_program(folder, "RuntimeAudioKt", mode)


def streamed(case: Case) -> np.ndarray:
    """Return the windows that a stream of a sound comes to: without the samples that need what comes behind its end."""
    form, sound = case.form, case.sound
    mono = to_mono(sound.frames)
    made = resample(mono, sound.rate, form.rate)
    if sound.rate != form.rate:
        up, down = ratio(sound.rate, form.rate)
        there = len(mono) - half_width(up, down)  # the last tap of sample n is at n * down // up + half
        made = made[: max(0, -(-there * up // down))]
    starts = range(0, len(made) - form.window + 1, form.hop)
    return np.array([made[start : start + form.window] for start in starts], np.float32).reshape(-1, form.window)


@pytest.mark.filterwarnings("ignore:(invalid value|overflow) encountered")
def test_kotlin_gives_the_bits_of_audio_py(runtime: Path) -> None:
    made = cases()
    run(runtime, "run", made)
    content, place, total = (runtime / "out").read_bytes(), 0, 0
    for number, case in enumerate(made):
        form = case.form
        found = np.frombuffer(content, ">i4", form.window, place).astype(np.int32)
        place += 4 * form.window
        assert np.array_equal(found, bits(window_of(case.sound, form))), (number, form, case.sound.rate)
        wanted = streamed(case)
        (count,) = struct.unpack_from(">i", content, place)
        assert count == len(wanted), (number, form, case.sound.rate)
        windows = np.frombuffer(content, ">i4", wanted.size, place + 4).astype(np.int32)
        assert np.array_equal(windows, bits(wanted)), (number, form, case.sound.rate)
        place += 4 + 4 * wanted.size
        seconds = np.frombuffer(content, ">f8", count, place)
        assert seconds.tolist() == [start * form.hop / form.rate for start in range(count)]
        place += 8 * count
        (ahead,) = struct.unpack_from(">i", content, place)
        assert ahead == (0 if case.sound.rate == form.rate else half_width(*ratio(case.sound.rate, form.rate)))
        place, total = place + 4, total + count
        if case.sound.rate == form.rate and len(case.sound.frames) >= form.window:
            assert np.array_equal(bits(wanted), bits(windows_of(case.sound, form)))
    assert place == len(content)
    assert total > 40


def test_sound_allocates_nothing(runtime: Path) -> None:
    sounds = [Sound(np.ones((480, channels), np.int16), rate) for channels, rate in ((1, 16_000), (2, 48_000))]
    made = [Case(AudioForm(16_000, 400, 100), sound) for sound in sounds]
    for line in run(runtime, "measure", made).splitlines():
        called, streamed, whole = map(int, line.split())
        assert called > 50
        assert streamed == whole == 0
