"""Models over text: ids of tokens in, and models that carry their own tokenizer."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.models.architecture import SEED, TEST, Example, Keras, Remedy, architecture
from benchmarks.models.data import COUNT, sentences
from benchmarks.models.fit import train
from benchmarks.models.parts import attend, custom

STEPS, WORDS, WIDTH = 16, 120, 32
SPARSE = "sparse_categorical_crossentropy"
LABEL = "[[outputs]]\nname = 'label'\nkind = 'classes'\n"

POSITIONS = '''import keras


@keras.saving.register_keras_serializable("bench")
class Positions(keras.layers.Layer):
    """Add a learned vector to each step of x [N, T, width]."""

    def __init__(self, steps, **kwargs):
        super().__init__(**kwargs)
        self.steps = steps

    def build(self, shape):
        self.where = self.add_weight(name="where", shape=(self.steps, shape[-1]), initializer="random_normal")
        super().build(shape)

    def call(self, x):
        return x + self.where[: keras.ops.shape(x)[1]]

    def get_config(self):
        return {**super().get_config(), "steps": self.steps}


CUSTOM_OBJECTS = {"bench>Positions": Positions}
'''


def _embedded(keras: Keras, ids: Any, name: str | None = None) -> Any:
    x = keras.layers.Embedding(WORDS, WIDTH, name=name)(ids)
    return custom(POSITIONS, "Positions")(STEPS)(x)


@architecture("text classification, bag of embeddings")
def embedding_bag(keras: Keras) -> Example:
    """Return the mean of the embeddings of ids; padding is masked."""
    ids = keras.Input((STEPS,), dtype="int32", name="ids")
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(WORDS, WIDTH, mask_zero=True)(ids))
    x = keras.layers.Dense(24, activation="relu")(x)
    return _classify(keras, ids, x)


@architecture("text classification, convolutions", keras=(2,))
def text_cnn(keras: Keras) -> Example:
    """Return Kim's convolutions of three widths over embeddings; the ids are floats, as Keras 2 leaves them."""
    ids = keras.Input((STEPS,), name="ids")
    x = keras.layers.Embedding(WORDS, WIDTH)(ids)
    sides = [keras.layers.GlobalMaxPooling1D()(keras.layers.Conv1D(16, n, activation="relu")(x)) for n in (2, 3, 4)]
    example = _classify(keras, ids, keras.layers.Concatenate()(sides))
    tables = LABEL + f"[[inputs]]\nname = 'ids'\ndtype = 'int32'\nrange = [0, {WORDS - 1}]\n"
    return Example(example.model, example.samples, ("label",), tables=tables)


def _classify(keras: Keras, ids: Any, features: Any, code: str = "") -> Example:
    model = keras.Model(ids, keras.layers.Dense(4, activation="softmax", name="label")(features))
    values, labels = sentences(STEPS, WORDS)
    train(model, values, labels, SPARSE, epochs=12, rate=5e-3)
    return Example(model, {"ids": values}, ("label",), tables=LABEL, code=code)


@architecture("BERT small")
def bert(keras: Keras) -> Example:
    """Return ids, a mask and segments to the encoded tokens and a pooled label; attention takes the mask."""
    names = ("input_ids", "attention_mask", "token_type_ids")
    ids, mask, segments = (keras.Input((STEPS,), dtype="int32", name=name) for name in names)
    x = keras.layers.Add()([_embedded(keras, ids), keras.layers.Embedding(2, WIDTH)(segments)])
    x = keras.layers.LayerNormalization(epsilon=1e-12)(x)
    seen = keras.layers.Reshape((1, STEPS))(mask)
    for _ in range(2):
        y = keras.layers.MultiHeadAttention(2, WIDTH // 2)(x, x, attention_mask=seen)
        x = keras.layers.LayerNormalization(epsilon=1e-12)(keras.layers.Add()([x, y]))
        y = keras.layers.Dense(WIDTH)(keras.layers.Dense(64, activation="gelu")(x))
        x = keras.layers.LayerNormalization(epsilon=1e-12, name=None)(keras.layers.Add()([x, y]))
    pooled = keras.layers.Dense(WIDTH, activation="tanh", name="pooled")(x[:, 0])
    label = keras.layers.Dense(4, activation="softmax", name="label")(pooled)
    model = keras.Model([ids, mask, segments], label)
    values, labels = sentences(STEPS, WORDS)
    inputs = [values, (values > 0).astype(np.int32), (np.arange(STEPS) >= STEPS // 2) * (values > 0).astype(np.int32)]
    train(model, inputs, labels, SPARSE, epochs=15, rate=2e-3)
    samples = {name: array.astype(np.int32) for name, array in zip(names, inputs, strict=True)}
    return Example(model, samples, ("label",), tables=LABEL, code=POSITIONS)


def _language_model(keras: Keras, length: int | None) -> Any:
    ids = keras.Input((length,), dtype="int32", name="ids")
    x = _embedded(keras, ids)
    for _ in range(2):
        x = attend(keras, x, WIDTH, use_causal_mask=True)
    logits = keras.layers.Dense(WORDS, name="logits")(keras.layers.LayerNormalization()(x))
    model = keras.Model(ids, logits)
    values, _ = sentences(STEPS + 1, WORDS)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    train(model, values[:, :-1], values[:, 1:], loss, epochs=8, rate=2e-3)
    return model, values[:, :-1]


@architecture("causal language model")
def language_model(keras: Keras) -> Example:
    """Return the logits of the next token at each step; attention looks back alone."""
    model, ids = _language_model(keras, STEPS)
    return Example(model, {"ids": ids}, code=POSITIONS)


@architecture("causal language model, open length")
def language_model_open(keras: Keras) -> Example:
    """Return the same with a length that the app sets."""
    model, ids = _language_model(keras, None)
    tables = "[[inputs]]\nname = 'ids'\nshape = [-1]\n"
    fixed = Remedy(f"shape = [{STEPS}]", tables=f"[[inputs]]\nname = 'ids'\nshape = [{STEPS}]\n")
    return Example(model, {"ids": ids}, tables=tables, code=POSITIONS, remedy=fixed)


@architecture("transformer, encoder and decoder")
def translator(keras: Keras) -> Example:
    """Return two inputs of ids: a decoder that looks at an encoder, and back."""
    source, target = (keras.Input((STEPS,), dtype="int32", name=name) for name in ("source", "target"))
    memory = attend(keras, _embedded(keras, source), WIDTH)
    x = attend(keras, _embedded(keras, target), WIDTH, use_causal_mask=True)
    y = keras.layers.MultiHeadAttention(2, WIDTH // 2)(keras.layers.LayerNormalization()(x), memory)
    x = keras.layers.Add()([x, y])
    model = keras.Model([source, target], keras.layers.Dense(WORDS, name="logits")(x))
    values, _ = sentences(STEPS + 1, WORDS)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    inputs = [values[:, 1:][:, ::-1], values[:, :-1]]
    train(model, inputs, values[:, 1:], loss, epochs=8, rate=2e-3)
    return Example(model, {"source": inputs[0].copy(), "target": inputs[1]}, code=POSITIONS)


def _words(ids: np.ndarray) -> np.ndarray:
    names = np.array([f"word{n:03}" if n else "" for n in range(WORDS)])
    return np.array([[" ".join(names[row]).strip()] for row in ids])


@architecture("TextVectorization inside", keras=(2, 3), stored=".keras")
def vectorized(keras: Keras) -> Example:
    """Return text in: a TextVectorization that the file cannot have; the remedy starts behind it."""
    values, labels = sentences(STEPS, WORDS)
    text = _words(values)
    layer = keras.layers.TextVectorization(max_tokens=WORDS + 2, output_sequence_length=STEPS, name="vectorize")
    layer.adapt(text[:-TEST])
    source = keras.Input((1,), dtype="string", name="text")
    ids = layer(source)
    x = keras.layers.Embedding(WORDS + 2, WIDTH, mask_zero=True)(ids)
    x = keras.layers.Dense(24, activation="relu")(keras.layers.GlobalAveragePooling1D()(x))
    model = keras.Model(source, keras.layers.Dense(4, activation="softmax", name="label")(x))
    behind = np.asarray(layer(text)).astype(np.int64)
    # Text is no data of fit() in every Keras: the part behind the layer is trained, with the same weights.
    inner = keras.Model(ids, model.output)
    train(inner, behind, labels, SPARSE, epochs=12, rate=5e-3)
    cut = "[[inputs]]\nname = 'ids'\nsource = 'vectorize'\n"
    remedy = Remedy("[[inputs]] source = 'vectorize'", tables=cut + LABEL, samples={"ids": behind})
    return Example(model, {"text": text}, ("label",), tables=LABEL, remedy=remedy)


@architecture("ids through a lookup table")
def looked_up(keras: Keras) -> Example:
    """Return raw item numbers in: an IntegerLookup that the file cannot have; the remedy starts behind it."""
    rng = np.random.default_rng(SEED)
    vocabulary = rng.choice(100_000, 40, replace=False)
    items = rng.choice(vocabulary, (COUNT + TEST, 6)).astype(np.int64)
    taste = rng.normal(0, 1, 40)
    score = np.array([[taste[list(vocabulary).index(i)] for i in row] for row in items]).mean(axis=1)
    layer = keras.layers.IntegerLookup(vocabulary=list(vocabulary), name="lookup")
    source = keras.Input((6,), dtype="int64", name="items")
    ids = layer(source)
    x = keras.layers.Flatten()(keras.layers.Embedding(41, 8)(ids))
    model = keras.Model(source, keras.layers.Dense(1, name="score")(keras.layers.Dense(16, activation="relu")(x)))
    behind = np.asarray(layer(items)).astype(np.int64)
    train(keras.Model(ids, model.output), behind, score.astype(np.float32), "mse", epochs=20)
    remedy = Remedy(
        "[[inputs]] source = 'lookup'",
        tables="[[inputs]]\nname = 'ids'\nsource = 'lookup'\n",
        samples={"ids": behind},
    )
    return Example(model, {"items": items}, remedy=remedy)
