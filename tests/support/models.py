"""Write source models for tests. Knows how each is built; no test's own process ever imports TensorFlow.

The host calls keras3_model(), which runs this same file inside a toolchain's Python: so the top of this
module is standard library only.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def keras3_model(python: Path, path: Path, kind: str) -> Path:
    """Write the source model `kind` (a key of KINDS) to path with a toolchain's Python, and return path.

    The file is made once for each Python and each content of this module, then copied. Raises RuntimeError
    with the end of the log where that Python cannot make it.
    """
    from third_party import cache_folder

    maker = Path(__file__)
    key = hashlib.sha256(maker.read_bytes() + os.fsencode(python)).hexdigest()[:16]
    cached = cache_folder() / "models" / key / (f"{kind}.h5" if kind.endswith("_h5") else f"{kind}.keras")
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent) as folder:
            fresh = Path(folder) / cached.name
            _run([str(python), str(maker), kind, str(fresh)], legacy=kind.startswith("keras2"))
            fresh.replace(cached)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cached.read_bytes())
    return path


def _run(argv: list[str], legacy: bool) -> None:
    # Without DROPKIT_JOB: the models that misbehave in the worker must not do so while they are written.
    env = {name: value for name, value in os.environ.items() if name not in {"DROPKIT_JOB", "PYTHONPATH"}}
    env |= {"TF_CPP_MIN_LOG_LEVEL": "2", "TF_USE_LEGACY_KERAS": "1" if legacy else "0"}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: exit status {done.returncode}\n{done.stderr[-2000:]}")


def tiny() -> Any:
    """Return `image` [N, 8, 8, 1] -> `digit` [N, 10]: a convolution and a softmax with decided outputs."""
    import keras

    keras.utils.set_random_seed(7)
    image = keras.Input((8, 8, 1), name="image")
    return keras.Model(image, _classify(image), name="tiny")


def two_in_three_out() -> Any:
    """Return `image` [N, 8, 8, 1], `context` [N, 4] -> `digit` [N, 10], `box` [N, 4], `embedding` [N, 16].

    Neither the inputs nor the outputs are in alphabetical order, and no two outputs have one range.
    """
    import keras

    keras.utils.set_random_seed(7)
    image = keras.Input((8, 8, 1), name="image")
    context = keras.Input((4,), name="context")
    features = keras.layers.Conv2D(8, 3, activation="relu", name="conv")(image)
    both = keras.layers.Concatenate(name="both")([keras.layers.Flatten(name="flat")(features), context])
    digit = _scores(both)
    box = keras.layers.Dense(4, activation="sigmoid", name="box")(both)
    embedding = keras.layers.Dense(16, name="embedding")(both)
    return keras.Model([image, context], [digit, box, embedding], name="two_in_three_out")


def digits_rgb() -> Any:
    """Return `image` [N, 8, 8, 3] -> `digit` [N, 10]: the trained digits, behind the mean of three colours."""
    import keras
    import numpy as np

    trained = keras.saving.load_model(Path(__file__).parent.parent.parent / "examples" / "digits" / "digits.keras")
    image = keras.Input((8, 8, 3), name="image")
    gray = keras.layers.Conv2D(1, 1, use_bias=False, name="gray")
    scores = trained(gray(image))
    gray.set_weights([np.full((1, 1, 3, 1), 1 / 3, np.float32)])
    return keras.Model(image, keras.layers.Identity(name="digit_of_rgb")(scores), name="digits_rgb")


def with_lambda() -> Any:
    """Return the tiny model behind a harmless Lambda layer: loading it still runs code from the file."""
    return _behind_lambda(lambda x: x * 2.0)


def crash() -> Any:
    """Return the tiny model behind a Lambda layer that aborts where DROPKIT_JOB is set (the worker)."""
    return _behind_lambda(
        lambda x: (__import__("os").abort(), x)[1] if "DROPKIT_JOB" in __import__("os").environ else x
    )


def hungry() -> Any:
    """Return the tiny model behind a Lambda layer that fills 12 GiB where DROPKIT_JOB is set (the worker).

    More than a test's memory limit, yet not endless: where the limit fails, the test must, not the machine.
    """
    return _behind_lambda(
        # Filled, not only reserved: untouched pages do not count.
        lambda x: ([b"x" * (1 << 26) for _ in range(192)], x)[1] if "DROPKIT_JOB" in __import__("os").environ else x
    )


def keras2() -> Any:
    """Return `image` [N, 8, 8, 1] -> `digit` [N, 10] of Keras 2; Keras 3 cannot read its DepthwiseConv2D.

    Keras 2 is tf_keras beside Keras 3, and `keras` itself up to TensorFlow 2.15.
    """
    tf_keras = keras_of(legacy=True)
    tf_keras.utils.set_random_seed(7)
    image = tf_keras.Input((8, 8, 1), name="image")
    x = tf_keras.layers.DepthwiseConv2D(3, depth_multiplier=8, activation="relu", name="depthwise")(image)
    x = tf_keras.layers.Flatten(name="flat")(x)
    wide = tf_keras.initializers.RandomNormal(stddev=0.5, seed=7)
    digit = tf_keras.layers.Dense(10, activation="softmax", kernel_initializer=wide, name="digit")(x)
    return tf_keras.Model(image, digit, name="keras2")


def many() -> Any:
    """Return `zeta`, `alpha`, `mid`, `beta` [N, 6] -> six outputs [N, 4]: all of one shape, in no order of names."""
    keras = _keras()
    keras.utils.set_random_seed(7)
    inputs = [keras.Input((6,), name=name) for name in ("zeta", "alpha", "mid", "beta")]
    # A layer of its own for each: they weigh differently in every output.
    both = keras.layers.Concatenate(name="both")(
        [keras.layers.Dense(5, activation="tanh", name=f"take_{i}")(x) for i, x in enumerate(inputs)]
    )
    hidden = keras.layers.Dense(4, activation="tanh", name="hidden")(both)
    names = ("out_z", "out_a", "out_10", "out_m", "out_9", "out_b")
    return keras.Model(inputs, [keras.layers.Dense(4, name=name)(hidden) for name in names], name="many")


def hostile() -> Any:
    """Return inputs `my input é`, `class` [N, 6] -> outputs `0digit`, `fun.1` [N, 3]: names that no language takes."""
    import keras

    keras.utils.set_random_seed(7)
    first, second = keras.Input((6,), name="my input é"), keras.Input((6,), name="class")
    outputs = [keras.layers.Dense(3, name="0digit")(second), keras.layers.Dense(3, name="fun.1")(first)]
    return keras.Model([first, second], outputs, name="hostile")


def head() -> Any:
    """Return `image` [N, 8, 8, 1] -> `digit` [N, 10]: a convolution with batch normalization, and a head `digit`."""
    keras = _keras()
    keras.utils.set_random_seed(7)
    image = keras.Input((8, 8, 1), name="image")
    x = keras.layers.Conv2D(8, 3, use_bias=False, name="conv")(image)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Dropout(0.5, name="drop")(keras.layers.ReLU(name="relu")(x))
    digit = keras.layers.Dense(10, activation="softmax", name="digit")(keras.layers.Flatten(name="flat")(x))
    return keras.Model(image, digit, name="head")


def gru() -> Any:
    """Return `sequence` [N, any, 5] -> `score` [N, 3] through a bidirectional GRU."""
    keras = _keras()
    keras.utils.set_random_seed(7)
    sequence = keras.Input((None, 5), name="sequence")
    x = keras.layers.Bidirectional(keras.layers.GRU(8), name="both_ways")(sequence)
    return keras.Model(sequence, keras.layers.Dense(3, name="score")(x), name="gru")


def tags() -> Any:
    """Return `sensors` [N, any, 6] -> `tags` [N, any, 3]: a GRU that says something of every step."""
    keras = _keras()
    keras.utils.set_random_seed(7)
    sensors = keras.Input((None, 6), name="sensors")
    x = keras.layers.GRU(12, return_sequences=True, name="steps")(sensors)
    return keras.Model(sensors, keras.layers.Dense(3, activation="softmax", name="tags")(x), name="tags")


def stream() -> Any:
    """Return `series` [N, 12, 5] -> `every` [N, 12, 3] and `last` [N, 3]: a masked LSTM with a GRU behind it."""
    keras = _keras()
    keras.utils.set_random_seed(7)
    series = keras.Input((12, 5), name="series")
    x = keras.layers.Masking(0.0, name="masking")(series)
    x = keras.layers.LSTM(8, return_sequences=True, name="lstm")(x)
    every = keras.layers.Dense(3, name="every")(x)
    last = keras.layers.Dense(3, activation="softmax", name="last")(keras.layers.GRU(6, name="gru")(x))
    return keras.Model(series, [every, last], name="stream")


def looking() -> Any:
    """Return `series` [N, any, 5] -> `score` [N, 3]: a convolution over three steps, and a GRU."""
    keras = _keras()
    keras.utils.set_random_seed(7)
    series = keras.Input((None, 5), name="series")
    x = keras.layers.Conv1D(4, 3, padding="same", name="window")(series)
    return keras.Model(series, keras.layers.Dense(3, name="score")(keras.layers.GRU(8, name="gru")(x)), name="looking")


def mirrored() -> Any:
    """Return `image` [N, any, any, 3] -> `map` [N, any, any, 2]: mirrored edges, which no 1 x 1 has."""
    import keras

    keras.utils.set_random_seed(7)
    image = keras.Input((None, None, 3), name="image")
    x = keras.ops.pad(image, [[0, 0], [2, 2], [2, 2], [0, 0]], mode="reflect")
    return keras.Model(image, keras.layers.Conv2D(2, 7, name="map")(x), name="mirrored")


def stateful() -> Any:
    """Return `step` [1, 1, 5] -> `score` [1, 3] through an LSTM that remembers from call to call."""
    keras = _keras()
    keras.utils.set_random_seed(7)
    step = keras.Input(batch_shape=(1, 1, 5), name="step")
    x = keras.layers.LSTM(8, stateful=True, name="memory")(step)
    return keras.Model(step, keras.layers.Dense(3, name="score")(x), name="stateful")


def typed() -> Any:
    """Return `ids` [N, 4] int32, `amount` [N, 1], `flags` [N, 2] bool -> `score` [N, 3]."""
    keras = _keras()
    keras.utils.set_random_seed(7)
    ids = keras.Input((4,), dtype="int32", name="ids")
    amount, flags = keras.Input((1,), name="amount"), keras.Input((2,), dtype="bool", name="flags")
    words = keras.layers.Flatten(name="flat")(keras.layers.Embedding(1000, 8, name="words")(ids))
    parts = [words, amount, keras.ops.cast(flags, "float32")]
    return keras.Model([ids, amount, flags], keras.layers.Dense(3, name="score")(keras.layers.Concatenate()(parts)))


def float_ids() -> Any:
    """Return `ids` [N, 4] float32 -> `score` [N, 3]: an Embedding behind an Input that was given no dtype."""
    keras = _keras()
    keras.utils.set_random_seed(7)
    ids = keras.Input((4,), name="ids")
    words = keras.layers.Flatten(name="flat")(keras.layers.Embedding(1000, 8, name="words")(ids))
    return keras.Model(ids, keras.layers.Dense(3, name="score")(words), name="float_ids")


def erf() -> Any:
    """Return `x` [N, 6] -> `gauss` [N, 4] through an op that TFLite lacks, in a Lambda layer."""
    import keras

    keras.utils.set_random_seed(7)
    x = keras.Input((6,), name="x")
    h = keras.layers.Dense(4, activation="sigmoid", name="squash")(x)
    gauss = keras.layers.Lambda(lambda t: __import__("tensorflow").math.erf(t + 0.0), output_shape=(4,), name="gauss")(
        h
    )
    return keras.Model(x, gauss, name="erf")


def onet() -> Any:
    """Return mtcnn's O-Net with its trained weights: `face` [N, 48, 48, 3] -> `box`, `landmarks`, `score`.

    The weights are in the .npz that DROPKIT_TEST_WEIGHTS names: arrays 0, 1, ... in the order of the layers.
    """
    import numpy as np

    keras = _keras()
    layers = keras.layers
    face = x = keras.Input((48, 48, 3), name="face")
    for at, (filters, size, pool, padding) in enumerate(
        [(32, 3, 3, "same"), (64, 3, 3, "valid"), (64, 3, 2, "same"), (128, 2, 0, "")], 1
    ):
        x = layers.Conv2D(filters, size, name=f"conv{at}")(x)
        x = layers.PReLU(shared_axes=[1, 2], name=f"prelu{at}")(x)
        if pool:
            x = layers.MaxPooling2D(pool, 2, padding=padding, name=f"pool{at}")(x)
    x = layers.Flatten(name="flat")(layers.Permute((2, 1, 3), name="permute")(x))
    x = layers.PReLU(name="prelu5")(layers.Dense(256, name="dense5")(x))
    outputs = [layers.Dense(4, name="box")(x), layers.Dense(10, name="landmarks")(x)]
    model = keras.Model(face, [*outputs, layers.Dense(2, activation="softmax", name="score")(x)], name="onet")
    with np.load(os.environ["DROPKIT_TEST_WEIGHTS"]) as arrays:
        model.set_weights([arrays[str(i)] for i in range(len(arrays.files))])
    return model


def _keras() -> Any:
    """Return Keras 3, or Keras 2 where this process is to write with that."""
    return keras_of(legacy=os.environ.get("TF_USE_LEGACY_KERAS") == "1")


def keras_of(*, legacy: bool) -> Any:
    """Return Keras 2 or 3: tf_keras beside Keras 3, `keras` itself elsewhere."""
    if legacy:
        try:
            import tf_keras
        except ModuleNotFoundError:
            pass
        else:
            return tf_keras
    import keras

    return keras


def _behind_lambda(function: Callable[[Any], Any]) -> Any:
    import keras

    keras.utils.set_random_seed(7)
    image = keras.Input((8, 8, 1), name="image")
    x = keras.layers.Lambda(function, output_shape=(8, 8, 1), name="code")(image)
    return keras.Model(image, _classify(x), name="behind_lambda")


def _classify(x: Any) -> Any:
    import keras

    x = keras.layers.Conv2D(8, 3, activation="relu", name="conv")(x)
    x = keras.layers.Flatten(name="flat")(x)
    return _scores(x)


def between() -> Any:
    """Return `x` [N, 1] -> `y` [N, 1]: up to 1, it gives up to what lies in the middle of two steps of the grid."""
    import keras

    x = keras.Input((1,), name="x")
    exact = keras.initializers.Constant(1 + 0.5 / 256)
    return keras.Model(x, keras.layers.Dense(1, use_bias=False, kernel_initializer=exact, name="y")(x), name="between")


def _scores(x: Any) -> Any:
    import keras

    # Wide weights: an untrained model is undecided otherwise, and rounding would flip its outputs.
    wide = keras.initializers.RandomNormal(stddev=0.5, seed=7)
    return keras.layers.Dense(10, activation="softmax", kernel_initializer=wide, name="digit")(x)


KINDS: dict[str, Callable[[], Any]] = {
    "tiny": tiny,
    "tiny_h5": tiny,
    "digits_rgb": digits_rgb,
    "two_in_three_out": two_in_three_out,
    "between": between,
    "lambda": with_lambda,
    "crash": crash,
    "hungry": hungry,
    "keras2_h5": keras2,
    "keras2_zip": keras2,
    "keras2_v3": keras2,
    "erf": erf,
    "keras2_onet_h5": onet,
    "typed": typed,
    "mirrored": mirrored,
    "hostile": hostile,
    **{
        f"{prefix}{name}{suffix}": make
        for prefix, suffix in (("", ""), ("keras2_", "_h5"))
        for name, make in {
            "many": many,
            "head": head,
            "gru": gru,
            "tags": tags,
            "stream": stream,
            "looking": looking,
            "stateful": stateful,
            "float_ids": float_ids,
        }.items()
    },
}

if __name__ == "__main__":
    # What TensorFlow 2.12 calls its first zip format; save("x.keras") alone writes HDF5 there.
    KINDS[sys.argv[1]]().save(sys.argv[2], **({"save_format": "keras_v3"} if sys.argv[1] == "keras2_v3" else {}))
