# /// script
# requires-python = "==3.11.*"
# dependencies = [
#     "scikit-learn==1.7.2",
#     "tensorflow-cpu==2.19.1",
#     "tensorflow-model-optimization==0.8.1",
#     "tf-keras==2.19.0",
# ]
#
# [tool.uv]
# override-dependencies = ["tensorflow ; sys_platform == 'never'"]  # tf-keras asks for it; tensorflow-cpu is it
# ///
"""Train the models of tests/support/data/qat with tensorflow-model-optimization.

Usage: uv run tests/support/qat_models.py FOLDER.

Knows the digits, Keras 2 and tfmot, not the kit. What it writes is kept in the repository, for tfmot is in no
toolchain: nobody needs to run it. With TensorFlow 2.15.1 in place of 2.19.1 it wrote qat-2.15.h5.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tensorflow as tf

if tf.__version__.startswith("2.15"):
    import keras

    assert tf.keras.layers and tf.compat.v1.keras.layers and tf.compat.v2.keras.layers  # before tfmot sets Keras aside
else:
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tf_keras as keras
import tensorflow_model_optimization as tfmot  # type: ignore[import-not-found]

SEED, TRAINED, EPOCHS = 1, 1000, 8
quantization, sparsity, clustering = tfmot.quantization.keras, tfmot.sparsity.keras, tfmot.clustering.keras


def net() -> Any:
    """Return `image` [N, 8, 8, 1] -> `digit` [N, 10]."""
    layers = keras.layers
    image = layers.Input((8, 8, 1), name="image")
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv")(image)
    x = layers.ReLU(6.0, name="relu")(layers.BatchNormalization(name="bn")(x))
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False, name="depthwise")(x)
    x = layers.ReLU(6.0, name="relu2")(layers.BatchNormalization(name="bn2")(x))
    x = layers.Conv2D(12, 1, use_bias=False, name="point")(x)
    x = layers.ReLU(6.0, name="relu3")(layers.BatchNormalization(name="bn3")(x))
    scores = layers.Dense(10, activation="softmax", name="digit")(layers.Flatten(name="flat")(x))
    return keras.Model(image, scores, name="net")


def apart(model: Any) -> None:
    """Scale the channels before `point` apart, by 1 to 1/256, and its weights back: the same function in float.

    Trained networks come to be so by themselves, and 8 bits lose the small channels. Source: Nagel et al., Data-Free
    Quantization Through Weight Equalization and Bias Correction (2019).
    """
    scale = 2.0 ** -np.linspace(0, 8, 8)[np.random.default_rng(SEED).permutation(8)]
    gamma, beta, mean, variance = model.get_layer("bn2").get_weights()
    model.get_layer("bn2").set_weights([gamma * scale, beta * scale, mean, variance])
    point = model.get_layer("point")
    point.set_weights([point.get_weights()[0] / scale[None, None, :, None]])


def digits() -> tuple[Any, Any, Any, Any]:
    """Return images float32 [N, 8, 8, 1] in 0..1 and labels, to train on and to test on."""
    from sklearn.datasets import load_digits

    found = load_digits()
    order = np.random.default_rng(7).permutation(len(found.target))
    image, y = (found.images[order, ..., None] / 16).astype(np.float32), found.target[order]
    return image[:TRAINED], y[:TRAINED], image[TRAINED:], y[TRAINED:]


def fit(model: Any, image: Any, y: Any, epochs: int = EPOCHS, rate: float = 1e-3, callbacks: Any = ()) -> Any:
    """Train a model, and return it."""
    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy())
    model.fit(image, y, 32, epochs, verbose=0, callbacks=list(callbacks))
    return model


class Doubled(quantization.QuantizeConfig):  # type: ignore[misc, name-defined]
    """A configuration that is not tfmot's own, as its guide shows how to write one."""

    weight = quantization.quantizers.LastValueQuantizer(num_bits=8, per_axis=False, symmetric=True, narrow_range=True)
    output = quantization.quantizers.MovingAverageQuantizer(
        num_bits=8, per_axis=False, symmetric=False, narrow_range=False
    )

    def get_weights_and_quantizers(self, layer: Any) -> Any:
        return [(layer.kernel, self.weight)]

    def get_activations_and_quantizers(self, layer: Any) -> Any:
        return [(layer.activation, self.output)]

    def set_quantize_weights(self, layer: Any, quantize_weights: Any) -> None:
        layer.kernel = quantize_weights[0]

    def set_quantize_activations(self, layer: Any, quantize_activations: Any) -> None:
        layer.activation = quantize_activations[0]

    def get_output_quantizers(self, _layer: Any) -> Any:
        return []

    def get_config(self) -> Any:
        return {}


def again(folder: Path) -> None:
    """Write models that have to be trained or saved in another way: of four bits, and clusters around an LSTM."""
    from tensorflow_model_optimization.python.core.quantization.keras.experimental.default_n_bit import (  # type: ignore[import-not-found]
        default_n_bit_quantize_scheme as n_bit,
    )

    def keep(name: str, model: Any) -> None:
        model.optimizer = None
        model.save(folder / name)

    image, y, _, _ = digits()
    keras.utils.set_random_seed(SEED)
    layers, given = keras.layers, keras.layers.Input((8, 8, 1), name="image")
    x = layers.ReLU(6.0, name="relu")(layers.Conv2D(4, 3, name="conv")(given))
    scores = layers.Dense(10, activation="softmax", name="digit")(layers.Flatten(name="flat")(x))
    small = fit(keras.Model(given, scores, name="net"), image, y, 2)
    scheme = n_bit.DefaultNBitQuantizeScheme(num_bits_weight=4, num_bits_activation=8)
    keep("nbit.h5", fit(quantization.quantize_apply(quantization.quantize_annotate_model(small), scheme), image, y, 1))
    rows = layers.Input((8, 8), name="image")
    scores = layers.Dense(10, activation="softmax", name="digit")(layers.LSTM(6, name="lstm")(rows))
    lines = fit(keras.Model(rows, scores, name="rows"), image[..., 0], y, 2)
    centroids = clustering.CentroidInitialization.LINEAR
    clusters = clustering.cluster_weights(lines, number_of_clusters=8, cluster_centroids_init=centroids)
    keep("clustered-rnn.h5", fit(clusters, image[..., 0], y, 1))
    keep("clustered-rnn-stripped.h5", clustering.strip_clustering(clusters))


def main(folder: Path) -> None:
    """Write every model, and expected.npz with the test images, their labels and what each model gives."""
    image, y, test, test_y = digits()
    arrays = {"image": np.round(test * 16).astype(np.uint8), "y": test_y.astype(np.uint8)}

    def keep(name: str, model: Any) -> None:
        model.optimizer = None  # a third of a .keras file
        model.save(folder / name)  # at once: tfmot's wrappers take a model's own layers
        arrays[name] = np.concatenate([model(test[i : i + 1], training=False) for i in range(32)])

    keras.utils.set_random_seed(SEED)
    start = fit(net(), image, y, 20, 5e-3)
    apart(start)
    version = ".".join(tf.__version__.split(".")[:2])
    copy = keras.models.clone_model(start)
    copy.set_weights(start.get_weights())
    keep(f"float-{version}.h5", fit(copy, image, y))
    trained = fit(quantization.quantize_model(start), image, y)
    keep(f"qat-{version}.h5", trained)
    keep(f"qat-{version}.keras", trained)
    annotate = quantization.quantize_annotate_layer
    parts = keras.models.clone_model(
        copy, clone_function=lambda layer: annotate(layer) if layer.name in {"conv", "point"} else layer
    )
    keep("partial.h5", fit(quantization.quantize_apply(parts), image, y, 2))
    pruned = sparsity.prune_low_magnitude(copy, sparsity.ConstantSparsity(0.5, 0, frequency=5))
    keep("pruned.h5", fit(pruned, image, y, 2, callbacks=[sparsity.UpdatePruningStep()]))
    centroids = clustering.CentroidInitialization.LINEAR
    clusters = clustering.cluster_weights(
        sparsity.strip_pruning(pruned), number_of_clusters=8, cluster_centroids_init=centroids
    )
    keep("clustered.h5", fit(clusters, image, y, 2))
    stripped = quantization.quantize_annotate_model(clustering.strip_clustering(clusters))
    preserving = tfmot.experimental.combine.Default8BitClusterPreserveQuantizeScheme()
    keep("cqat.h5", fit(quantization.quantize_apply(stripped, preserving), image, y, 2))
    again(folder)
    flat, dense = keras.layers.Flatten(input_shape=(8, 8, 1)), keras.layers.Dense(10, name="digit")
    with quantization.quantize_scope({"Doubled": Doubled}):
        custom = quantization.quantize_apply(keras.Sequential([annotate(flat), annotate(dense, Doubled())]))
    keep("custom.h5", fit(custom, image, y, 1))
    tf.saved_model.save(custom, str(folder / "custom"))
    np.savez_compressed(folder / f"expected-{version}.npz", **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
