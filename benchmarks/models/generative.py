"""Models that make images or codes: autoencoders, super-resolution, style transfer, a generator, a denoiser."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.models.architecture import TEST, Example, Keras, Remedy, architecture
from benchmarks.models.data import scenes, walks
from benchmarks.models.fit import settle, train
from benchmarks.models.parts import custom

SIZE = 32


@architecture("autoencoder")
def autoencoder(keras: Keras) -> Example:
    """Return a convolutional autoencoder with a narrow code."""
    seen = scenes(SIZE)
    x = image = keras.Input((SIZE, SIZE, 3), name="image")
    for filters in (16, 32):
        x = keras.layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
    x = keras.layers.Dense(48, name="code")(keras.layers.Flatten()(x))
    x = keras.layers.Reshape((8, 8, 16))(keras.layers.Dense(8 * 8 * 16, activation="relu")(x))
    for filters in (32, 16):
        x = keras.layers.Conv2DTranspose(filters, 3, strides=2, padding="same", activation="relu")(x)
    model = keras.Model(image, keras.layers.Conv2D(3, 3, padding="same", activation="sigmoid", name="again")(x))
    train(model, seen.images, seen.images, "mse", epochs=15)
    return Example(model, {"image": seen.images})


@architecture("anomaly autoencoder, dense", keras=(2,))
def anomaly(keras: Keras) -> Example:
    """Return dense layers over a window of sensors, with the error as a second output."""
    values, _ = walks(16, 4)
    window = keras.Input((16, 4), name="window")
    x = keras.layers.Flatten()(window)
    for units in (32, 8, 32):
        x = keras.layers.Dense(units, activation="tanh")(x)
    again = keras.layers.Reshape((16, 4), name="again")(keras.layers.Dense(64)(x))
    error = keras.layers.Subtract()([window, again])
    error = keras.layers.GlobalAveragePooling1D(name="error")(keras.layers.Multiply()([error, error]))
    model = keras.Model(window, [again, error])
    train(model, values, [values, np.zeros((len(values), 4), np.float32)], ["mse", "mse"], epochs=20)
    return Example(model, {"window": values})


VAE = '''import keras


@keras.saving.register_keras_serializable("bench")
class Sampling(keras.layers.Layer):
    """Draw a code around the mean; its seed generator is state of the layer."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seeds = keras.random.SeedGenerator(7)

    def call(self, parts):
        mean, log_variance = parts
        noise = keras.random.normal(keras.ops.shape(mean), seed=self.seeds)
        return mean + keras.ops.exp(0.5 * log_variance) * noise


CUSTOM_OBJECTS = {"bench>Sampling": Sampling}
'''


@architecture("VAE, encoder's mean")
def vae(keras: Keras) -> Example:
    """Return a whole variational autoencoder of which an app takes what is not drawn: mean and log variance."""
    seen = scenes(SIZE)
    x = image = keras.Input((SIZE, SIZE, 3), name="image")
    for filters in (16, 32):
        x = keras.layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
    x = keras.layers.Flatten()(x)
    mean, spread = keras.layers.Dense(8, name="mean")(x), keras.layers.Dense(8, name="log_variance")(x)
    code = custom(VAE, "Sampling")(name="sampling")([mean, spread])
    x = keras.layers.Reshape((8, 8, 16))(keras.layers.Dense(8 * 8 * 16, activation="relu")(code))
    for filters in (32, 16):
        x = keras.layers.Conv2DTranspose(filters, 3, strides=2, padding="same", activation="relu")(x)
    again = keras.layers.Conv2D(3, 3, padding="same", activation="sigmoid", name="again")(x)
    whole = keras.Model(image, again)
    train(whole, seen.images, seen.images, "mse", epochs=10)
    model = keras.Model(image, [mean, spread, again])
    picked = "outputs = ['mean', 'log_variance']"
    return Example(model, {"image": seen.images}, code=VAE, keys=picked, picked=("mean", "log_variance"))


STYLE = """import tensorflow as tf
from tensorflow import keras


class InstanceNorm(keras.layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="ones")
        self.offset = self.add_weight(name="offset", shape=(shape[-1],), initializer="zeros")
        super().build(shape)

    def call(self, x):
        mean, variance = tf.nn.moments(x, axes=[1, 2], keepdims=True)
        return (x - mean) * tf.math.rsqrt(variance + 1e-3) * self.scale + self.offset


class ReflectPad(keras.layers.Layer):
    def __init__(self, pad=1, **kwargs):
        super().__init__(**kwargs)
        self.pad = pad

    def call(self, x):
        return tf.pad(x, [[0, 0], [self.pad, self.pad], [self.pad, self.pad], [0, 0]], mode="REFLECT")

    def get_config(self):
        return {**super().get_config(), "pad": self.pad}


CUSTOM_OBJECTS = {"InstanceNorm": InstanceNorm, "ReflectPad": ReflectPad}
"""


@architecture("style transfer", keras=(2,))
def style_transfer(keras: Keras) -> Example:
    """Return instance normalization and reflect padding as layers of the user's, residual blocks, upsampling."""
    seen = scenes(SIZE)
    norm, pad = custom(STYLE, "InstanceNorm"), custom(STYLE, "ReflectPad")
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = keras.layers.Conv2D(16, 5)(pad(2)(image))
    x = keras.layers.ReLU()(norm()(x))
    x = keras.layers.ReLU()(norm()(keras.layers.Conv2D(32, 3, strides=2)(pad(1)(x))))
    y = keras.layers.ReLU()(norm()(keras.layers.Conv2D(32, 3)(pad(1)(x))))
    x = keras.layers.Add()([x, norm()(keras.layers.Conv2D(32, 3)(pad(1)(y)))])
    x = keras.layers.UpSampling2D(2)(x)
    x = keras.layers.Conv2D(3, 5, activation="tanh", name="styled")(pad(2)(x))
    model = keras.Model(image, x)
    # A style: inverted, with the channels exchanged.
    train(model, seen.images, 1 - 2 * seen.images[..., ::-1], "mse", epochs=8)
    other = Remedy("scheme = 'dynamic'", schemes=("int8",), scheme="dynamic")
    return Example(model, {"image": seen.images}, code=STYLE, remedy=other)


SHUFFLE = """import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("bench")
class DepthToSpace(keras.layers.Layer):
    def call(self, x):
        return tf.nn.depth_to_space(x, 2)


CUSTOM_OBJECTS = {"bench>DepthToSpace": DepthToSpace}
"""


@architecture("super-resolution")
def super_resolution(keras: Keras) -> Example:
    """Return an ESPCN: convolutions at low resolution and one depth_to_space, beside a bilinear way."""
    seen = scenes(SIZE)
    low = seen.images.reshape(len(seen.images), 16, 2, 16, 2, 3).mean(axis=(2, 4))
    image = keras.Input((16, 16, 3), name="image")
    x = keras.layers.Conv2D(24, 5, padding="same", activation="relu")(image)
    x = keras.layers.Conv2D(12, 3, padding="same")(keras.layers.Conv2D(16, 3, padding="same", activation="relu")(x))
    x = custom(SHUFFLE, "DepthToSpace")()(x)
    plain = keras.layers.UpSampling2D(2, interpolation="bilinear")(image)
    model = keras.Model(image, keras.layers.Add(name="large")([x, plain]))
    train(model, low, seen.images, "mse")
    return Example(model, {"image": low}, code=SHUFFLE)


@architecture("super-resolution, open size")
def super_resolution_open(keras: Keras) -> Example:
    """Return convolutions alone over images of any size; the recipe leaves height and width open."""
    seen = scenes(SIZE)
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Conv2D(16, 5, padding="same", activation="relu")(image)
    x = keras.layers.UpSampling2D(2)(keras.layers.Conv2D(16, 3, padding="same", activation="relu")(x))
    model = keras.Model(image, keras.layers.Conv2D(3, 3, padding="same", name="large")(x))
    low = seen.images.reshape(len(seen.images), 16, 2, 16, 2, 3).mean(axis=(2, 4))
    train(model, low, seen.images, "mse")
    return Example(model, {"image": low}, tables="[[inputs]]\nname = 'image'\nshape = [-1, -1, 3]\n")


@architecture("GAN generator", keras=(2,))
def generator(keras: Keras) -> Example:
    """Return a code of 16 numbers to an image by transposed convolutions with batch normalization."""
    seen = scenes(SIZE)
    code = keras.Input((16,), name="code")
    x = keras.layers.Dense(8 * 8 * 32, use_bias=False)(code)
    x = keras.layers.Reshape((8, 8, 32))(keras.layers.LeakyReLU()(keras.layers.BatchNormalization()(x)))
    for filters in (24, 16):
        x = keras.layers.Conv2DTranspose(filters, 5, strides=2, padding="same", use_bias=False)(x)
        x = keras.layers.LeakyReLU()(keras.layers.BatchNormalization()(x))
    model = keras.Model(code, keras.layers.Conv2D(3, 5, padding="same", activation="tanh", name="image")(x))
    flat = seen.images.reshape(len(seen.images), -1)
    # Codes that the images are the images of: projections of them, so that there is something to learn.
    flat = flat - flat.mean(axis=0)
    codes = (flat @ np.random.default_rng(7).normal(0, 1, (flat.shape[1], 16))) / 12
    codes = (codes / codes.std()).astype(np.float32)
    train(model, codes, seen.images * 2 - 1, "mse")
    settle(keras, model, codes[:-TEST])
    return Example(model, {"code": codes})


@architecture("diffusion denoiser")
def denoiser(keras: Keras) -> Example:
    """Return a small U-Net with GroupNormalization, SiLU and a time embedding that shifts the channels."""
    seen = scenes(SIZE)
    noisy, time = keras.Input((SIZE, SIZE, 3), name="noisy"), keras.Input((1,), name="time")
    shift = keras.layers.Dense(16, activation="silu")(keras.layers.Dense(16, activation="silu")(time))
    fine = _norm(keras, keras.layers.Conv2D(16, 3, padding="same")(noisy))
    x = _norm(keras, keras.layers.Conv2D(16, 3, strides=2, padding="same")(fine))
    x = keras.layers.Add()([x, keras.layers.Reshape((1, 1, 16))(shift)])
    x = _norm(keras, keras.layers.Conv2D(16, 3, padding="same")(x))
    x = keras.layers.Concatenate()([keras.layers.UpSampling2D(2)(x), fine])
    model = keras.Model([noisy, time], keras.layers.Conv2D(3, 3, padding="same", name="noise")(x))
    rng = np.random.default_rng(7)
    when = rng.uniform(0, 1, (len(seen.images), 1)).astype(np.float32)
    noise = rng.normal(0, 1, seen.images.shape).astype(np.float32)
    mixed = seen.images + when[:, :, None, None] * noise
    train(model, [mixed, when], noise, "mse", epochs=6)
    return Example(model, {"noisy": mixed, "time": when})


def _norm(keras: Keras, x: Any) -> Any:
    return keras.layers.Activation("silu")(keras.layers.GroupNormalization(groups=4)(x))
