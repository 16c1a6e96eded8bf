"""keras.applications at small sizes: random weights, batch-norm statistics of data, a fitted head.

A random network behind batch norms enlarges each difference from layer to layer, which a trained one does not: noise of
one step of a pixel makes other classes of half of the images, and eight bits are such noise. So the norms lie where the
activations are nearly linear, and the classes are such that the largest directions of the features tell them apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.models.architecture import TEST, Example, Keras, architecture
from benchmarks.models.data import scenes
from benchmarks.models.fit import layers_of, settle

# As the documentation of keras.applications says it for each: 0..255 with a Rescaling inside, or -1..1.
_PIXELS = "[[inputs]]\nname = 'image'\nkind = 'image'\n"
_NORMALIZED = _PIXELS + "mean = [127.5]\nstd = [127.5]\n"
_LABEL = "[[outputs]]\nname = 'label'\nkind = 'classes'\n"


SHARP = 6.0  # the spread of the logits
TINTS = np.array(
    [[1, 1, 1], [1, 0.4, 0.4], [0.4, 1, 0.4], [0.4, 0.4, 1], [0.4, 0.4, 0.4]], np.float32
)  # of the classes


def _classifier(keras: Keras, name: str, *, size: int = 64, inside: bool = False, **options: Any) -> Example:
    """Return an application behind an input `image` of 0..255 (where it rescales inside) or -1..1, with 5 classes."""
    seen = scenes(size)
    tinted = seen.images * TINTS[seen.labels][:, None, None]
    images = tinted * 255 if inside else tinted * 2 - 1
    image = keras.Input((size, size, 3), name="image")
    body = getattr(keras.applications, name)(
        include_top=False, weights=None, input_tensor=image, pooling="avg", **options
    )
    model = keras.Model(image, keras.layers.Dense(5, activation="softmax", name="label")(body.output))
    _calm(keras, model)
    settle(keras, model, images[:-TEST])
    _fit_head(keras, model, "label", images[:-TEST], seen.labels[:-TEST])
    return Example(model, {"image": images}, ("label",), tables=(_PIXELS if inside else _NORMALIZED) + _LABEL)


def _calm(keras: Keras, model: Any) -> None:
    """Lay what batch norms give to where an activation is nearly linear: around 1, with half the spread."""
    for layer in layers_of(model):
        if isinstance(layer, keras.layers.BatchNormalization):
            # A norm that does not scale or shift has no such weight.
            for wanted, name in ((0.5, "gamma"), (1.0, "beta")):
                weight = getattr(layer, name, None)
                if weight is not None:
                    weight.assign(np.full(weight.shape, wanted, np.float32))


def _fit_head(keras: Keras, model: Any, name: str, inputs: np.ndarray, labels: np.ndarray) -> None:
    """Set the dense layer of that name to a ridge regression from its features [N, F] to the classes [N]."""
    head = model.get_layer(name)
    features = np.asarray(keras.Model(model.input, head.input)(inputs, training=False), np.float64)
    wanted = np.eye(head.units)[labels] - 1 / head.units
    mean = features.mean(axis=0)
    centered = features - mean
    # The dual form: there are fewer samples than features.
    gram = centered @ centered.T
    ridge = 0.1 * np.trace(gram) / len(gram) * np.eye(len(gram))
    kernel = centered.T @ np.linalg.solve(gram + ridge, wanted)
    kernel *= SHARP * wanted.std() / (centered @ kernel).std()
    head.set_weights([kernel.astype(np.float32), (-mean @ kernel).astype(np.float32)])


@architecture("MobileNet", keras=(2,))
def mobilenet(keras: Keras) -> Example:
    """Return the first MobileNet, half as wide."""
    return _classifier(keras, "MobileNet", alpha=0.5)


@architecture("MobileNetV2")
def mobilenet_v2(keras: Keras) -> Example:
    """Return MobileNetV2, half as wide."""
    return _classifier(keras, "MobileNetV2", alpha=0.5)


@architecture("MobileNetV3Small", keras=(2, 3))
def mobilenet_v3_small(keras: Keras) -> Example:
    """Return MobileNetV3Small: hard-swish and squeeze-excite."""
    return _classifier(keras, "MobileNetV3Small", inside=True)


@architecture("EfficientNetB0", keras=(2, 3))
def efficientnet_b0(keras: Keras) -> Example:
    """Return EfficientNetB0: swish, squeeze-excite, a Normalization inside."""
    return _classifier(keras, "EfficientNetB0", inside=True)


@architecture("EfficientNetV2B0")
def efficientnet_v2_b0(keras: Keras) -> Example:
    """Return EfficientNetV2B0."""
    return _classifier(keras, "EfficientNetV2B0", inside=True)


@architecture("DenseNet121")
def densenet121(keras: Keras) -> Example:
    """Return DenseNet121."""
    return _classifier(keras, "DenseNet121")


@architecture("ResNet50", keras=(2,))
def resnet50(keras: Keras) -> Example:
    """Return ResNet50."""
    return _classifier(keras, "ResNet50")


@architecture("ResNet50V2")
def resnet50_v2(keras: Keras) -> Example:
    """Return ResNet50V2."""
    return _classifier(keras, "ResNet50V2")


@architecture("InceptionV3")
def inception_v3(keras: Keras) -> Example:
    """Return InceptionV3 at its smallest size."""
    return _classifier(keras, "InceptionV3", size=75)


@architecture("Xception", keras=(2,))
def xception(keras: Keras) -> Example:
    """Return Xception at its smallest size."""
    return _classifier(keras, "Xception", size=71)


@architecture("NASNetMobile")
def nasnet_mobile(keras: Keras) -> Example:
    """Return NASNetMobile."""
    return _classifier(keras, "NASNetMobile")


@architecture("ConvNeXtTiny")
def convnext_tiny(keras: Keras) -> Example:
    """Return ConvNeXtTiny: LayerNormalization, GELU, layers of its own in Keras."""
    return _classifier(keras, "ConvNeXtTiny", inside=True)
