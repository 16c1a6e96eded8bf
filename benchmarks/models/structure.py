"""What a model is made of and how it is stored: nested, dicts and lists, half precision, code of one's own, LoRA."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.models.architecture import TEST, Example, Keras, architecture
from benchmarks.models.data import scenes, walks
from benchmarks.models.fit import settle, train
from benchmarks.models.parts import custom

SIZE = 24
SPARSE = "sparse_categorical_crossentropy"
LABEL = "[[outputs]]\nname = 'label'\nkind = 'classes'\n"


def _features(keras: Keras, image: Any) -> Any:
    x = image
    for filters in (12, 24):
        x = keras.layers.Conv2D(filters, 3, strides=2, padding="same")(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    return keras.layers.GlobalAveragePooling2D()(x)


def _network(keras: Keras, *, dtype: str | None = None) -> Any:
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = keras.layers.Dense(5)(_features(keras, image))
    return keras.Model(image, keras.layers.Activation("softmax", dtype=dtype, name="label")(x))


def _small(keras: Keras, *, dtype: str | None = None) -> tuple[Any, np.ndarray]:
    """Return a trained classifier of 5 classes `image` -> `label`, and its images."""
    seen = scenes(SIZE)
    model = _network(keras, dtype=dtype)
    train(model, seen.images, seen.labels, SPARSE, epochs=12, rate=5e-3)
    settle(keras, model, seen.images[:-TEST])
    return model, seen.images


def _mixed(keras: Keras, policy: str) -> Example:
    policies = keras.config if hasattr(keras, "config") else keras.mixed_precision
    choose = getattr(policies, "set_global_policy", None) or policies.set_dtype_policy
    choose(policy)
    model, images = _small(keras, dtype="float32")
    choose("float32")
    exact = _network(keras)
    exact.set_weights(model.get_weights())
    return Example(model, {"image": images}, ("label",), tables=LABEL, exact=exact)


@architecture("mixed float16", keras=(2, 3))
def mixed_float16(keras: Keras) -> Example:
    """Return a model trained with the policy mixed_float16; the last layer is float32."""
    return _mixed(keras, "mixed_float16")


@architecture("mixed bfloat16", keras=(2, 3))
def mixed_bfloat16(keras: Keras) -> Example:
    """Return a model trained with the policy mixed_bfloat16."""
    return _mixed(keras, "mixed_bfloat16")


@architecture("nested models", keras=(2,))
def nested(keras: Keras) -> Example:
    """Return an augmentation Sequential, a backbone and a head, each a model inside a model."""
    seen = scenes(SIZE)
    image = keras.Input((SIZE, SIZE, 3), name="image")
    augment = keras.Sequential(
        [keras.layers.RandomFlip("horizontal"), keras.layers.RandomRotation(0.05)], name="augment"
    )
    inner = keras.Input((SIZE, SIZE, 3))
    backbone = keras.Model(inner, _features(keras, inner), name="backbone")
    head = keras.Sequential([keras.layers.Dropout(0.1), keras.layers.Dense(5, activation="softmax")], name="label")
    model = keras.Model(image, head(backbone(augment(image))))
    train(model, seen.images, seen.labels, SPARSE, epochs=12, rate=5e-3)
    settle(keras, model, seen.images[:-TEST])
    return Example(model, {"image": seen.images}, ("label",), tables=LABEL)


@architecture("dict in, dict out")
def dicts(keras: Keras) -> Example:
    """Return a functional model whose inputs and outputs are dicts."""
    model, samples, wanted = _heads(keras)
    train(model, samples, wanted, {"label": SPARSE, "level": "mse"}, epochs=15)
    return Example(model, samples, ("label",), tables=LABEL)


def _heads(keras: Keras) -> tuple[Any, dict[str, np.ndarray], dict[str, np.ndarray]]:
    values, labels = walks(24, 4)
    samples = {"series": values, "extra": values.mean(axis=1)}
    inputs = {"series": keras.Input((24, 4), name="series"), "extra": keras.Input((4,), name="extra")}
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.Conv1D(16, 5, activation="relu")(inputs["series"]))
    x = keras.layers.Concatenate()([x, inputs["extra"]])
    outputs = {
        "label": keras.layers.Dense(4, activation="softmax", name="label")(x),
        "level": keras.layers.Dense(2, name="level")(x),
    }
    return keras.Model(inputs, outputs), samples, {"label": labels, "level": values.mean(axis=1)[:, :2]}


@architecture("lists in, lists out", keras=(2,))
def lists(keras: Keras) -> Example:
    """Return three inputs and two outputs in lists, neither in alphabetical order."""
    values, labels = walks(24, 6)
    names = ("zeta", "alpha", "mid")
    parts = {name: values[:, :, 2 * i : 2 * i + 2].copy() for i, name in enumerate(names)}
    inputs = [keras.Input((24, 2), name=name) for name in names]
    sides = [keras.layers.Conv1D(8, 5, activation="relu")(tensor) for tensor in inputs]
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.Concatenate()(sides))
    label = keras.layers.Dense(4, activation="softmax", name="label")(x)
    level = keras.layers.Dense(2, name="above")(x)
    model = keras.Model(inputs, [label, level])
    train(model, [parts[name] for name in names], [labels, values.mean(axis=1)[:, :2]], [SPARSE, "mse"])
    return Example(model, parts, ("label",), tables=LABEL)


@architecture("SavedModel of Keras 2", keras=(2,), stored="SavedModel")
def saved_model(keras: Keras) -> Example:
    """Return a classifier that `model.save(folder)` wrote."""
    model, images = _small(keras)
    return Example(model, {"image": images}, ("label",), tables=LABEL)


@architecture("SavedModel of Keras 3", stored="SavedModel")
def exported(keras: Keras) -> Example:
    """Return a classifier that `model.export(folder)` wrote: its output is called output_0."""
    model, images = _small(keras)
    tables = "[[outputs]]\nname = 'output_0'\nkind = 'classes'\n"
    return Example(model, {"image": images}, ("output_0",), tables=tables, outputs=("output_0",))


@architecture("Sequential")
def sequential(keras: Keras) -> Example:
    """Return a Sequential model without an Input: built by its data, it keeps the batch of fit()."""
    values, labels = walks(24, 4)
    model = keras.Sequential(
        [
            keras.layers.Conv1D(16, 5, activation="relu"),
            keras.layers.GlobalMaxPooling1D(),
            keras.layers.Dense(4, activation="softmax", name="label"),
        ]
    )
    train(model, values, labels, SPARSE)
    # What the file calls the input that nobody named: `kit inspect` shows it. Its batch is the one of fit().
    samples = {"input_layer": values}
    return Example(model, samples, ("label",), keys="batch = 1", tables=LABEL, outputs=("label",))


BLOCK = '''import tensorflow as tf
from tensorflow.keras.layers import Dense, Layer


class Gate(Layer):
    """Weigh x by a gate of its own, as highway networks do."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.carry = Dense(units, activation="sigmoid")
        self.change = Dense(units, activation=swing)

    def call(self, x):
        gate = self.carry(x)
        return gate * self.change(x) + (1.0 - gate) * x

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def swing(x):
    return x * tf.sigmoid(1.702 * x)


CUSTOM_OBJECTS = {"Gate": Gate, "swing": swing}
'''


@architecture("layers of the user's (tensorflow.keras)", keras=(2,))
def custom_layers(keras: Keras) -> Example:
    """Return a highway layer and an activation function of the user's."""
    return _gated(keras, BLOCK)


@architecture("layers of the user's (import keras)")
def custom_layers_keras(keras: Keras) -> Example:
    """Return the same in Keras 3's own words."""
    code = BLOCK.replace("import tensorflow as tf\nfrom tensorflow.keras.layers", "import keras\nfrom keras.layers")
    return _gated(keras, code.replace("tf.sigmoid", "keras.ops.sigmoid"))


def _gated(keras: Keras, code: str) -> Example:
    values, labels = walks(16, 4)
    series = keras.Input((16, 4), name="series")
    x = keras.layers.Dense(24, activation=custom(code, "swing"))(keras.layers.Flatten()(series))
    x = custom(code, "Gate")(24)(custom(code, "Gate")(24)(x))
    model = keras.Model(series, keras.layers.Dense(4, activation="softmax", name="label")(x))
    train(model, values, labels, SPARSE)
    return Example(model, {"series": values}, ("label",), tables=LABEL, code=code)


@architecture("LoRA")
def lora(keras: Keras) -> Example:
    """Return a classifier whose dense layers were adapted by low-rank factors and stored with them."""
    values, labels = walks(16, 4)
    series = keras.Input((16, 4), name="series")
    layers = [keras.layers.Dense(32, activation="relu", name=f"deep_{i}") for i in range(2)]
    x = layers[1](layers[0](keras.layers.Flatten()(series)))
    model = keras.Model(series, keras.layers.Dense(4, activation="softmax", name="label")(x))
    train(model, values, labels, SPARSE)
    for layer in layers:
        layer.enable_lora(4)
    train(model, values, (labels + 1) % 4, SPARSE)
    return Example(model, {"series": values}, ("label",), tables=LABEL)


@architecture("Keras 3 quantize(int8)")
def keras_int8(keras: Keras) -> Example:
    """Return a dense classifier after Keras's own `model.quantize("int8")`, which rounds activations, too."""
    values, labels = walks(16, 4)
    model, exact = _two_dense(keras), _two_dense(keras)
    train(model, values, labels, SPARSE)
    model.quantize("int8")
    for rounded, layer in zip(model.layers, exact.layers, strict=True):
        if layer.weights:
            kernel = np.asarray(rounded._kernel, np.float32) / np.asarray(rounded.kernel_scale)
            layer.set_weights([kernel, np.asarray(rounded.bias)])
    return Example(model, {"series": values}, ("label",), tables=LABEL, exact=exact)


def _two_dense(keras: Keras) -> Any:
    series = keras.Input((16, 4), name="series")
    x = keras.layers.Dense(32, activation="relu")(keras.layers.Flatten()(series))
    return keras.Model(series, keras.layers.Dense(4, activation="softmax", name="label")(x))


@architecture("float64")
def float64(keras: Keras) -> Example:
    """Return a model trained with float64 throughout."""
    keras.backend.set_floatx("float64")
    model, images = _small(keras)
    return Example(model, {"image": images}, ("label",), tables=LABEL)
