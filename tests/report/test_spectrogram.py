"""The spectrogram of a sound: where a tone lies, how deep it goes, and that no CPU's rounding is in it."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from kit.bundle.signature import AudioEntry, TensorEntry
from kit.report.inputs import shown_input
from kit.report.spectrogram import (
    _SHIFT,
    COLUMNS,
    LEVELS,
    ROWS,
    WINDOW,
    _table,
    _whole,
    exact_table,
    levels,
    spectrogram,
)

RATE = 8000
SECOND = np.arange(RATE) / RATE


def tone(hertz: float) -> np.ndarray:
    """Return a second of it, float32 [RATE]."""
    return np.sin(2 * np.pi * hertz * SECOND).astype(np.float32)


@pytest.mark.parametrize("hertz", [100, 1000, 2500, 3900])
def test_a_tone_is_the_loudest_row_at_its_place(hertz: float) -> None:
    found = levels(tone(hertz))
    assert found.shape == (ROWS, 61) and found.max() == LEVELS - 1
    assert set(found.argmax(0)) == {int(hertz / (RATE / 2) * ROWS)}
    assert (found == 0).mean() > 0.9


def test_each_level_is_half_of_the_power_of_the_one_above_it() -> None:
    """Two tones far apart: the second has a ninth of the first one's power, between an eighth and a sixteenth."""
    found = levels(tone(1031.25) + tone(3031.25) / 3)
    rows = [int(hertz / (RATE / 2) * ROWS) for hertz in (1031.25, 3031.25)]
    first, second = (found[row, 5:-5] for row in rows)
    assert set(first.tolist()) <= {LEVELS - 1, LEVELS - 2} and set(second.tolist()) == {LEVELS - 1 - 4}


def test_a_long_sound_is_no_wider_and_a_click_in_it_is_seen() -> None:
    silent = np.zeros(60 * RATE, np.int16)
    assert levels(silent).shape == (ROWS, COLUMNS) and not levels(silent).any()
    silent[45 * RATE + 17] = 300
    assert np.flatnonzero(np.any(levels(silent), axis=0)).tolist() == [75]
    assert spectrogram(np.zeros(2 * WINDOW - 1, np.float32)) is None
    broken = tone(1000)
    broken[:4] = [np.nan, np.inf, -np.inf, 0]
    assert levels(broken).max() == LEVELS - 1


def test_every_sum_is_exact_whatever_the_order_of_a_cpu() -> None:
    noise = np.random.default_rng(7).normal(size=4 * WINDOW)
    whole = _whole(noise)
    windows = np.lib.stride_tricks.sliding_window_view(whole, WINDOW)[:: WINDOW // 2]
    exact = windows.astype(np.int64) @ _table().astype(np.int64)
    assert np.array_equal(windows @ _table(), exact)
    most = int(np.abs(_table()).sum(axis=0).max()) * int(np.abs(whole).max())
    assert most < 2**53 and 2 * 2 * (most // _SHIFT + 1) ** 2 < 2**54
    # No entry is so near to a half that another library's cosine would round it elsewhere.
    assert np.abs(exact_table() % 1 - 0.5).min() > 1e-6


def test_a_sound_of_the_report_has_its_wave_and_its_spectrogram() -> None:
    entry = TensorEntry("heard", (1, RATE), "float32", kind="audio", audio=AudioEntry(rate=RATE, window=RATE, hop=RATE))
    shown = shown_input(entry, tone(3000), None, 99)
    assert shown.lines is not None and shown.spectrum is not None
    assert shown.caption == "sound, 1 s; below it 0 to 4,000 Hz, 45 dB from dark to light"
    png = io.BytesIO(base64.b64decode(shown.spectrum.href.partition(",")[2]))
    pixels = np.asarray(Image.open(png).convert("RGBA"))[..., :3].sum(-1, dtype=int)
    assert pixels.shape == (ROWS, 61)
    assert set(pixels.argmax(0)) == {ROWS - 1 - 48}
    short = shown_input(entry, tone(3000)[:200], None, 99)
    assert short.spectrum is None and short.caption == "sound, 0.025 s"
