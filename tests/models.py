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
    """Return `image` [N, 8, 8, 1] -> `digit` [N, 10]: a convolution and a softmax with decided answers."""
    import keras

    keras.utils.set_random_seed(7)
    image = keras.Input((8, 8, 1), name="image")
    return keras.Model(image, _classify(image), name="tiny")


def two_in_three_out() -> Any:
    """Return `picture` [N, 8, 8, 1], `context` [N, 4] -> `digit` [N, 10], `box` [N, 4], `embedding` [N, 16].

    Neither the inputs nor the outputs are in alphabetical order, and no two outputs have one range.
    """
    import keras

    keras.utils.set_random_seed(7)
    picture = keras.Input((8, 8, 1), name="picture")
    context = keras.Input((4,), name="context")
    features = keras.layers.Conv2D(8, 3, activation="relu", name="conv")(picture)
    both = keras.layers.Concatenate(name="both")([keras.layers.Flatten(name="flat")(features), context])
    digit = _scores(both)
    box = keras.layers.Dense(4, activation="sigmoid", name="box")(both)
    embedding = keras.layers.Dense(16, name="embedding")(both)
    return keras.Model([picture, context], [digit, box, embedding], name="two_in_three_out")


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
    try:
        import tf_keras
    except ModuleNotFoundError:
        import keras as tf_keras

    tf_keras.utils.set_random_seed(7)
    image = tf_keras.Input((8, 8, 1), name="image")
    x = tf_keras.layers.DepthwiseConv2D(3, depth_multiplier=8, activation="relu", name="depthwise")(image)
    x = tf_keras.layers.Flatten(name="flat")(x)
    wide = tf_keras.initializers.RandomNormal(stddev=0.5, seed=7)
    digit = tf_keras.layers.Dense(10, activation="softmax", kernel_initializer=wide, name="digit")(x)
    return tf_keras.Model(image, digit, name="keras2")


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


def _scores(x: Any) -> Any:
    import keras

    # Wide weights: an untrained model is undecided otherwise, and rounding would flip its answers.
    wide = keras.initializers.RandomNormal(stddev=0.5, seed=7)
    return keras.layers.Dense(10, activation="softmax", kernel_initializer=wide, name="digit")(x)


KINDS: dict[str, Callable[[], Any]] = {
    "tiny": tiny,
    "tiny_h5": tiny,
    "two_in_three_out": two_in_three_out,
    "lambda": with_lambda,
    "crash": crash,
    "hungry": hungry,
    "keras2_h5": keras2,
    "keras2_zip": keras2,
    "keras2_v3": keras2,
}

if __name__ == "__main__":
    # What TensorFlow 2.12 calls its first zip format; save("x.keras") alone writes HDF5 there.
    KINDS[sys.argv[1]]().save(sys.argv[2], **({"save_format": "keras_v3"} if sys.argv[1] == "keras2_v3" else {}))
