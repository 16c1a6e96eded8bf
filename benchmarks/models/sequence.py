"""Models over time: recurrent ones of every kind, and convolutions that stand for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.models.architecture import TEST, Example, Keras, Remedy, architecture
from benchmarks.models.data import scenes, walks
from benchmarks.models.fit import settle, train

STEPS, CHANNELS = 24, 6
SPARSE = "sparse_categorical_crossentropy"
LABEL = "[[outputs]]\nname = 'label'\nkind = 'classes'\n"
DYNAMIC = Remedy('scheme = "dynamic"', ("int8",), scheme="dynamic", tables=LABEL)


def _classify(keras: Keras, series: Any, features: Any, length: int = STEPS, *, tables: str = LABEL) -> Example:
    label = keras.layers.Dense(4, activation="softmax", name="label")(features)
    model = keras.Model(series, label)
    values, labels = walks(length, CHANNELS)
    train(model, values, labels, SPARSE, epochs=12, rate=5e-3)
    settle(keras, model, values[:-TEST])
    return Example(model, {"series": values}, ("label",), tables=tables, remedy=replace(DYNAMIC, tables=tables))


@architecture("LSTM", keras=(2, 3), recurrent=True)
def lstm(keras: Keras) -> Example:
    """Return two LSTM layers."""
    series = keras.Input((STEPS, CHANNELS), name="series")
    return _classify(keras, series, keras.layers.LSTM(16)(keras.layers.LSTM(24, return_sequences=True)(series)))


@architecture("GRU", keras=(2,), recurrent=True)
def gru(keras: Keras) -> Example:
    """Return a GRU."""
    series = keras.Input((STEPS, CHANNELS), name="series")
    return _classify(keras, series, keras.layers.GRU(24)(series))


@architecture("GRU, open length", recurrent=True)
def gru_open(keras: Keras) -> Example:
    """Return a GRU over a series of any length; the recipe leaves it open."""
    series = keras.Input((None, CHANNELS), name="series")
    tables = LABEL + f"[[inputs]]\nname = 'series'\nshape = [-1, {CHANNELS}]\n"
    return _classify(keras, series, keras.layers.GRU(24)(series), tables=tables)


@architecture("Bidirectional LSTM", recurrent=True)
def bidirectional(keras: Keras) -> Example:
    """Return both directions, as sequences and as a last state."""
    series = keras.Input((STEPS, CHANNELS), name="series")
    x = keras.layers.Bidirectional(keras.layers.LSTM(12, return_sequences=True))(series)
    return _classify(keras, series, keras.layers.Bidirectional(keras.layers.LSTM(8))(x))


@architecture("masked LSTM", keras=(2,), recurrent=True)
def masked_lstm(keras: Keras) -> Example:
    """Return an LSTM behind Masking; the series end at different lengths."""
    series = keras.Input((STEPS, CHANNELS), name="series")
    example = _classify(keras, series, keras.layers.LSTM(16)(keras.layers.Masking(-9.0)(series)))
    values = example.samples["series"].copy()
    ends = np.random.default_rng(7).integers(STEPS // 2, STEPS + 1, len(values))
    values[np.arange(STEPS) >= ends[:, None]] = -9.0
    return Example(example.model, {"series": values}, ("label",), tables=LABEL, remedy=DYNAMIC)


@architecture("CNN and GRU (TimeDistributed)", recurrent=True)
def cnn_gru(keras: Keras) -> Example:
    """Return a convolution on each of eight windows, then a GRU."""
    series = keras.Input((STEPS, CHANNELS), name="series")
    x = keras.layers.Reshape((6, 4, CHANNELS))(series)
    x = keras.layers.TimeDistributed(keras.layers.Conv1D(16, 3, padding="same", activation="relu"))(x)
    x = keras.layers.TimeDistributed(keras.layers.GlobalMaxPooling1D())(x)
    return _classify(keras, series, keras.layers.GRU(16)(x))


@architecture("ConvLSTM", recurrent=True)
def conv_lstm(keras: Keras) -> Example:
    """Return the next of four small images by a convolutional LSTM."""
    still = scenes(16, channels=1).images
    clips = np.stack([np.roll(still, step, axis=2) for step in range(5)], axis=1)
    clip = keras.Input((4, 16, 16, 1), name="clip")
    x = keras.layers.ConvLSTM2D(8, 3, padding="same")(clip)
    model = keras.Model(clip, keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="frame")(x))
    train(model, clips[:, :4], clips[:, 4], "mse", epochs=8)
    remedy = Remedy(DYNAMIC.text, DYNAMIC.schemes, scheme="dynamic")
    return Example(model, {"clip": clips[:, :4]}, remedy=remedy)


@architecture("sequence to sequence LSTM", keras=(2,), recurrent=True)
def seq2seq(keras: Keras) -> Example:
    """Return an encoder whose state starts a decoder over known earlier values."""
    values, _ = walks(STEPS, CHANNELS)
    past, fed = keras.Input((16, CHANNELS), name="past"), keras.Input((8, CHANNELS), name="fed")
    _, hidden, cell = keras.layers.LSTM(24, return_state=True)(past)
    x = keras.layers.LSTM(24, return_sequences=True)(fed, initial_state=[hidden, cell])
    model = keras.Model([past, fed], keras.layers.Dense(CHANNELS, name="next")(x))
    inputs = [values[:, :16], values[:, 15:23]]
    train(model, inputs, values[:, 16:], "mse")
    remedy = Remedy(DYNAMIC.text, DYNAMIC.schemes, scheme="dynamic")
    return Example(model, {"past": inputs[0], "fed": inputs[1]}, remedy=remedy)


@architecture("1-D convolutions", keras=(2,))
def conv1d(keras: Keras) -> Example:
    """Return strided 1-D convolutions with batch normalization."""
    x = series = keras.Input((48, CHANNELS), name="series")
    for filters in (16, 24):
        x = keras.layers.Conv1D(filters, 5, strides=2, padding="same", use_bias=False)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    return _plain(_classify(keras, series, keras.layers.GlobalAveragePooling1D()(x), 48))


@architecture("TCN")
def tcn(keras: Keras) -> Example:
    """Return dilated causal convolutions with residual ways."""
    series = keras.Input((48, CHANNELS), name="series")
    x = keras.layers.Conv1D(16, 1)(series)
    for dilation in (1, 2, 4, 8):
        y = keras.layers.Conv1D(16, 3, padding="causal", dilation_rate=dilation, activation="relu")(x)
        y = keras.layers.Conv1D(16, 1)(keras.layers.SpatialDropout1D(0.1)(y))
        x = keras.layers.ReLU()(keras.layers.Add()([x, y]))
    return _plain(_classify(keras, series, keras.layers.Flatten()(keras.layers.Cropping1D((47, 0))(x)), 48))


@architecture("WaveNet")
def wavenet(keras: Keras) -> Example:
    """Return gated dilated convolutions with skips that forecast the next value at each step."""
    values, _ = walks(49, CHANNELS)
    series = keras.Input((48, CHANNELS), name="series")
    x, skips = keras.layers.Conv1D(16, 2, padding="causal")(series), []
    for dilation in (1, 2, 4, 8):
        sides = [
            keras.layers.Conv1D(16, 2, padding="causal", dilation_rate=dilation, activation=gate)(x)
            for gate in ("tanh", "sigmoid")
        ]
        y = keras.layers.Conv1D(16, 1)(keras.layers.Multiply()(sides))
        skips.append(y)
        x = keras.layers.Add()([x, y])
    x = keras.layers.Conv1D(24, 1, activation="relu")(keras.layers.ReLU()(keras.layers.Add()(skips)))
    model = keras.Model(series, keras.layers.Conv1D(CHANNELS, 1, name="next")(x))
    train(model, values[:, :48], values[:, 1:], "mse")
    return Example(model, {"series": values[:, :48]})


def _plain(example: Example) -> Example:
    """Return an example of what is not recurrent: without the remedy for int8."""
    return Example(example.model, example.samples, example.classes, keys=example.keys, tables=example.tables)
