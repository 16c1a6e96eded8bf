"""Models as users train them, that a converter stumbles over; each with what Keras itself outputs.

Runs inside a toolchain's Python: `python trained_models.py KIND FOLDER`, as source_models.written does it. A kind
"2:..." is of Keras 2.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Arrays = Mapping[str, Any]


def save(folder: Path, model: Any, inputs: Arrays, calibration: Arrays | None = None, plain: Any = None) -> None:
    """Write model.keras or model.h5, and expected.npz with the outputs of `plain`, else of the model, sample by sample.

    calibration: written as calibration.npz.
    """
    import numpy as np

    source = plain or model
    count = len(next(iter(inputs.values())))
    rows = []
    for i in range(count):
        row = [value[i : i + 1] for value in inputs.values()]
        rows.append(source(row[0] if len(row) == 1 else row, training=False))
    names = model.output_names
    if len(names) == 1:
        outputs: dict[str, Any] = {names[0]: np.concatenate([np.asarray(row) for row in rows])}
    else:
        outputs = {name: np.concatenate([np.asarray(row[at]) for row in rows]) for at, name in enumerate(names)}
    arrays: dict[str, Any] = {f"input/{name}": value for name, value in inputs.items()}
    np.savez(folder / "expected.npz", **arrays, **{f"output/{name}": value for name, value in outputs.items()})
    if calibration is not None:
        np.savez(folder / "calibration.npz", **calibration)
    model.save(folder / ("model.h5" if sys.argv[1].startswith("2:") else "model.keras"))


def keras() -> Any:
    """Return the Keras of the kind that the command line names."""
    if sys.argv[1].startswith("2:"):
        import tf_keras

        return tf_keras
    import keras

    return keras


def images(count: int, height: int, width: int, seed: int) -> Any:
    """Return smooth images in 0..1: [count, height, width, 3] float32."""
    import numpy as np

    rng = np.random.default_rng(seed)
    waves = rng.uniform(0.5, 3, (count, 1, 1, 3))
    shift = rng.uniform(0, 6, (count, 1, 1, 3))
    y, x = np.linspace(0, 3, height)[None, :, None, None], np.linspace(0, 3, width)[None, None, :, None]
    return (0.5 + 0.5 * np.sin(waves * (x + 0.7 * y) + shift)).astype(np.float32)


def swish(folder: Path) -> None:
    """`image` -> `scores`: silu as an argument, as a layer, and behind a Dense."""
    layers = keras().layers
    image = layers.Input((16, 16, 3), name="image")
    x = layers.Conv2D(8, 3, activation="swish")(image)
    x = layers.Activation("swish")(layers.Conv2D(8, 3)(x))
    x = layers.Dense(8, activation="swish")(layers.GlobalAveragePooling2D()(x))
    model = keras().Model(image, layers.Dense(4, name="scores")(x))
    save(folder, model, {"image": images(6, 16, 16, 1)}, {"image": images(64, 16, 16, 2)})


def _halves(policy: str) -> Any:
    library = keras()
    layers = library.layers
    library.utils.set_random_seed(7)
    library.mixed_precision.set_global_policy(policy)
    image = layers.Input((16, 16, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, use_bias=False)(image)
    x = layers.LayerNormalization()(layers.ReLU()(layers.BatchNormalization()(x)))
    x = layers.MultiHeadAttention(2, 4)(x, x)  # Keras 2 calls one of its arguments `value`
    model = library.Model(image, layers.Dense(4, name="scores")(layers.GlobalAveragePooling2D()(x)))
    library.mixed_precision.set_global_policy("float32")
    return model


def precision(folder: Path, policy: str) -> None:
    """`image` -> `scores`, made under a policy; expected is the same network in float32."""
    model, plain = _halves(policy), _halves("float32")
    plain.set_weights([weight.astype("float32") for weight in model.get_weights()])
    save(folder, model, {"image": images(6, 16, 16, 1)}, {"image": images(64, 16, 16, 2)}, plain)
    if not sys.argv[1].startswith("2:"):
        model.export(str(folder / "exported"))


def ids(folder: Path) -> None:
    """`user` of 500, `item` of 30, `hour` of 24, int32 [1] each -> `score`; expected.npz has the ids as they come."""
    import numpy as np

    layers = keras().layers
    sizes = {"user": 500, "item": 30, "hour": 24}
    inputs = [layers.Input((1,), dtype="int32", name=name) for name in sizes]
    towers = [layers.Flatten()(layers.Embedding(n, 4)(x)) for n, x in zip(sizes.values(), inputs, strict=True)]
    model = keras().Model(inputs, layers.Dense(1, activation="sigmoid", name="score")(layers.Concatenate()(towers)))
    rng = np.random.default_rng(3)
    data: dict[str, Any] = {name: rng.integers(0, n, (24, 1)).astype(np.int32) for name, n in sizes.items()}
    save(folder, model, data, data)
    np.savez(folder / "beyond.npz", **{**data, "item": data["item"] + 10})


def apart(folder: Path) -> None:
    """`low` holds ids 0..9 and `high` ids 1000..1009, int32 [1] each -> `score`: no id is both's."""
    import numpy as np

    layers = keras().layers
    low, high = (layers.Input((1,), dtype="int32", name=name) for name in ("low", "high"))
    towers = [layers.Flatten()(layers.Embedding(10, 4)(low)), layers.Flatten()(layers.Embedding(1010, 4)(high))]
    model = keras().Model([low, high], layers.Dense(2, name="score")(layers.Concatenate()(towers)))
    rng = np.random.default_rng(3)
    data = {name: (rng.integers(0, 10, (24, 1)) + at).astype(np.int32) for name, at in (("low", 0), ("high", 1000))}
    save(folder, model, data, data)


def text(folder: Path) -> None:
    """`review`, text -> `mood`, and `stars` [2]; expected.npz has what the layer `words` gives in place of the text."""
    import numpy as np

    layers = keras().layers
    review, stars = layers.Input((), dtype="string", name="review"), layers.Input((2,), name="stars")
    words = layers.TextVectorization(output_sequence_length=5, vocabulary=["fine", "dull", "plot"], name="words")
    found = words(review)
    x = layers.Concatenate()([layers.GlobalAveragePooling1D()(layers.Embedding(8, 4)(found)), stars])
    model = keras().Model([review, stars], layers.Dense(2, name="mood")(x))
    reviews = np.array(["fine plot", "dull dull plot", "fine", "what a plot"])
    rng = np.random.default_rng(3)
    numbers = rng.normal(size=(4, 2)).astype(np.float32)
    outputs = np.concatenate([np.asarray(model([reviews[i : i + 1], numbers[i : i + 1]])) for i in range(4)])
    model.save(folder / "model.keras")
    inside = np.asarray(words(reviews)).astype(np.int64)
    arrays: dict[str, Any] = {"input/words": inside, "input/stars": numbers, "output/mood": outputs}
    np.savez(folder / "expected.npz", **arrays)


def keys(folder: Path) -> None:
    """`country`, keys of a table or none, int64 [3] -> `risk`, through an IntegerLookup with two buckets beside it."""
    import numpy as np

    layers = keras().layers
    country = layers.Input((3,), dtype="int64", name="country")
    code = layers.IntegerLookup(vocabulary=[44, 10, 900, 7], num_oov_indices=2, name="countries")(country)
    x = layers.Flatten()(layers.Embedding(7, 4)(code))
    model = keras().Model(country, layers.Dense(2, name="risk")(x))
    known = np.random.default_rng(3).choice([44, 10, 900, 7, 5, 6, -3], (16, 3)).astype(np.int64)
    save(folder, model, {"country": known}, {"country": known})


def flags(folder: Path) -> None:
    """`tags`, four of six numbers -> `y`: a multi-hot CategoryEncoding, which counts."""
    import numpy as np

    layers = keras().layers
    tags = layers.Input((4,), dtype="int32", name="tags")
    code = layers.CategoryEncoding(6, output_mode="multi_hot", name="code")(tags)
    model = keras().Model(tags, layers.Dense(3, name="y")(code))
    save(folder, model, data := {"tags": np.random.default_rng(3).integers(0, 6, (40, 4)).astype(np.int32)}, data)


def drawing(folder: Path) -> None:
    """`image` -> `again`, which a sampling layer draws, and `mean`, which it does not. layers.py has the layer."""
    library = keras()
    layers = library.layers
    library.utils.set_random_seed(7)
    code = (
        "import keras\n\n\nclass Sampling(keras.layers.Layer):\n"
        "    def __init__(self, **rest):\n        super().__init__(**rest)\n"
        "        self.seeds = keras.random.SeedGenerator(1)\n\n"
        "    def call(self, inputs):\n        mean, spread = inputs\n"
        "        return mean + spread * keras.random.normal(keras.ops.shape(mean), seed=self.seeds)\n\n\n"
        'CUSTOM_OBJECTS = {"Sampling": Sampling}\n'
    )
    (folder / "layers.py").write_text(code, "utf-8")
    scope: dict[str, Any] = {}
    exec(code, scope)  # noqa: S102 - the layer that the model is made of
    image = layers.Input((8,), name="image")
    mean = layers.Dense(4, name="mean")(image)
    drawn = scope["Sampling"](name="draw")([mean, layers.Dense(4, activation="sigmoid", name="spread")(image)])
    model = library.Model(image, [layers.Dense(8, activation="sigmoid", name="again")(drawn), mean])
    import numpy as np

    save(folder, model, {"image": np.random.default_rng(3).normal(size=(6, 8)).astype(np.float32)})


def counting(folder: Path) -> None:
    """`steps` [1, 5, 3] -> `last`: an LSTM that keeps its state from call to call."""
    import numpy as np

    layers = keras().layers
    steps = layers.Input(batch_shape=(1, 5, 3), name="steps")
    model = keras().Model(steps, layers.Dense(2, name="last")(layers.LSTM(4, stateful=True, name="memory")(steps)))
    save(folder, model, {"steps": np.random.default_rng(3).normal(size=(1, 5, 3)).astype(np.float32)})


def long(folder: Path) -> None:
    """`steps` [any, 3] -> `last`, through an LSTM that sees 300 of them here."""
    import numpy as np

    layers = keras().layers
    steps = layers.Input((None, 3), name="steps")
    model = keras().Model(steps, layers.Dense(2, name="last")(layers.LSTM(4, name="memory")(steps)))
    data = {"steps": np.random.default_rng(3).normal(size=(16, 40, 3)).astype(np.float32)}
    save(folder, model, data, data)


def softplus(folder: Path) -> None:
    """`image` -> `scores`: softplus and SELU of numbers far from zero, between convolutions."""
    layers = keras().layers
    image = layers.Input((16, 16, 3), name="image")
    x = layers.Activation("softplus")(layers.Rescaling(12.0)(layers.Conv2D(12, 3, strides=2)(image)))
    x = layers.Activation("selu")(layers.Conv2D(12, 3)(x))
    model = keras().Model(image, layers.Dense(4, name="scores")(layers.Flatten()(x)))
    save(folder, model, {"image": images(8, 16, 16, 1)}, {"image": images(64, 16, 16, 2)})


def mirrored(folder: Path) -> None:
    """`photo`, from 8 pixels a side -> `styled`: seven of them are mirrored at each edge."""
    import keras as library

    layers = library.layers
    photo = layers.Input((None, None, 3), name="photo")
    x = library.ops.pad(photo, ((0, 0), (7, 7), (7, 7), (0, 0)), mode="reflect")
    styled = layers.Conv2D(3, 7, activation="tanh", name="styled")(layers.Conv2D(8, 9, activation="relu")(x))
    save(folder, library.Model(photo, styled), {"photo": images(4, 24, 40, 1)})


def summed(folder: Path) -> None:
    """`photo` of any size -> `total`, a sum over the image: what is larger gives more. expected.npz is of 96 x 96."""
    import keras as library

    layers = library.layers
    photo = layers.Input((None, None, 3), name="photo")
    x = layers.Conv2D(8, 3, strides=2, activation="relu")(layers.Conv2D(8, 3, activation="relu")(photo))
    total = layers.Dense(5, name="total")(library.ops.sum(x, axis=(1, 2)) / 100.0)
    save(folder, library.Model(photo, total), {"photo": images(6, 96, 96, 1)}, {"photo": images(40, 32, 32, 2)})


def causal(folder: Path) -> None:
    """`ids` of any length -> `next`: one block of causal attention."""
    import numpy as np

    layers = keras().layers
    ids = layers.Input((None,), dtype="int32", name="ids")
    x = layers.Embedding(50, 16)(ids)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 8)(x, x, use_causal_mask=True))
    model = keras().Model(ids, layers.Dense(50, name="next")(x + layers.Dense(16, activation="gelu")(x)))
    save(folder, model, {"ids": np.random.default_rng(3).integers(0, 50, (6, 12)).astype(np.int32)})


def unet(folder: Path) -> None:
    """`photo`, multiples of 4 a side -> `mask`: two poolings, and back up by nearest and by bilinear neighbours."""
    layers = keras().layers
    photo = layers.Input((None, None, 3), name="photo")
    top = layers.Conv2D(4, 3, padding="same", activation="relu")(photo)
    middle = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.MaxPooling2D()(top))
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.MaxPooling2D()(middle))
    x = layers.Concatenate()([layers.UpSampling2D()(x), middle])
    x = layers.Concatenate()([layers.UpSampling2D(interpolation="bilinear")(x), top])
    model = keras().Model(photo, layers.Conv2D(2, 1, activation="softmax", name="mask")(x))
    save(folder, model, {"photo": images(4, 32, 48, 1)}, {"photo": images(20, 32, 48, 2)})


def loudest(folder: Path) -> None:
    """`sound` [64] -> `level` [4]: scaled by the loudest sample of the whole batch, as some mel layers are."""
    import keras as library
    import numpy as np

    layers = library.layers
    sound = layers.Input((64,), name="sound")
    scaled = sound / library.ops.max(library.ops.abs(sound))
    model = library.Model(sound, layers.Dense(4, name="level")(scaled))
    rng = np.random.default_rng(3)
    sounds = rng.normal(size=(16, 64)) * rng.uniform(0.1, 4, (16, 1))
    save(folder, model, {"sound": sounds.astype(np.float32)}, {"sound": sounds.astype(np.float32)})


def spectrum(folder: Path) -> None:
    """`audio` [1600] -> `word`: a Fourier transform of 400 in the layer `spectrum`, whose code is layers.py."""
    import numpy as np

    layers = keras().layers
    code = (
        "import tensorflow as tf\nfrom keras import layers\n\n\nclass Spectrum(layers.Layer):\n"
        "    def call(self, inputs):\n        return tf.abs(tf.signal.stft(inputs, 400, 160, fft_length=400))\n\n\n"
        'CUSTOM_OBJECTS = {"Spectrum": Spectrum}\n'
    )
    (folder / "layers.py").write_text(code, "utf-8")
    (folder / "padded.py").write_text(code.replace("fft_length=400", "fft_length=512"), "utf-8")
    scope: dict[str, Any] = {}
    exec(code, scope)  # noqa: S102 - the layer that the model is made of
    audio = layers.Input((1600,), name="audio")
    x = layers.GlobalAveragePooling1D()(scope["Spectrum"](name="spectrum")(audio))
    model = keras().Model(audio, layers.Softmax(name="word")(x))
    save(folder, model, {"audio": np.random.default_rng(3).normal(size=(4, 1600)).astype(np.float32)})


def log_mel(folder: Path) -> None:
    """`audio` [4000] -> `word` [4]: the logarithm of a mel spectrum, and a convolution. layers.py has the spectrum."""
    layers = keras().layers
    code = (
        "import tensorflow as tf\nfrom keras import layers\n\n\nclass Mel(layers.Layer):\n"
        "    def call(self, inputs):\n        power = tf.abs(tf.signal.stft(inputs, 256, 128)) ** 2\n"
        "        filters = tf.signal.linear_to_mel_weight_matrix(20, 129, 8000, 80.0, 3800.0)\n"
        "        return tf.math.log(tf.maximum(tf.matmul(power, filters), 1e-10)) / 10\n\n\n"
        'CUSTOM_OBJECTS = {"Mel": Mel}\n'
    )
    (folder / "layers.py").write_text(code, "utf-8")
    scope: dict[str, Any] = {}
    exec(code, scope)  # noqa: S102 - the layer that the model is made of
    audio = layers.Input((4000,), name="audio")
    x = layers.Conv1D(16, 3, activation="relu")(scope["Mel"](name="mel")(audio))
    model = keras().Model(audio, layers.Dense(4, name="word")(layers.Flatten()(x)))
    save(folder, model, {"audio": _tones(8, 3)}, {"audio": _tones(64, 4)})


def decoder(folder: Path) -> None:
    """`code` [8, 8, 3] -> `image` [16, 16, 6], `line` [17, 6]: transposed convolutions and a number for all."""
    lib = keras()
    layers = lib.layers
    lib.utils.set_random_seed(7)
    code = layers.Input((8, 8, 3), name="code")
    up = layers.Conv2DTranspose(6, 3, strides=2, padding="same", use_bias=False)(code)
    image = layers.Rescaling(2.0, offset=0.25, name="image")(up)
    line = layers.Conv1DTranspose(6, 3, strides=2, use_bias=False)(layers.Reshape((8, 24))(code))
    line = layers.Rescaling(0.5, offset=-3.0, name="line")(line)
    model = lib.Model(code, [image, line])
    save(folder, model, {"code": images(6, 8, 8, 1)}, {"code": images(64, 8, 8, 2)})


def levels(folder: Path) -> None:
    """`power` [8], positive numbers -> `level` [3]: a logarithm, which negative numbers have not."""
    import numpy as np

    lib = keras()
    power = lib.layers.Input((8,), name="power")
    level = lib.ops.log(power + 1e-10)
    model = lib.Model(power, lib.layers.Dense(3, name="level")(level))
    save(folder, model, {"power": np.random.default_rng(3).uniform(0, 1, (6, 8)).astype(np.float32)})


def towers(folder: Path) -> None:
    """`user` [6], `item` [6] -> `likes` [1]: the product of what a Dense makes of each."""
    import numpy as np

    lib = keras()
    lib.utils.set_random_seed(7)
    inputs = [lib.layers.Input((6,), name=name) for name in ("user", "item")]
    sides = [lib.layers.Dense(8, activation="tanh")(tensor) for tensor in inputs]
    model = lib.Model(inputs, lib.layers.Dot(axes=-1, name="likes")(sides))
    numbers = np.random.default_rng(3).normal(size=(2, 70, 6)).astype(np.float32)
    named = dict(zip(("user", "item"), numbers, strict=True))
    save(
        folder,
        model,
        {name: rows[:6] for name, rows in named.items()},
        {name: rows[6:] for name, rows in named.items()},
    )


def unlike(folder: Path) -> None:
    """`x` [8], each number a quarter of the next -> `y`, to which each adds alike: 8 bits keep the largest alone."""
    import numpy as np

    layers = keras().layers
    x = layers.Input((8,), name="x")
    layer = layers.Dense(1, name="y")
    model = keras().Model(x, layer(x))
    scales = 4.0 ** np.arange(8)
    layer.set_weights([1 / scales[:, None].astype(np.float32), np.zeros(1, np.float32)])
    numbers = (np.random.default_rng(3).normal(size=(64, 8)) * scales).astype(np.float32)
    save(folder, model, {"x": numbers[:8]}, {"x": numbers})


def _tones(count: int, seed: int) -> Any:
    """Return sounds [count, 4000] of one tone and a little noise each, loud and soft ones."""
    import numpy as np

    rng = np.random.default_rng(seed)
    pitch, loud = rng.uniform(200, 3000, (count, 1)), np.exp(rng.uniform(-4, 0, (count, 1)))
    tones = loud * np.sin(2 * np.pi * pitch * np.arange(4000) / 8000)
    return (tones + 0.01 * rng.normal(size=tones.shape)).astype(np.float32)


KINDS: dict[str, Callable[[Path], None]] = {
    "swish": swish,
    "ids": ids,
    "apart": apart,
    "text": text,
    "keys": keys,
    "flags": flags,
    "drawing": drawing,
    "counting": counting,
    "long": long,
    "softplus": softplus,
    "mirrored": mirrored,
    "summed": summed,
    "causal": causal,
    "unet": unet,
    "loudest": loudest,
    "spectrum": spectrum,
    "log_mel": log_mel,
    "decoder": decoder,
    "towers": towers,
    "levels": levels,
    "unlike": unlike,
}

if __name__ == "__main__":
    kind, out = sys.argv[1].removeprefix("2:"), Path(sys.argv[2])
    keras().utils.set_random_seed(7)
    if kind in KINDS:
        KINDS[kind](out)
    else:
        precision(out, kind)
