"""A keyword spotter as users train it, on words of tones: what formants do in a spoken one, with noise around.

Runs inside a toolchain's Python: `python audio_models.py KIND FOLDER`.
"""

from __future__ import annotations

import sys
import wave
from pathlib import Path

from trained_models import keras

RATE, WINDOW = 8000, 4000
# Of each word: syllables, each with two formants from one frequency to another.
WORDS = {
    "yes": (((300, 600), (2300, 1700)),),
    "no": (((600, 350), (1200, 800)),),
    "left": (((550, 650), (1750, 1750)), ((250, 250), (3000, 3300))),
    "stop": (((3000, 2500), (3500, 3000)), ((700, 500), (1100, 900))),
}


def spoken(rng, word: str, frames: int, rate: int = RATE):  # type: ignore[no-untyped-def] # rng, and what it returns, are numpy's
    """Return a word somewhere in noise, int16 [frames]: another pitch, speed and loudness each time."""
    import numpy as np

    sound = rng.normal(0, 0.01, frames)
    length = int(rate * rng.uniform(0.26, 0.38))
    start = int(rng.integers(0, max(frames - length, 1)))
    syllables, pitch = WORDS[word], rng.uniform(0.85, 1.15)
    for place, formants in enumerate(syllables):
        size = min(length // len(syllables), frames - start - place * (length // len(syllables)))
        if size <= 0:
            continue
        ramp = np.linspace(0, 1, size)
        envelope = np.sin(np.pi * ramp) * rng.uniform(0.2, 0.45)
        for strength, (low, high) in zip((1.0, 0.6), formants, strict=True):
            phase = 2 * np.pi * np.cumsum(low + (high - low) * ramp) * pitch / rate
            part = slice(start + place * size, start + (place + 1) * size)
            sound[part] += strength * envelope * np.sin(phase + rng.uniform(0, 6))
    return np.clip(np.round(sound * 32767), -32768, 32767).astype(np.int16)


def words(count: int, seed: int):  # type: ignore[no-untyped-def] # numpy is not on the path where this is checked
    """Return count words, int16 [count, WINDOW], and their classes, int64 [count]."""
    import numpy as np

    rng = np.random.default_rng(seed)
    classes = np.arange(count) % len(WORDS)
    return np.stack([spoken(rng, list(WORDS)[each], WINDOW) for each in classes]), classes


def write_wav(path: Path, frames, rate: int) -> None:  # type: ignore[no-untyped-def] # frames: int16 [frames, channels]
    """Write a .wav of 16 bits with the standard library, which is not what reads it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(frames.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(frames.astype("<i2").tobytes())


def spotter(folder: Path) -> None:
    """`waveform` [WINDOW, 1] -> `word`: four of them.

    Written: the model, labels.txt, train.npz and test.npz with waveform (int16) and y, expected.npz with the outputs
    for test.npz, and test/LABEL/*.wav: a few of other rates, channels and lengths.
    """
    import numpy as np

    keras().utils.set_random_seed(7)
    layers = keras().layers
    pcm, classes = words(640, 1)
    waveform = layers.Input((WINDOW, 1), name="waveform")
    x = layers.Conv1D(16, 64, strides=32, padding="same", use_bias=False)(waveform)
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    x = layers.Conv1D(24, 5, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv1D(24, 5, strides=2, padding="same", activation="relu")(x)
    x = layers.GlobalAveragePooling1D()(x)
    model = keras().Model(waveform, layers.Dense(len(WORDS), activation="softmax", name="word")(x))
    model.compile(keras().optimizers.Adam(0.005), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit((pcm / 32768.0).astype(np.float32)[..., None], classes, epochs=40, batch_size=32, verbose=0)
    test, test_classes = words(120, 2)
    values = (test / 32768.0).astype(np.float32)[..., None]
    _, accuracy = model.evaluate(values, test_classes, verbose=0)
    assert accuracy > 0.9, accuracy
    model.save(folder / "model.keras")
    np.savez(folder / "train.npz", waveform=pcm[:100], y=classes[:100])
    np.savez(folder / "test.npz", waveform=test, y=test_classes)
    np.savez(folder / "expected.npz", word=model.predict(values, verbose=0))
    (folder / "labels.txt").write_text("".join(f"{word}\n" for word in WORDS), "utf-8")
    rng = np.random.default_rng(3)
    for number in range(16):
        rate, channels = ((8000, 1), (16_000, 2), (44_100, 1), (11_025, 2))[number // 4]
        word = list(WORDS)[number % 4]
        mono = spoken(rng, word, int(rate * (0.5, 0.45)[number % 2]), rate)
        write_wav(folder / "test" / word / f"{number}.wav", np.repeat(mono[:, None], channels, axis=1), rate)


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]))
