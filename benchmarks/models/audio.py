"""Keyword spotting on raw audio: the spectrogram is inside the model, in each way that users put it there."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.models.architecture import TEST, Example, Keras, Remedy, architecture
from benchmarks.models.data import tones
from benchmarks.models.fit import settle, train
from benchmarks.models.parts import custom

LENGTH, RATE = 4000, 8000
LABEL = "[[outputs]]\nname = 'label'\nkind = 'classes'\n"
TRUST = "allow_code = true"


def _spot(keras: Keras, sound: Any, image: Any, *, keys: str = "", code: str = "") -> Example:
    """Return a small convolutional network behind a spectrogram [N, time, bins, 1], trained."""
    x = keras.layers.BatchNormalization()(image)
    for filters in (12, 24):
        x = keras.layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
    label = keras.layers.Dense(5, activation="softmax", name="label")(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(sound, label)
    sounds, labels = tones(LENGTH, RATE)
    sounds = sounds.reshape(len(sounds), *sound.shape[1:])
    settle(keras, model, sounds[:-TEST])
    train(model, sounds, labels, "sparse_categorical_crossentropy", epochs=12, rate=5e-3)
    settle(keras, model, sounds[:-TEST])
    return Example(model, {"sound": sounds}, ("label",), tables=LABEL, keys=keys, code=code)


MEL = '''import tensorflow as tf
from tensorflow import keras


class LogMel(keras.layers.Layer):
    """Return the logarithm of a mel spectrogram [N, frames, 24, 1] of sound [N, samples]."""

    def call(self, sound):
        spectrum = tf.abs(tf.signal.stft(sound, frame_length=256, frame_step=128, fft_length=256))
        mel = tf.signal.linear_to_mel_weight_matrix(24, 129, 8000, 80.0, 4000.0)
        return tf.math.log(tf.matmul(spectrum, mel) + 1e-3)[..., tf.newaxis]


class Mfcc(keras.layers.Layer):
    """Return 12 coefficients [N, frames, 12, 1] of a log mel spectrogram [N, frames, 24, 1]."""

    def call(self, mel):
        return tf.signal.mfccs_from_log_mel_spectrograms(mel[..., 0])[..., :12, tf.newaxis]


CUSTOM_OBJECTS = {"LogMel": LogMel, "Mfcc": Mfcc}
'''


@architecture("keyword spotting, tf.signal mel", keras=(2,))
def kws_mel(keras: Keras) -> Example:
    """Return a layer of the user's with tf.signal: STFT and mel."""
    sound = keras.Input((LENGTH,), name="sound")
    return _spot(keras, sound, custom(MEL, "LogMel")()(sound), code=MEL)


@architecture("keyword spotting, tf.signal MFCC", keras=(2,))
def kws_mfcc(keras: Keras) -> Example:
    """Return a layer of the user's with tf.signal: STFT, mel and the cosine transform, of a length TFLite has not."""
    sound = keras.Input((LENGTH,), name="sound")
    image = custom(MEL, "Mfcc")(name="mfcc")(custom(MEL, "LogMel")()(sound))
    example = _spot(keras, sound, image, code=MEL)
    behind = np.asarray(keras.Model(sound, image)(example.samples["sound"]))
    cut = "[[inputs]]\nname = 'mfcc'\nsource = 'mfcc'\n"
    return replace(example, remedy=Remedy("[[inputs]] source = 'mfcc'", tables=cut + LABEL, samples={"mfcc": behind}))


@architecture("keyword spotting, Lambda", keras=(2,))
def kws_lambda(keras: Keras) -> Example:
    """Return tf.signal in a Lambda layer, which is stored as byte-code that names `tf`."""
    import tensorflow as tf

    space: dict[str, Any] = {"tf": tf}
    exec("spectrum = lambda s: tf.abs(tf.signal.stft(s, 256, 128))[..., None]", space)  # noqa: S102 - named `tf` alone
    sound = keras.Input((LENGTH,), name="sound")
    return _spot(keras, sound, keras.layers.Lambda(space["spectrum"])(sound), keys=TRUST)


@architecture("keyword spotting, MelSpectrogram")
def kws_melspectrogram(keras: Keras) -> Example:
    """Return Keras 3's own layer, which scales by the loudest."""
    sound = keras.Input((LENGTH,), name="sound")
    layer = keras.layers.MelSpectrogram(
        fft_length=256, sequence_stride=128, sampling_rate=RATE, num_mel_bins=24, min_freq=80
    )
    x = keras.layers.Permute((2, 1))(layer(sound))
    return _spot(keras, sound, keras.layers.Reshape((*x.shape[1:], 1))(x))


@architecture("keyword spotting, STFTSpectrogram")
def kws_stftspectrogram(keras: Keras) -> Example:
    """Return Keras 3's own layer, which is a convolution inside."""
    _hann_alone()
    sound = keras.Input((LENGTH, 1), name="sound")
    layer = keras.layers.STFTSpectrogram(mode="log", frame_length=256, frame_step=128, expand_dims=True)
    return _spot(keras, sound, layer(sound))


def _hann_alone() -> None:
    """Stand in for scipy, which no toolchain has and of which the layer takes the window alone."""

    def get_window(_name: str, length: int, _fftbins: bool = True) -> np.ndarray:
        return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)

    scipy, signal = ModuleType("scipy"), ModuleType("scipy.signal")
    vars(signal)["get_window"], vars(scipy)["signal"] = get_window, signal
    sys.modules |= {"scipy": scipy, "scipy.signal": signal}


STFT = '''import keras


@keras.saving.register_keras_serializable("bench")
class Spectrum(keras.layers.Layer):
    """Return magnitudes [N, frames, 129, 1] of sound [N, samples]."""

    def call(self, sound):
        real, imaginary = keras.ops.stft(sound, sequence_length=256, sequence_stride=128, fft_length=256)
        return keras.ops.sqrt(real**2 + imaginary**2 + 1e-6)[..., None]


CUSTOM_OBJECTS = {"bench>Spectrum": Spectrum}
'''


@architecture("keyword spotting, keras.ops.stft")
def kws_ops(keras: Keras) -> Example:
    """Return a layer of the user's with Keras 3's stft."""
    sound = keras.Input((LENGTH,), name="sound")
    return _spot(keras, sound, custom(STFT, "Spectrum")()(sound), code=STFT)


@architecture("raw audio, 1-D convolutions")
def kws_raw(keras: Keras) -> Example:
    """Return strided convolutions on the wave itself."""
    sound = keras.Input((LENGTH,), name="sound")
    x = keras.layers.Reshape((LENGTH, 1))(sound)
    x = keras.layers.Conv1D(24, 64, strides=32, activation="relu")(x)
    x = keras.layers.MaxPooling1D(2)(keras.layers.Conv1D(24, 3, activation="relu")(x))
    return _spot(keras, sound, keras.layers.Reshape((*x.shape[1:], 1))(x))
