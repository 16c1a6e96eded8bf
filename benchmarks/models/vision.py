"""Models that look at images: classifiers of many kinds, segmentation, detection, pose."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.models.architecture import TEST, Example, Keras, architecture
from benchmarks.models.data import Scenes, scenes
from benchmarks.models.fit import settle, train
from benchmarks.models.parts import attend, custom

SPARSE = "sparse_categorical_crossentropy"
LABEL = "[[outputs]]\nname = 'label'\nkind = 'classes'\n"
SIZE = 32


def _trained(keras: Keras, image: Any, features: Any, seen: Scenes, *, epochs: int = 12, rate: float = 3e-3) -> Example:
    """Return a classifier of the scenes' labels behind features [N, F], trained."""
    label = keras.layers.Dense(5, activation="softmax", name="label")(features)
    model = keras.Model(image, label)
    train(model, seen.images, seen.labels, SPARSE, epochs=epochs, rate=rate)
    settle(keras, model, seen.images[:-TEST])
    return Example(model, {"image": seen.images}, ("label",), tables=LABEL)


def _conv(keras: Keras, x: Any, filters: int, *, stride: int = 1, activation: str = "relu") -> Any:
    x = keras.layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
    x = keras.layers.BatchNormalization()(x)
    return keras.layers.Activation(activation)(x)


@architecture("VGG-like", keras=(2,))
def vgg_like(keras: Keras) -> Example:
    """Return stacks of 3x3 convolutions, pooling and wide dense layers with dropout."""
    x = image = keras.Input((SIZE, SIZE, 3), name="image")
    for filters in (16, 32, 64):
        x = _conv(keras, _conv(keras, x, filters), filters)
        x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Dense(128, activation="relu")(keras.layers.Flatten()(x))
    return _trained(keras, image, keras.layers.Dropout(0.2)(x), scenes(SIZE))


@architecture("squeeze-excite")
def squeeze_excite(keras: Keras) -> Example:
    """Return residual blocks whose channels are weighed by two dense layers."""
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = _conv(keras, image, 24, stride=2)
    for _ in range(3):
        inner = _conv(keras, x, 24)
        weight = keras.layers.GlobalAveragePooling2D(keepdims=True)(inner)
        weight = keras.layers.Conv2D(6, 1, activation="relu")(weight)
        weight = keras.layers.Conv2D(24, 1, activation="sigmoid")(weight)
        x = keras.layers.Add()([x, keras.layers.Multiply()([inner, weight])])
    return _trained(keras, image, keras.layers.GlobalAveragePooling2D()(x), scenes(SIZE))


@architecture("depthwise separable")
def depthwise_separable(keras: Keras) -> Example:
    """Return separable convolutions, one dilated, with ReLU6."""
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = _conv(keras, image, 16, stride=2)
    for filters, dilation in ((32, 1), (32, 2), (48, 1)):
        x = keras.layers.SeparableConv2D(filters, 3, padding="same", dilation_rate=dilation, use_bias=False)(x)
        x = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization()(x))
    return _trained(keras, image, keras.layers.GlobalAveragePooling2D()(x), scenes(SIZE))


@architecture("group normalization")
def group_norm(keras: Keras) -> Example:
    """Return weight-free-batch convolutions: GroupNormalization and SiLU."""
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = image
    for filters in (16, 32, 32):
        x = keras.layers.Conv2D(filters, 3, strides=2, padding="same")(x)
        x = keras.layers.Activation("silu")(keras.layers.GroupNormalization(groups=8)(x))
    return _trained(keras, image, keras.layers.GlobalAveragePooling2D()(x), scenes(SIZE))


@architecture("PReLU, ELU, GELU, LeakyReLU, SELU")
def activations(keras: Keras) -> Example:
    """Return a convolution for each activation that has an operator or a formula of its own."""
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = keras.layers.Conv2D(16, 3, strides=2, padding="same")(image)
    x = keras.layers.PReLU(shared_axes=[1, 2])(x)
    x = keras.layers.ELU()(keras.layers.Conv2D(24, 3, padding="same")(x))
    x = keras.layers.Activation("gelu")(keras.layers.Conv2D(24, 3, strides=2, padding="same")(x))
    x = keras.layers.LeakyReLU()(keras.layers.Conv2D(32, 3, padding="same")(x))
    x = keras.layers.Activation("selu")(keras.layers.Conv2D(32, 3, padding="same")(x))
    return _trained(keras, image, keras.layers.GlobalAveragePooling2D()(x), scenes(SIZE))


@architecture("hard-swish, mish, softplus")
def hard_swish(keras: Keras) -> Example:
    """Return activations that Keras 3 has by name."""
    x = image = keras.Input((SIZE, SIZE, 3), name="image")
    for name, filters in (("hard_swish", 16), ("mish", 24), ("softplus", 24), ("hard_sigmoid", 24)):
        x = _conv(keras, x, filters, stride=2 if filters == 16 else 1, activation=name)
    return _trained(keras, image, keras.layers.GlobalAveragePooling2D()(x), scenes(SIZE))


@architecture("capsules", keras=(2,))
def capsules(keras: Keras) -> Example:
    """Return primary capsules, one matrix of votes, and lengths by softmax: all of core layers."""
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = _conv(keras, _conv(keras, image, 16, stride=2), 32, stride=2)
    x = keras.layers.Reshape((8 * 8 * 4, 8))(x)
    x = keras.layers.LayerNormalization()(x)
    votes = keras.layers.Dense(5 * 8)(x)
    routes = keras.layers.Softmax(axis=1)(keras.layers.Dense(5)(x))
    capsule = keras.layers.Dot(axes=(1, 1))([routes, votes])
    return _trained(keras, image, keras.layers.Flatten()(keras.layers.UnitNormalization()(capsule)), scenes(SIZE))


@architecture("MLP-mixer")
def mlp_mixer(keras: Keras) -> Example:
    """Return two mixer blocks over 8x8 patches."""
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = keras.layers.Reshape((64, 32))(keras.layers.Conv2D(32, 4, strides=4)(image))
    for _ in range(2):
        y = keras.layers.Permute((2, 1))(keras.layers.LayerNormalization()(x))
        y = keras.layers.Dense(64)(keras.layers.Dense(48, activation="gelu")(y))
        x = keras.layers.Add()([x, keras.layers.Permute((2, 1))(y)])
        y = keras.layers.Dense(64, activation="gelu")(keras.layers.LayerNormalization()(x))
        x = keras.layers.Add()([x, keras.layers.Dense(32)(y)])
    return _trained(keras, image, keras.layers.GlobalAveragePooling1D()(x), scenes(SIZE))


VIT = '''import keras


@keras.saving.register_keras_serializable("bench")
class Positions(keras.layers.Layer):
    """Add a class token in front and a learned position to each patch."""

    def build(self, shape):
        self.token = self.add_weight(name="token", shape=(1, 1, shape[-1]), initializer="zeros")
        self.where = self.add_weight(name="where", shape=(1, shape[1] + 1, shape[-1]), initializer="random_normal")
        super().build(shape)

    def call(self, x):
        token = keras.ops.repeat(self.token, keras.ops.shape(x)[0], axis=0)
        return keras.ops.concatenate([token, x], axis=1) + self.where


CUSTOM_OBJECTS = {"bench>Positions": Positions}
'''


@architecture("ViT small")
def vit(keras: Keras) -> Example:
    """Return a vision transformer with a class token; its positions are a layer of the user's."""
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = keras.layers.Reshape((64, 48))(keras.layers.Conv2D(48, 4, strides=4)(image))
    x = custom(VIT, "Positions")()(x)
    for _ in range(2):
        x = attend(keras, x, 48)
    x = keras.layers.LayerNormalization()(x)[:, 0]
    example = _trained(keras, image, x, scenes(SIZE), rate=1e-3)
    return Example(example.model, example.samples, example.classes, tables=example.tables, code=VIT)


@architecture("siamese")
def siamese(keras: Keras) -> Example:
    """Return one encoder over two images, and how like they are."""
    seen = scenes(SIZE)
    one = keras.Input((SIZE, SIZE, 3), name="image")
    x = _conv(keras, _conv(keras, one, 16, stride=2), 32, stride=2)
    encoder = keras.Model(one, keras.layers.Dense(16)(keras.layers.GlobalAveragePooling2D()(x)), name="encoder")
    left, right = keras.Input((SIZE, SIZE, 3), name="left"), keras.Input((SIZE, SIZE, 3), name="right")
    like = keras.layers.Dot(axes=-1, normalize=True)([encoder(left), encoder(right)])
    model = keras.Model([left, right], keras.layers.Dense(1, activation="sigmoid", name="same")(like))
    other = np.roll(seen.images, 1, axis=0)
    same = (seen.labels == np.roll(seen.labels, 1)).astype(np.float32)[:, None]
    train(model, [seen.images, other], same, "binary_crossentropy")
    settle(keras, model, [seen.images[:-TEST], other[:-TEST]])  # type: ignore[arg-type]
    return Example(model, {"left": seen.images, "right": other})


@architecture("U-Net", keras=(2,))
def unet(keras: Keras) -> Example:
    """Return a U-Net of three levels: transposed convolutions, skips, a mask."""
    seen = scenes(SIZE)
    x = image = keras.Input((SIZE, SIZE, 3), name="image")
    skips = []
    for filters in (8, 16):
        x = _conv(keras, _conv(keras, x, filters), filters)
        skips.append(x)
        x = keras.layers.MaxPooling2D()(x)
    x = _conv(keras, x, 32)
    for skip, filters in zip(reversed(skips), (16, 8), strict=True):
        x = keras.layers.Conv2DTranspose(filters, 2, strides=2)(x)
        x = _conv(keras, keras.layers.Concatenate()([x, skip]), filters)
    model = keras.Model(image, keras.layers.Conv2D(1, 1, activation="sigmoid", name="mask")(x))
    train(model, seen.images, seen.masks, "binary_crossentropy")
    settle(keras, model, seen.images[:-TEST])
    return Example(model, {"image": seen.images})


@architecture("DeepLab-like, bilinear")
def deeplab(keras: Keras) -> Example:
    """Return atrous convolutions side by side, pooled context, and bilinear upsampling."""
    seen = scenes(SIZE)
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = _conv(keras, _conv(keras, image, 16, stride=2), 24, stride=2)
    branches = [
        keras.layers.Conv2D(16, 3, padding="same", dilation_rate=rate, activation="relu")(x) for rate in (1, 2, 3)
    ]
    context = keras.layers.Conv2D(16, 1, activation="relu")(keras.layers.GlobalAveragePooling2D(keepdims=True)(x))
    branches.append(keras.layers.UpSampling2D(8, interpolation="bilinear")(context))
    x = _conv(keras, keras.layers.Concatenate()(branches), 24)
    x = keras.layers.UpSampling2D(4, interpolation="bilinear")(keras.layers.Conv2D(1, 1)(x))
    model = keras.Model(image, keras.layers.Activation("sigmoid", name="mask")(x))
    train(model, seen.images, seen.masks, "binary_crossentropy")
    settle(keras, model, seen.images[:-TEST])
    return Example(model, {"image": seen.images})


def _boxes(seen: Scenes, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes [N, cells * cells, 4] and objectness [N, cells * cells, 1]: the cell of the blob's centre has it."""
    cell = np.minimum((seen.centers * cells).astype(int), cells - 1)
    there = np.zeros((len(cell), cells, cells, 1), np.float32)
    there[np.arange(len(cell)), cell[:, 0], cell[:, 1]] = 1
    box = np.concatenate([seen.centers, seen.radii[:, None], seen.radii[:, None]], axis=1)
    boxes = np.broadcast_to(box[:, None], (len(box), cells * cells, 4)).astype(np.float32)
    return boxes.copy(), there.reshape(len(cell), -1, 1)


@architecture("SSD head")
def ssd(keras: Keras) -> Example:
    """Return anchors on two levels: boxes and class scores, reshaped and joined."""
    seen = scenes(SIZE)
    image = keras.Input((SIZE, SIZE, 3), name="image")
    fine = _conv(keras, _conv(keras, image, 16, stride=2), 32, stride=2)
    coarse = _conv(keras, fine, 32, stride=2)
    boxes, scores = [], []
    for level, cells in ((fine, 8), (coarse, 4)):
        boxes.append(keras.layers.Reshape((cells * cells, 4))(keras.layers.Conv2D(4, 3, padding="same")(level)))
        score = keras.layers.Conv2D(6, 3, padding="same")(level)
        scores.append(keras.layers.Softmax()(keras.layers.Reshape((cells * cells, 6))(score)))
    outputs = [
        keras.layers.Concatenate(axis=1, name="boxes")(boxes),
        keras.layers.Concatenate(axis=1, name="scores")(scores),
    ]
    model = keras.Model(image, outputs)
    wanted = [_boxes(seen, cells) for cells in (8, 4)]
    box = np.concatenate([pair[0] for pair in wanted], axis=1)
    there = np.concatenate([pair[1] for pair in wanted], axis=1)
    label = np.where(there > 0, seen.labels[:, None, None] + 1, 0)
    train(model, seen.images, [box, label], ["mse", SPARSE])
    settle(keras, model, seen.images[:-TEST])
    return Example(model, {"image": seen.images})


@architecture("YOLO head (SiLU)", keras=(2, 3))
def yolo(keras: Keras) -> Example:
    """Return a SiLU backbone with a split block, nearest upsampling, and decoded boxes with scores."""
    seen = scenes(SIZE)
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = _conv(keras, _conv(keras, image, 16, stride=2, activation="swish"), 32, stride=2, activation="swish")
    half = _conv(keras, x, 16, activation="swish")
    x = keras.layers.Concatenate()([x, half, _conv(keras, half, 16, activation="swish")])
    deep = _conv(keras, x, 48, stride=2, activation="swish")
    x = keras.layers.Concatenate()([keras.layers.UpSampling2D(2)(deep), x])
    x = _conv(keras, x, 32, activation="swish")
    box = keras.layers.Reshape((64, 4))(keras.layers.Conv2D(4, 1, activation="sigmoid")(x))
    there = keras.layers.Reshape((64, 1))(keras.layers.Conv2D(1, 1, activation="sigmoid")(x))
    model = keras.Model(image, keras.layers.Concatenate(name="detections")([box, there]))
    boxes, found = _boxes(seen, 8)
    train(model, seen.images, np.concatenate([boxes, found], axis=-1), "mse")
    settle(keras, model, seen.images[:-TEST])
    return Example(model, {"image": seen.images})


@architecture("pose, heatmaps")
def pose(keras: Keras) -> Example:
    """Return an hourglass that gives a heatmap for each of two points, and the points by a soft argmax."""
    seen = scenes(SIZE)
    image = keras.Input((SIZE, SIZE, 3), name="image")
    fine = _conv(keras, image, 16, stride=2)
    x = _conv(keras, _conv(keras, fine, 32, stride=2), 32)
    x = keras.layers.Add()(
        [keras.layers.UpSampling2D(2, interpolation="bilinear")(x), keras.layers.Conv2D(32, 1)(fine)]
    )
    maps = keras.layers.Conv2D(2, 1, activation="sigmoid", name="heatmaps")(x)
    flat = keras.layers.Softmax(axis=1)(keras.layers.Rescaling(20.0)(keras.layers.Reshape((256, 2))(maps)))
    grid = np.stack(np.meshgrid(np.linspace(0, 1, 16), np.linspace(0, 1, 16), indexing="ij"), -1).reshape(256, 2)
    place = keras.layers.Dense(2, use_bias=False, trainable=False, name="place")
    points = keras.layers.Flatten(name="points")(place(keras.layers.Permute((2, 1))(flat)))
    place.set_weights([grid.astype(np.float32)])
    model = keras.Model(image, [maps, points])
    ends = np.stack([seen.centers, np.clip(seen.centers + seen.radii[:, None] * 0.5, 0, 1)], axis=1)
    off = grid.reshape(1, 16, 16, 1, 2) - ends[:, None, None]
    heat = np.exp(-(off**2).sum(-1) / 0.02).astype(np.float32)
    train(model, seen.images, [heat, ends.reshape(len(ends), 4)], ["mse", "mse"])
    settle(keras, model, seen.images[:-TEST])
    return Example(model, {"image": seen.images})
