"""Structured samples with their labels: blobs on smooth backgrounds, walks, sentences of ids, tones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.models.architecture import SEED, TEST

COUNT = 128  # samples to fit and calibrate on; TEST more are test data


@dataclass(frozen=True)
class Scenes:
    """Images [N, H, W, C] of 0..1: a striped blob on a gradient, and what is to be seen on each."""

    images: np.ndarray
    labels: np.ndarray  # [N]: the direction of the stripes
    centers: np.ndarray  # [N, 2]: y and x of the blob, 0..1
    radii: np.ndarray  # [N]: 0..1
    masks: np.ndarray  # [N, H, W, 1]: 1 where the blob is


def scenes(size: int, *, channels: int = 3, classes: int = 5, count: int = COUNT + TEST) -> Scenes:
    """Return images in which every number varies smoothly over the image and from image to image."""
    rng = np.random.default_rng(SEED)
    labels = rng.integers(0, classes, count)
    centers, radii = rng.uniform(0.3, 0.7, (count, 2)), rng.uniform(0.15, 0.35, count)
    y, x = np.meshgrid(np.linspace(0, 1, size), np.linspace(0, 1, size), indexing="ij")
    slope = rng.uniform(-0.4, 0.4, (count, 2, 1, 1))
    background = 0.4 + slope[:, 0] * (y - 0.5) + slope[:, 1] * (x - 0.5)
    dy, dx = y - centers[:, 0, None, None], x - centers[:, 1, None, None]
    blob = np.exp(-((dy**2 + dx**2) / radii[:, None, None] ** 2) * 2)
    angle = (np.pi * labels / classes)[:, None, None]
    stripes = np.sin((np.cos(angle) * dx + np.sin(angle) * dy) * 35 + rng.uniform(0, 6, (count, 1, 1)))
    gray = background + 0.5 * blob * stripes
    tint = rng.uniform(0.7, 1.1, (count, 1, 1, channels))
    images = np.clip(gray[..., None] * tint, 0, 1).astype(np.float32)
    masks = (blob > 0.5).astype(np.float32)[..., None]
    return Scenes(images, labels, centers.astype(np.float32), radii.astype(np.float32), masks)


def walks(length: int, channels: int, classes: int = 4, count: int = COUNT + TEST) -> tuple[np.ndarray, np.ndarray]:
    """Return series [N, length, channels] float32 within about -2..2 and their classes: a rhythm on a random walk."""
    rng = np.random.default_rng(SEED)
    labels = rng.integers(0, classes, count)
    walk = np.cumsum(rng.normal(0, 0.1, (count, length, channels)), axis=1)
    time = np.arange(length)[None, :, None]
    phase = rng.uniform(0, 6, (count, 1, channels))
    rhythm = np.sin(2 * np.pi * (labels[:, None, None] + 1) * time / length + phase)
    return np.clip(0.5 * walk + rhythm, -2, 2).astype(np.float32), labels


def sentences(
    length: int, vocabulary: int, classes: int = 4, count: int = COUNT + TEST
) -> tuple[np.ndarray, np.ndarray]:
    """Return ids [N, length] int32 of 1..vocabulary-1, 0 behind the end, and topics: each has words of its own."""
    rng = np.random.default_rng(SEED)
    labels = rng.integers(0, classes, count)
    common = rng.integers(1, vocabulary, (count, length))
    own = 1 + (rng.integers(0, vocabulary // classes - 1, (count, length)) * classes + labels[:, None]) % (
        vocabulary - 1
    )
    ids = np.where(rng.uniform(size=(count, length)) < 0.5, own, common)
    ends = rng.integers(length // 2, length + 1, count)
    return np.where(np.arange(length) < ends[:, None], ids, 0).astype(np.int32), labels


def tones(length: int, rate: int, classes: int = 5, count: int = COUNT + TEST) -> tuple[np.ndarray, np.ndarray]:
    """Return sounds [N, length] float32 within -1..1 and their classes: a note with overtones that swells and falls."""
    rng = np.random.default_rng(SEED)
    labels = rng.integers(0, classes, count)
    time = np.arange(length) / rate
    pitch = 250 * 1.5 ** labels[:, None] * rng.uniform(0.97, 1.03, (count, 1))
    wave = sum(np.sin(2 * np.pi * pitch * n * time + rng.uniform(0, 6, (count, 1))) / n for n in (1, 2, 3))
    middle = rng.uniform(0.3, 0.7, (count, 1)) * length / rate
    swell = np.exp(-(((time - middle) / (0.25 * length / rate)) ** 2))
    noise = np.cumsum(rng.normal(0, 0.002, (count, length)), axis=1)
    return np.clip(0.4 * wave * swell + noise, -1, 1).astype(np.float32), labels
