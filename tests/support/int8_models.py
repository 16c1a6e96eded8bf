"""Keras models with the operators that int8 gets wrong, built by the worker and compared with Keras.

Runs inside a toolchain, with kit on PYTHONPATH: `python int8_models.py FOLDER 3|2 with|without KIND...` writes
FOLDER/found.json: by kind the largest error of the int8 file as a share of the output's range, and its operators.
`without` leaves out what the kit changes for int8.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

from kit.shared.job import CALIBRATION, EVALUATED, Job, ModelPart
from kit.shared.npz import save_npz
from kit.worker import __main__ as worker
from kit.worker.conversion import converter, trained_ranges
from kit.worker.progress import Progress

SAMPLES = 96
Arrays = dict[str, np.ndarray]
Made = tuple[Any, Arrays]  # a model and samples of its inputs, by name


def rng() -> np.random.Generator:
    """Return random numbers, the same each time."""
    return np.random.default_rng(7)


def _floats(*shape: int, scale: float = 1.0) -> np.ndarray:
    return (rng().uniform(-1, 1, (SAMPLES, *shape)) * scale).astype(np.float32)


def _call(k: Any, function: Callable[..., Any], inputs: Any, shape: tuple[int, ...]) -> Any:
    return k.layers.Lambda(function, output_shape=shape)(inputs)


def _beside_large(k: Any, shape: tuple[int, ...], dtype: str, values: np.ndarray, build: Callable[[Any], Any]) -> Made:
    """Return a model of `x` and `large` where what build makes of x lies beside a branch of a 20 times larger range."""
    inputs = {"x": k.Input(shape, dtype=dtype, name="x"), "large": k.Input((2,), name="large")}
    both = k.layers.Concatenate(name="y")([k.layers.Flatten()(build(inputs["x"])), inputs["large"]])
    return k.Model(list(inputs.values()), both), {"x": values, "large": _floats(2, scale=20.0)}


def _of_floats(k: Any, shape: tuple[int, ...], function: Callable[..., Any], out: tuple[int, ...]) -> Made:
    """Return a model of `x` [N, *shape] that shows what a function makes of a layer's output, and that output."""
    x = k.Input(shape, name="x")
    hidden = k.layers.Dense(shape[-1], name="hidden")(x)
    made = _call(k, function, hidden, out)
    return k.Model(x, [k.layers.Activation("linear", name="y")(made), k.layers.Dense(3, name="z")(hidden)]), {
        "x": _floats(*shape)
    }


def _ids(*shape: int) -> np.ndarray:
    return rng().integers(0, 3, (SAMPLES, *shape)).astype(np.int32)


def category_encoding(k: Any) -> Made:
    """One-hot ids, by the layer."""
    layer = k.layers.CategoryEncoding(num_tokens=3, output_mode="one_hot")
    return _beside_large(k, (1,), "int32", _ids(1), layer)


def multi_hot(k: Any) -> Made:
    """Several ids at once, by the layer."""
    layer = k.layers.CategoryEncoding(num_tokens=3, output_mode="multi_hot")
    return _beside_large(k, (2,), "int32", _ids(2), layer)


def counted(k: Any) -> Made:
    """How often each id is there, by the layer."""
    return _beside_large(k, (4,), "int32", _ids(4), k.layers.CategoryEncoding(num_tokens=3, output_mode="count"))


def one_hot_of_keras(k: Any) -> Made:
    """One-hot ids by Keras's own function, into a layer."""
    one_hot = k.ops.one_hot if hasattr(k, "ops") else k.backend.one_hot
    x = k.Input((4,), dtype="int32", name="x")
    hot = one_hot(x, 3) if hasattr(k, "ops") else _call(k, lambda t: one_hot(t, 3), x, (4, 3))
    return k.Model(x, k.layers.Dense(2, name="y")(hot)), {"x": _ids(4)}


def one_hot_of_tensorflow(k: Any) -> Made:
    """One-hot ids of which some are none, along another axis, with an on and an off value."""
    values = _ids(4) - 1
    return _beside_large(k, (4,), "int32", values, lambda x: _call(k, _hot, x, (3, 4)))


def _hot(x: Any) -> Any:
    return tf.one_hot(tf.cast(x, tf.int64), 3, on_value=5.0, off_value=-2.0, axis=1)


def one_hot_of_bytes(k: Any) -> Made:
    """One-hot ids that come as bytes."""
    return _beside_large(
        k, (4,), "uint8", _ids(4).astype(np.uint8), lambda x: _call(k, lambda t: tf.one_hot(t, 3), x, (4, 3))
    )


def discretized(k: Any) -> Made:
    """Numbers in buckets, one-hot."""
    x, large = k.Input((1,), name="x"), k.Input((2,), name="large")
    buckets = k.layers.Discretization(bin_boundaries=[-0.5, 0.5])(x)
    hot = k.layers.CategoryEncoding(num_tokens=3, output_mode="one_hot")(buckets)
    values = rng().choice([-1.0, 0.0, 1.0], (SAMPLES, 1)).astype(np.float32)
    return k.Model([x, large], k.layers.Concatenate(name="y")([hot, large])), {
        "x": values,
        "large": _floats(2, scale=20.0),
    }


def many_ids(k: Any) -> Made:
    """A vocabulary of more than 256, through a layer that computes in float."""
    x = k.Input((2,), dtype="int32", name="x")
    wide = k.layers.Reshape((2, 1))(_call(k, lambda t: tf.cast(t, tf.float32), x, (2,)))
    ids = _call(k, lambda t: tf.cast(t, tf.int32)[..., 0], wide, (2,))
    y = k.layers.Embedding(1000, 4, embeddings_initializer="normal", name="y")(ids)
    return k.Model(x, y), {"x": rng().integers(0, 1000, (SAMPLES, 2)).astype(np.int32)}


def flipped(k: Any) -> Made:
    """An image, mirrored."""
    return _beside_large(
        k, (3, 4, 1), "float32", _floats(3, 4, 1), lambda x: _call(k, tf.image.flip_left_right, x, (3, 4, 1))
    )


def bidirectional(k: Any) -> Made:
    """Both directions of a sequence, whose states have ranges far apart."""
    x = k.Input((4, 3), name="x")
    cell = {"unroll": True, "return_sequences": True}
    ahead = k.layers.SimpleRNN(4, activation="linear", recurrent_initializer="zeros", **cell)
    back = k.layers.SimpleRNN(4, go_backwards=True, recurrent_initializer="zeros", **cell)
    both = k.layers.Bidirectional(ahead, backward_layer=back, name="y")
    model = k.Model(x, both(x))
    ahead, back = both.forward_layer, both.backward_layer
    ahead.set_weights([ahead.get_weights()[0] * 20, *ahead.get_weights()[1:]])
    back.set_weights([back.get_weights()[0], *back.get_weights()[1:]])
    return model, {"x": _floats(4, 3)}


def diagonal(k: Any) -> Made:
    """A vector as a diagonal."""
    return _of_floats(k, (4,), lambda x: tf.linalg.diag(tf.nn.relu(x)), (4, 4))


def scattered(k: Any) -> Made:
    """One column of a tensor replaced by half of another."""

    def function(x: Any) -> Any:
        columns = tf.transpose(tf.nn.relu(x))
        return tf.transpose(tf.tensor_scatter_nd_update(columns, [[0]], columns[1:2] * 0.5))

    return _of_floats(k, (4,), function, (4,))


def selected(k: Any) -> Made:
    """One of two tensors, by a comparison."""
    return _of_floats(k, (4,), lambda x: tf.where(x > 0.0, x, x * 0.25), (4,))


def leaky_by_maximum(k: Any) -> Made:
    """A leaky ReLU as users write it."""
    return _of_floats(k, (4,), lambda x: tf.maximum(x, 0.1 * x), (4,))


def largest_of_two(k: Any) -> Made:
    """The larger of a tensor and its negative, halved."""
    return _of_floats(k, (4,), lambda x: tf.maximum(x, -0.5 * x), (4,))


def clipped(k: Any) -> Made:
    """A tensor cut to a range, which another layer sees whole."""
    return _of_floats(k, (4,), lambda x: tf.clip_by_value(x, -0.5, 0.5), (4,))


def masked_softmax(k: Any) -> Made:
    """Scores of which a mask leaves some."""
    x, mask = k.Input((6,), name="x"), k.Input((6,), dtype="bool", name="mask")
    keep = rng().uniform(0, 1, (SAMPLES, 6)) < 0.6
    keep[:, 0] = True
    return k.Model([x, mask], k.layers.Softmax(name="y")(x, mask=mask)), {"x": _floats(6, scale=4.0), "mask": keep}


def scaled_mask(k: Any) -> Made:
    """Scores that a mask is added to before they are scaled."""
    x, mask = k.Input((6,), name="x"), k.Input((6,), name="mask")

    def function(t: Any) -> Any:
        return tf.nn.softmax((t[0] + (1.0 - t[1]) * -1e9) * 0.125)

    keep = (rng().uniform(0, 1, (SAMPLES, 6)) < 0.6).astype(np.float32)
    keep[:, 0] = 1
    y = k.layers.Activation("linear", name="y")(_call(k, function, [x, mask], (6,)))
    return k.Model([x, mask], y), {"x": _floats(6, scale=16.0), "mask": keep}


def masked_maximum(k: Any) -> Made:
    """The largest of what a mask leaves: what the kit cannot make right, and says."""
    x, mask = k.Input((6,), name="x"), k.Input((6,), name="mask")
    y = _call(k, lambda t: tf.reduce_max(t[0] + (1.0 - t[1]) * -1e9, -1, keepdims=True), [x, mask], (1,))
    keep = np.tile(np.array([1, 1, 0, 1, 1, 0], np.float32), (SAMPLES, 1))
    return k.Model([x, mask], k.layers.Activation("linear", name="y")(y)), {"x": _floats(6), "mask": keep}


def causal_attention(k: Any) -> Made:
    """Attention that sees no later step."""
    x = k.Input((6, 8), name="x")
    seen = k.layers.MultiHeadAttention(2, 4, name="y")(x, x, use_causal_mask=True)
    return k.Model(x, seen), {"x": _floats(6, 8)}


def divided(k: Any) -> Made:
    """Numbers divided by others, some of which are nothing beside the largest."""
    x, by = k.Input((4,), name="x"), k.Input((4,), name="by")
    y = _call(k, lambda t: tf.tanh(t[0] / tf.nn.leaky_relu(t[1], 0.1)), [x, by], (4,))
    every = np.resize(np.concatenate([[0.05], np.linspace(20, 100, 4 * SAMPLES - 1)]), (SAMPLES, 4))  # every byte
    values = {"x": np.sign(_floats(4)), "by": every.astype(np.float32)}
    return k.Model([x, by], k.layers.Activation("linear", name="y")(y)), values


def nothing_wrong(k: Any) -> Made:
    """A convolution, a pooling and a softmax: nothing that the kit has to change."""
    x = k.Input((8, 8, 1), name="x")
    seen = k.layers.MaxPooling2D()(k.layers.Conv2D(4, 3, activation="relu")(x))
    y = k.layers.Dense(3, activation="softmax", name="y")(k.layers.Flatten()(seen))
    return k.Model(x, y), {"x": _floats(8, 8, 1)}


KINDS: dict[str, Callable[[Any], Made]] = {
    each.__name__: each
    for each in (
        category_encoding,
        multi_hot,
        counted,
        one_hot_of_keras,
        one_hot_of_tensorflow,
        one_hot_of_bytes,
        discretized,
        many_ids,
        flipped,
        bidirectional,
        diagonal,
        scattered,
        selected,
        leaky_by_maximum,
        largest_of_two,
        clipped,
        masked_softmax,
        scaled_mask,
        masked_maximum,
        causal_attention,
        divided,
        nothing_wrong,
    )
}


def built(kind: str, legacy: bool, folder: Path) -> dict[str, Any]:
    """Write a model's folder, do its job, and return what came out."""
    from models import keras_of

    k = keras_of(legacy=legacy)
    k.utils.set_random_seed(7)
    model, samples = KINDS[kind](k)
    folder.mkdir(parents=True)
    part = _saved(model, legacy, folder)
    save_npz(folder / CALIBRATION, {f"input/{name}": values for name, values in samples.items()})
    job = Job((part,), True, "int8", "float32", (), (), calibrate=True, evaluate=False)
    result = worker.work(job, folder, folder, Progress())
    wanted = model(samples if len(samples) > 1 else next(iter(samples.values())), training=False)
    wanted = [np.asarray(each) for each in (wanted if isinstance(wanted, list | tuple) else [wanted])]
    with np.load(folder / EVALUATED) as archive:
        got = [archive[f"output/{spec.name}"] for spec in result.signature.outputs]
    interpreter = tf.lite.Interpreter(model_path=str(folder / "model.tflite"))
    return {
        "error": [float(np.abs(a - b).max()) / float(b.max() - b.min()) for a, b in zip(got, wanted, strict=True)],
        "operators": [op["op_name"] for op in interpreter._get_ops_details()],
        "notes": list(result.notes),
        "sha256": hashlib.sha256((folder / "model.tflite").read_bytes()).hexdigest(),
        "places": _places((folder / "model.tflite").read_bytes()),
    }


def _places(content: bytes) -> list[int]:
    """Return where the file's constants begin."""
    model = schema.Model.GetRootAs(content, 0)
    tables = [model.Buffers(i)._tab for i in range(model.BuffersLength())]
    return [table.Vector(table.Offset(4)) for table in tables if table.Offset(4)]


def _saved(model: Any, legacy: bool, folder: Path) -> ModelPart:
    """Save a model: one with functions of TensorFlow as a SavedModel, for a .keras file cannot name them."""
    if any("Lambda" in type(layer).__name__ for layer in model.layers):
        model.save(folder / "model", save_format="tf") if legacy else model.export(folder / "model", verbose=False)
        return ModelPart("model", "SavedModel", legacy)
    file = "model.h5" if legacy else "model.keras"
    model.save(folder / file)
    return ModelPart(file, file[5:], legacy)


def main(folder: Path, keras: str, changes: str, kinds: list[str]) -> dict[str, Any]:
    """Build each kind."""
    if changes == "without":
        # The room only imports it.
        setattr(trained_ranges, "for_int8", lambda frozen, _calls, _names: frozen)  # noqa: B010
        setattr(converter, "mended", lambda content: content)  # noqa: B010
    found = {}
    for kind in kinds:
        try:
            found[kind] = built(kind, keras == "2", folder / kind)
        except Exception as error:  # noqa: BLE001 - one kind's fault is no other's
            found[kind] = {"refused": f"{type(error).__name__}: {error}"[:300]}
    return found


if __name__ == "__main__":
    found = main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:] or list(KINDS))
    (Path(sys.argv[1]) / "found.json").write_text(json.dumps(found), "utf-8")
