"""Write .tflite files with several signatures, open axes and kept variables. No test's process imports TensorFlow.

The host calls write_model(), which runs this same file inside a toolchain's Python: so the top of this module is
standard library only.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

MODEL, EDGES, VECTORS = "model.tflite", "edges.tflite", "vectors.npz"
VECTORS_EACH = 3


def write_model(python: Path, folder: Path) -> None:
    """Write MODEL, EDGES (that signature alone) and VECTORS into folder with a toolchain's Python.

    VECTORS has, as TensorFlow itself outputs, for each signature KEY/input/<name> and KEY/output/<name>, as golden.npz
    has them, edges/pixels/image, and variable/<name>. Raises RuntimeError with the end of the log.
    """
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"TF_CPP_MIN_LOG_LEVEL": "2"}
    argv = [str(python), "-s", __file__, str(folder)]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: exit status {done.returncode}\n{done.stderr[-2000:]}")


Functions = dict[str, tuple[Callable[..., dict[str, Any]], list[Any]]]  # by signature: the function and its specs


def _variables() -> dict[str, Any]:
    import numpy as np
    import tensorflow as tf

    kernel = np.random.default_rng(7).normal(size=(3, 2)).astype(np.float32)
    return {
        "dense/kernel": tf.Variable(kernel),
        "bias": tf.Variable(np.array([0.5, -0.5], np.float32)),
        "seen": tf.Variable(np.int32(2)),
    }


def _computing(kept: dict[str, Any]) -> Functions:
    """Return the signatures that an app runs: with an open batch, a scalar, open axes, a fixed batch, a state."""
    import numpy as np
    import tensorflow as tf

    filters = np.random.default_rng(9).normal(size=(3, 3, 3, 2)).astype(np.float32)

    def classify(x: Any, gain: Any) -> dict[str, Any]:
        y = tf.nn.softmax(_logits(kept, x)) * gain
        return {"y": y, "total": tf.reduce_sum(y)}

    def encode(steps: Any) -> dict[str, Any]:
        code = tf.tanh(tf.einsum("btf,fc->btc", steps, kept["dense/kernel"]))
        return {"code": code, "mean": tf.reduce_mean(steps, axis=1)}

    def edges(image: Any) -> dict[str, Any]:
        return {"map": tf.nn.conv2d(image, filters, 1, "VALID")}

    def four(x: Any) -> dict[str, Any]:
        return {"y": _logits(kept, x)}

    def count(x: Any) -> dict[str, Any]:
        return {"y": x * tf.cast(kept["seen"].assign_add(1), tf.float32)}

    def tell(x: Any) -> dict[str, Any]:
        return {"y": x * tf.cast(kept["seen"], tf.float32)}

    return {
        "classify": (classify, [_spec("x", None, 3), _spec("gain")]),
        "encode": (encode, [_spec("steps", 1, None, 3)]),
        "edges": (edges, [_spec("image", None, None, None, 3)]),
        "four": (four, [_spec("x", 4, 3)]),
        "count": (count, [_spec("x", 1)]),
        "tell": (tell, [_spec("x", 1)]),
    }


def _state(kept: dict[str, Any]) -> Functions:
    """Return the signatures that train, read and assign the variables."""
    import tensorflow as tf

    def train(x: Any, label: Any) -> dict[str, Any]:
        weights = [kept["dense/kernel"], kept["bias"]]
        with tf.GradientTape() as tape:
            wanted = tf.one_hot(label, 2)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(wanted, _logits(kept, x)))
        for variable, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
            variable.assign_sub(0.1 * gradient)
        kept["seen"].assign_add(1)
        return {"loss": loss}

    def read() -> dict[str, Any]:
        return {name: variable.read_value() for name, variable in kept.items()}

    def assign(*values: Any) -> dict[str, Any]:
        for variable, value in zip(kept.values(), values, strict=True):
            variable.assign(value)
        return {"assigned": tf.constant(len(values), tf.int32)}

    def assign_most(kernel: Any, bias: Any, seen: Any) -> dict[str, Any]:
        kept["dense/kernel"].assign(kernel)
        kept["seen"].assign(seen)
        return {"assigned": tf.constant(2, tf.int32) + tf.cast(0 * tf.size(bias), tf.int32)}

    specs = [_spec(name, *v.shape, dtype=v.dtype) for name, v in kept.items()]
    return {
        "train": (train, [_spec("x", 4, 3), _spec("label", 4, dtype="int32")]),
        "read_variables": (read, []),
        "assign_variables": (assign, specs),
        "assign_most": (assign_most, specs),  # all but the bias
    }


def _spec(name: str, *shape: int | None, dtype: Any = "float32") -> Any:
    import tensorflow as tf

    return tf.TensorSpec(shape, dtype, name)


def _logits(kept: dict[str, Any], x: Any) -> Any:
    import tensorflow as tf

    return tf.matmul(x, kept["dense/kernel"]) + kept["bias"]


def _vectors() -> dict[str, dict[str, Any]]:
    """Return by signature the inputs of VECTORS_EACH calls, each [N, *shape of a call]."""
    import numpy as np

    rng = np.random.default_rng(8)

    def normal(*shape: int) -> Any:
        return rng.normal(size=(VECTORS_EACH, *shape)).astype(np.float32)

    pixels = rng.integers(0, 256, (VECTORS_EACH, 1, 8, 9, 3), np.uint8)
    return {
        "classify": {"x": normal(1, 3), "gain": np.array([1, 2, 3], np.float32)},
        "encode": {"steps": normal(1, 5, 3)},
        "edges": {"image": (pixels.astype(np.float32) - np.float32(127.5)) / np.float32(127.5)},
        "four": {"x": normal(4, 3)},
        "count": {"x": normal(1)},
        "tell": {"x": normal(1)},
        "train": {"x": normal(4, 3), "label": rng.integers(0, 2, (VECTORS_EACH, 4)).astype(np.int32)},
    }


# Where the leading axis of a call is no batch: a call's worth is stacked, not joined.
WHOLE = {("classify", "gain"), ("classify", "total"), ("train", "loss")}


def _write(folder: Path) -> None:
    import numpy as np
    import tensorflow as tf

    kept = _variables()
    built = {name: variable.numpy() for name, variable in kept.items()}
    module = tf.Module()
    module.kept = list(kept.values())
    functions = {
        key: tf.function(function, input_signature=specs)
        for key, (function, specs) in (_computing(kept) | _state(kept)).items()
    }
    arrays = {f"variable/{name}": value for name, value in built.items()}
    for key, inputs in _vectors().items():
        for name, variable in kept.items():
            variable.assign(built[name])
        calls = [functions[key](*(array[index] for array in inputs.values())) for index in range(VECTORS_EACH)]
        outputs = {name: [call[name].numpy() for call in calls] for name in calls[0]}
        for kind, by_name in (("input", inputs), ("output", outputs)):
            for name, rows in by_name.items():
                arrays[f"{key}/{kind}/{name}"] = (np.stack if (key, name) in WHOLE else np.concatenate)(list(rows))
    arrays["edges/pixels/image"] = np.rint(arrays["edges/input/image"] * 127.5 + 127.5).astype(np.uint8)
    np.savez(folder / VECTORS, **arrays)
    for name, variable in kept.items():
        variable.assign(built[name])
    signatures = {key: function.get_concrete_function() for key, function in functions.items()}
    for file, keys in ((MODEL, list(functions)), (EDGES, ["edges"])):
        with tempfile.TemporaryDirectory() as saved:
            tf.saved_model.save(module, saved, signatures={key: signatures[key] for key in keys})
            converter = tf.lite.TFLiteConverter.from_saved_model(saved, signature_keys=keys)
            converter.experimental_enable_resource_variables = True
            (folder / file).write_bytes(converter.convert())


if __name__ == "__main__":
    _write(Path(sys.argv[1]))
