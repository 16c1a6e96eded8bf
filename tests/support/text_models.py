"""A classifier of text as users train it, on sentences of the standard library's own docstrings, by topic.

Runs inside a toolchain's Python: `python text_models.py KIND FOLDER`. A kind "2:..." is of Keras 2.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from trained_models import keras

TOPICS = {
    "files": "os shutil pathlib zipfile tarfile tempfile glob fnmatch fileinput filecmp gzip bz2 lzma mmap",
    "network": "http.client http.server urllib.request urllib.parse socket smtplib ssl ftplib imaplib poplib",
    "numbers": "math cmath decimal fractions statistics random numbers",
    "time": "datetime time calendar sched zoneinfo",
}
LENGTH = 40


def sentences(modules: str) -> Iterator[str]:
    """Yield the sentences of the docstrings of modules and what is in them, as they are written there."""
    seen = set()
    for name in modules.split():
        module = importlib.import_module(name)
        parts = [module, *(value for _, value in inspect.getmembers(module))]
        parts += [value for each in parts if inspect.isclass(each) for _, value in inspect.getmembers(each)]
        for part in parts:
            text = inspect.getdoc(part) if callable(part) or part is module else None
            for sentence in re.split(r"(?<=[.!?])\s+|\n\n", text or ""):
                if 5 < len(sentence.split()) < 60 and sentence not in seen:
                    seen.add(sentence)
                    yield sentence


def corpus() -> tuple[list[str], list[int]]:
    """Return texts and their topics, mixed with a fixed seed; a sentence of several topics is in none."""
    import numpy as np

    found = {topic: list(sentences(modules)) for topic, modules in TOPICS.items()}
    counts: dict[str, int] = {}
    for texts in found.values():
        for text in texts:
            counts[text] = counts.get(text, 0) + 1
    pairs = [(text, at) for at, texts in enumerate(found.values()) for text in texts if counts[text] == 1]
    order = np.random.default_rng(5).permutation(len(pairs))
    return [pairs[at][0] for at in order], [pairs[at][1] for at in order]


def topics(folder: Path, length: int | None = LENGTH) -> None:
    """`text` -> `topic`: four of them. Written: the model, labels.txt, and train.npz, test.npz with text and y."""
    import numpy as np

    keras().utils.set_random_seed(7)
    layers, (texts, classes) = keras().layers, corpus()
    cut = len(texts) * 4 // 5
    words = layers.TextVectorization(max_tokens=2000, output_sequence_length=length, name="words")
    words.adapt(np.array(texts[:cut]))
    text = layers.Input((1,), dtype="string", name="text")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(2000, 16, name="vectors")(words(text)))
    model = keras().Model(text, layers.Dense(len(TOPICS), activation="softmax", name="topic")(x))
    model.compile(keras().optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    arrays = np.array(texts)[:, None], np.array(classes)
    import tensorflow as tf

    model.fit(tf.constant(arrays[0][:cut]), arrays[1][:cut], epochs=15, batch_size=32, verbose=0)
    _, accuracy = model.evaluate(tf.constant(arrays[0][cut:]), arrays[1][cut:], verbose=0)
    assert accuracy > 0.75, accuracy
    model.save(folder / "model.keras")
    np.savez(folder / "train.npz", text=arrays[0][:cut, 0], y=arrays[1][:cut])
    outputs = np.concatenate([np.asarray(model(tf.constant(row[None]))) for row in arrays[0][cut:]])
    np.savez(folder / "test.npz", text=arrays[0][cut:, 0], y=arrays[1][cut:])
    np.savez(folder / "expected.npz", topic=outputs)
    (folder / "labels.txt").write_text("".join(f"{topic}\n" for topic in TOPICS), "utf-8")


def open_topics(folder: Path) -> None:
    """The same without a length of its own: as many ids as there are words."""
    topics(folder, None)


def colours(folder: Path) -> None:
    """`colour`, a word of three or another -> `price`, through a StringLookup of a vocabulary that adapt() learned."""
    import numpy as np
    import tensorflow as tf

    layers = keras().layers
    colour = layers.Input((1,), dtype="string", name="colour")
    lookup = layers.StringLookup(name="colours")
    lookup.adapt(np.array(["red", "light green", "red", "blue", "Blue"]))
    x = layers.Flatten()(layers.Embedding(5, 3, embeddings_initializer="uniform")(lookup(colour)))
    model = keras().Model(colour, layers.Dense(2, name="price")(x))
    words = np.array(["red", "blue", "Blue", "light green", "other", "", "RED", "[UNK]"])
    model.save(folder / "model.keras")
    np.savez(folder / "test.npz", colour=words)
    np.savez(folder / "expected.npz", price=np.concatenate([np.asarray(model(tf.constant([[w]]))) for w in words]))


def nested(folder: Path) -> None:
    """`text` -> `sum`: ids of two layers of one class, the second in a Sequential, with vocabularies of their own."""
    import numpy as np
    import tensorflow as tf

    layers = keras().layers
    text = layers.Input((1,), dtype="string", name="text")
    words = layers.TextVectorization(output_sequence_length=4, name="words")
    words.adapt(np.array(["a b c d", "a b"]))
    letters = layers.TextVectorization(output_sequence_length=9, split="character", name="letters")
    letters.adapt(np.array(["hello world"]))
    front = keras().Sequential([layers.Input((1,), dtype="string"), letters, layers.Embedding(12, 2)], name="front")
    mean = layers.GlobalAveragePooling1D()
    x = layers.Concatenate()([mean(layers.Embedding(9, 2)(words(text))), mean(front(text))])
    model = keras().Model(text, layers.Dense(1, name="sum")(x))
    texts = np.array(["a b hello", "Held d", ""])
    model.save(folder / "model.keras")
    np.savez(folder / "expected.npz", sum=np.concatenate([np.asarray(model(tf.constant([[t]]))) for t in texts]))
    np.savez(folder / "test.npz", words=texts, letters=texts)


if __name__ == "__main__":
    globals()[sys.argv[1].removeprefix("2:").replace("-", "_")](Path(sys.argv[2]))
