"""An input of a sample as a reader sees it: an image, a waveform, series, text, numbers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kit.bundle.signature import ImageEntry, TensorEntry
from kit.report.numbers import fixed, places
from kit.report.png import page_image
from kit.report.spectrogram import DECIBELS, spectrogram
from kit.report.values import Lines, Shown

MOST_TEXT = 400  # letters
MOST_POINTS = 200  # of a line
MOST_LINES = 6
MOST_NUMBERS = 24
_LEAST_SERIES = 8  # numbers; fewer are shown as such
WIDE, HIGH = 100.0, 40.0


def shown_input(entry: TensorEntry, values: NDArray[Any], text: str | None, most: int) -> Shown:
    """Return one input of one sample. values: [...] of any dtype, uint8 pixels of an image, or what the model takes.

    text: what ids are made of; most: pixels of a side.
    """
    shape = " x ".join(map(str, values.shape)) or "one number"
    if text is not None:
        cut = text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}..."
        return Shown(entry.name, f"text of {len(text):,} letters", text=cut)
    if entry.image is not None:
        pixels = _pixels(values, entry.image)
        return Shown(entry.name, f"image, {shape}", image=page_image(pixels, most))
    if entry.audio is not None:
        return _shown_sound(entry.name, values.reshape(-1), entry.audio.rate)
    return _shown_numbers(entry.name, values, shape, most)


def _shown_sound(name: str, values: NDArray[Any], rate: int) -> Shown:
    """Return a sound, [n] of any dtype, as its wave, and as a spectrogram where it is long enough."""
    caption, spectrum = f"sound, {values.size / rate:.3g} s", spectrogram(values)
    if spectrum is not None:
        caption += f"; below it 0 to {rate // 2:,} Hz, {DECIBELS} dB from dark to light"
    return Shown(name, caption, lines=waveform(values), spectrum=spectrum)


def _shown_numbers(name: str, values: NDArray[Any], shape: str, most: int) -> Shown:
    """Return an array [...] of any dtype as what it looks like: an image, series, or numbers."""
    if _is_image(values):
        return Shown(name, f"numbers, {shape}, dark to light", image=page_image(_gray(values), most))
    steps = _series(values)
    if steps is not None:
        return Shown(name, f"series, {shape}", lines=lines_of(steps))
    return Shown(name, f"numbers, {shape}", text=numbers_text(values))


def numbers_text(values: NDArray[Any]) -> str:
    """Return the first numbers of an array [...] of any dtype, as text."""
    flat = values.reshape(-1)
    head = flat[:MOST_NUMBERS]
    if values.dtype.kind == "f":
        finite = np.abs(head[np.isfinite(head)])
        decimals = places(float(finite.max(initial=0.0)))
        texts = [fixed(float(value), decimals) for value in head]
    else:
        texts = [str(value) for value in head.tolist()]
    more = f", ... ({len(flat):,} in all)" if len(flat) > MOST_NUMBERS else ""
    return ", ".join(texts) + more


def lines_of(steps: NDArray[Any], low: float | None = None, high: float | None = None) -> Lines:
    """Return series [T, F] of any dtype as lines, at most MOST_LINES. low, high: of the box, else the extremes."""
    shown = steps[:, :MOST_LINES].astype(np.float64)
    every = max(1, -(-len(shown) // MOST_POINTS))
    shown = shown[::every]
    finite = shown[np.isfinite(shown)]
    low = float(finite.min(initial=np.inf)) if low is None and finite.size else low or 0.0
    high = float(finite.max(initial=-np.inf)) if high is None and finite.size else high or 0.0
    across = WIDE / max(1, len(shown) - 1)
    points = tuple(
        " ".join(
            f"{across * at:.1f},{_down(float(value), low, high):.1f}"
            for at, value in enumerate(column)
            if np.isfinite(value)
        )
        for column in shown.T
    )
    decimals = places(max(abs(low), abs(high)))
    return Lines(points, fixed(low, decimals), fixed(high, decimals))


def waveform(values: NDArray[Any]) -> Lines:
    """Return a wave, [n] of any dtype, as the outline of its extremes over time."""
    count = min(MOST_POINTS // 2, len(values))
    edges = np.linspace(0, len(values), count + 1).astype(np.int64)
    parts = [values[start:end] for start, end in itertools.pairwise(edges.tolist())]
    most = float(np.abs(values[np.isfinite(values)].astype(np.float64)).max(initial=0.0)) or 1.0
    across = WIDE / count

    def corner(at: int, value: float) -> str:
        """Return one corner of the outline."""
        return f"{across * (at + 0.5):.1f},{_down(value if np.isfinite(value) else 0.0, -most, most):.1f}"

    upper = [corner(at, float(part.max())) for at, part in enumerate(parts)]
    lower = [corner(at, float(part.min())) for at, part in enumerate(parts)]
    decimals = places(most)
    outline = " ".join([*upper, *reversed(lower), upper[0]])
    return Lines((outline,), fixed(-most, decimals), fixed(most, decimals), filled=True)


def _down(value: float, low: float, high: float) -> float:
    """Return how far below the upper edge a value is, with a margin of 1."""
    span = high - low
    return HIGH / 2 if span <= 0 else 1 + (HIGH - 2) * (high - value) / span


def _series(values: NDArray[Any]) -> NDArray[Any] | None:
    """Return series [T, F], in their dtype, where an array is one: long enough, and no ids. None for others."""
    if values.dtype.kind != "f":
        return None
    squeezed = values.reshape([size for size in values.shape if size != 1])
    if squeezed.ndim == 1 and len(squeezed) >= _LEAST_SERIES:
        return squeezed[:, None]
    if squeezed.ndim == 2 and len(squeezed) >= _LEAST_SERIES:
        return squeezed
    return None


def _is_image(values: NDArray[Any]) -> bool:
    """Say whether an array, [H, W, 1 or 3] of uint8 or float32, may be an image that the recipe has no word for."""
    if values.dtype.kind not in "fu" or values.ndim != 3 or values.shape[-1] not in (1, 3):
        return False
    return bool(min(values.shape[:2]) >= _LEAST_SERIES)


def _gray(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return numbers [H, W, C] as uint8 pixels of their shape, from the least to the largest."""
    real = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, span = float(real.min()), float(np.ptp(real))
    return np.asarray(np.rint((real - low) * (255 / span if span else 0.0))).astype(np.uint8)


def _pixels(values: NDArray[Any], image: ImageEntry) -> NDArray[np.uint8]:
    """Return an image's values, [H, W, C] or [H, W] of any dtype, as uint8 pixels [H, W, 1 or 3] to be looked at."""
    framed = values if values.ndim == 3 else values.reshape(*values.shape[:2], -1)
    if framed.dtype != np.uint8:
        real = framed.astype(np.float64) * _channels(image.std) + _channels(image.mean)
        framed = np.clip(np.rint(np.nan_to_num(real)), 0, 255).astype(np.uint8)
    if framed.shape[-1] not in (1, 3):
        framed = framed[..., :1]
    return np.ascontiguousarray(framed[..., ::-1] if image.color == "bgr" else framed)


def _channels(numbers: Sequence[float]) -> NDArray[np.float64]:
    """Return a number for each channel, float64 [C]."""
    return np.asarray(numbers, np.float64)
