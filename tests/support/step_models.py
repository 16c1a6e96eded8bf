"""Small models that next_steps.py has refused and mended, each written into a job's folder. Runs inside a toolchain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Write = Callable[[Path], object]
FIRST = {"w": [1.0, 2.0, 3.0]}


def keras() -> Any:
    """Return Keras, its numbers the same each time."""
    import keras

    keras.utils.set_random_seed(7)
    return keras


def saves(model: Callable[[], Any]) -> Write:
    """Return what writes a model as model.keras."""
    return lambda folder: model().save(folder / "model.keras")


def each(*writes: Write) -> Write:
    """Return what writes all of these, in their order."""
    return lambda folder: [write(folder) for write in writes]


def calibration(**arrays: Any) -> Write:
    """Return what writes calibration.npz, by input name ("second__x" is the signature's)."""
    return _data("calibration.npz", arrays)


def evaluation(**arrays: Any) -> Write:
    """Return what writes evaluation.npz, by input name."""
    return _data("evaluation.npz", arrays)


def _data(name: str, arrays: dict[str, Any]) -> Write:
    def write(folder: Path) -> None:
        import numpy as np

        named: dict[str, Any] = {f"input/{key.replace('__', '/')}": np.asarray(value) for key, value in arrays.items()}
        np.savez(folder / name, **named)

    return write


def numbers(*shape: int, low: float = -1.0, high: float = 1.0) -> Any:
    """Return random float32 numbers, the same each time."""
    import numpy as np

    return np.random.default_rng(7).uniform(low, high, shape).astype("float32")


# ---------------------------------------------------------------- Keras: layers


def dense(inputs: int = 1, batch: int | None = None) -> Callable[[], Any]:
    """Return a model of `x`, `z` ... [batch, 8] -> `score` [batch, 3] and `other` [batch, 2]."""

    def make() -> Any:
        k = keras()
        fed = [k.Input((8,), batch_size=batch, name=name) for name in "xzu"[:inputs]]
        x = k.layers.Add(name="both")(fed) if inputs > 1 else fed[0]
        return k.Model(fed, [k.layers.Dense(3, name="score")(x), k.layers.Dense(2, name="other")(x)])

    return make


NET = """
import keras
class Net(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.score, self.spare = keras.layers.Dense(3, name="score"), keras.layers.Activation("relu", name="spare")
    def build(self, shape):
        self.score.build(shape)
        self.built = True
    def call(self, x):
        return self.score(x)
CUSTOM_OBJECTS = {"Net": Net}
"""


def net(folder: Path) -> None:
    """Write a subclassed model of `x` [N, 8] -> [N, 3] with a layer `spare` that its call does not come by."""
    scope: dict[str, Any] = {}
    exec(NET, scope)  # noqa: S102 - the model's own code
    model = scope["Net"]()
    model(numbers(2, 8))
    model.save(folder / "model.keras")


def worded() -> Any:
    """Return `x` [N, 8] -> `score` [N, 3] and what a layer `scale` of a class of the user's own gives."""
    k = keras()

    class Scale(k.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, x: Any) -> Any:
            return x * 2.0

    x = k.Input((8,), name="x")
    return k.Model(x, [k.layers.Dense(3, name="score")(x), Scale(name="scale")(x)])


def ids() -> Any:
    """Return `ids` [N, 4], whole numbers -> `score` [N, 3]."""
    k = keras()
    fed = k.Input((4,), name="ids", dtype="int32")
    return k.Model(
        fed, k.layers.Dense(3, name="score")(k.layers.Flatten()(k.layers.Embedding(10, 4, name="words")(fed)))
    )


def flags() -> Any:
    """Return `flags` [N, 4], booleans -> `score` [N, 3]."""
    k = keras()
    fed = k.Input((4,), name="flags", dtype="bool")
    return k.Model(fed, k.layers.Dense(3, name="score")(k.ops.cast(fed, "float32")))


def shared() -> Any:
    """Return `x` [N, 8] -> `score`: a layer `twice` that is called twice, `both` behind it, `dead` on no way out."""
    k = keras()
    x = k.Input((8,), name="x")
    twice = k.layers.Dense(8, name="twice")
    both = k.layers.Add(name="both")([twice(x), twice(k.layers.ReLU(name="positive")(x))])
    return k.Model(x, [k.layers.Dense(3, name="score")(both), k.layers.Dense(2, name="dead")(x)])


def masked() -> Any:
    """Return `steps` [N, 6, 3] -> `score`: zeros mask steps of the LSTM behind."""
    k = keras()
    steps = k.Input((6, 3), name="steps")
    x = k.layers.Masking(0.0, name="mask")(k.layers.Dense(3, name="first")(steps))
    return k.Model(steps, k.layers.Dense(3, name="score")(k.layers.LSTM(4, name="lstm")(x)))


def masked_input() -> Any:
    """Return `rows` [N, 6, 3] -> `score`: the input itself marks the steps that are missing."""
    k = keras()
    rows = k.Input((6, 3), name="rows")
    x = k.layers.Masking(-9.0, name="mask")(rows)
    return k.Model(rows, k.layers.Dense(3, name="score")(k.layers.LSTM(4, name="lstm")(x)))


def pair_layer() -> Any:
    """Return `x` [N, 6, 3] -> `score`: an LSTM `pair` that gives three tensors."""
    k = keras()
    x = k.Input((6, 3), name="x")
    outputs = k.layers.LSTM(4, return_state=True, name="pair")(x)
    return k.Model(x, k.layers.Dense(3, name="score")(k.layers.Concatenate(name="all")(outputs)))


def image_net() -> Any:
    """Return `image` [N, 8, 8, 1] -> `digit` [N, 3]: a convolution `conv` and a head."""
    k = keras()
    image = k.Input((8, 8, 1), name="image")
    x = k.layers.Conv2D(4, 3, activation="relu", name="conv")(image)
    x = k.layers.Flatten(name="flat")(x)
    return k.Model(
        image,
        [k.layers.Dense(3, activation="softmax", name="digit")(x), k.layers.Dense(2, name="box")(x)],
    )


# ---------------------------------------------------------------- Keras: sequences


def sequence(*layers: str, steps: int | None = 6, batch: int | None = None, **more: Any) -> Callable[[], Any]:
    """Return a model of `x` [batch, steps, 3] -> `score`, of these layers; more: of the recurrent ones."""

    def make() -> Any:
        k = keras()
        x = fed = k.Input((steps, 3), batch_size=batch, name="x")
        for layer in layers:
            x = _sequence_layer(k, layer, more)(x)
        return k.Model(fed, k.layers.Dense(3, name="score")(x))

    return make


def _sequence_layer(k: Any, layer: str, more: dict[str, Any]) -> Any:
    recurrent = {"gru": k.layers.GRU, "lstm": k.layers.LSTM}
    if layer in recurrent:
        return recurrent[layer](4, name=layer, **more)
    if layer == "each":
        return k.layers.GRU(4, return_sequences=True, name=layer, **more)
    made: Any = {
        "both_ways": lambda: k.layers.Bidirectional(k.layers.GRU(4), name=layer),
        "window": lambda: k.layers.Conv1D(3, 3, padding="same", name=layer),
        "valid": lambda: k.layers.Conv1D(3, 3, name=layer),
        "flat": lambda: k.layers.Flatten(name=layer),
    }[layer]()
    return made


def two_sequences() -> Any:
    """Return `a`, `b` [N, any, 3] -> `score`: a GRU of each."""
    k = keras()
    fed = [k.Input((None, 3), name=name) for name in "ab"]
    states = [k.layers.GRU(4, name=f"gru_{name}")(x) for name, x in zip("ab", fed, strict=True)]
    return k.Model(fed, k.layers.Dense(3, name="score")(k.layers.Add(name="sum")(states)))


def two_open_axes() -> Any:
    """Return `x` [N, any, any, 3] -> `score`: the mean over the second open axis, and a GRU."""
    k = keras()
    x = k.Input((None, None, 3), name="x")
    return k.Model(x, k.layers.Dense(3, name="score")(k.layers.GRU(4, name="gru")(k.ops.mean(x, axis=2))))


def one_row() -> Any:
    """Return `x` [N, 6, 3] -> `last` [N, 3] and `flat` [N, 24]: what a GRU gives for every step, in one row."""
    k = keras()
    x = k.Input((6, 3), name="x")
    steps = k.layers.GRU(4, return_sequences=True, name="steps")(x)
    last = k.layers.Dense(3, name="last")(steps[:, -1])
    return k.Model(x, [last, k.layers.Flatten(name="flat")(steps)])


def computed_state(*, given: bool = True) -> Callable[[], Any]:
    """Return a model of `x` [N, 6, 3] -> `score`, whose GRU begins with a state computed of x, or with zeros."""

    def make() -> Any:
        k = keras()
        x = k.Input((6, 3), name="x")
        first = k.layers.Dense(4, name="first")(x[:, 0])
        gru = k.layers.GRU(4, return_sequences=True, name="gru")
        return k.Model(x, k.layers.Dense(3, name="score")(gru(x, initial_state=first) if given else gru(x)))

    return make


def stateful() -> Any:
    """Return `step` [1, 1, 5] -> `score` through an LSTM that remembers from call to call."""
    k = keras()
    step = k.Input(batch_shape=(1, 1, 5), name="step")
    return k.Model(step, k.layers.Dense(3, name="score")(k.layers.LSTM(4, stateful=True, name="memory")(step)))


# ---------------------------------------------------------------- Keras: files


def unknown_key(folder: Path) -> None:
    """Write model.keras with a key in a layer's configuration that no Keras has."""
    import zipfile

    dense()().save(folder / "whole.keras")
    with zipfile.ZipFile(folder / "whole.keras") as whole, zipfile.ZipFile(folder / "model.keras", "w") as archive:
        for name in whole.namelist():
            content = whole.read(name)
            archive.writestr(name, content.replace(b'"units": 3', b'"units": 3, "nonsense": 1'))
    (folder / "whole.keras").unlink()


def lambda_layer() -> Any:
    """Return `x` [N, 8] -> `score` behind a layer that carries Python code."""
    k = keras()
    x = k.Input((8,), name="x")
    return k.Model(x, k.layers.Dense(3, name="score")(k.layers.Lambda(lambda t: t * 2.0, name="double")(x)))


def weights(folder: Path) -> None:
    """Write the weights of the dense model alone."""
    dense()().save_weights(folder / "model.weights.h5")


def joined(*files: str) -> Write:
    """Return what writes parts: `pre` gives left [3] and right [2], `net` takes them, `misnamed` and `short` do not."""

    def write(folder: Path) -> None:
        k = keras()
        x = k.Input((4,), name="x")
        pre = k.Model(x, [k.layers.Dense(3, name="left")(x), k.layers.Dense(2, name="right")(x)])
        right = k.Input((2,), name="right")
        taking = {"net": k.Input((3,), name="left"), "misnamed": k.Input((3,), name="features")}
        taking["short"] = k.Input((9,), name="left")
        for file in files:
            made = pre
            if file != "pre":
                both = k.layers.Concatenate(name="both")([right, taking[file]])
                made = k.Model([right, taking[file]], k.layers.Dense(2, name="score")(both))
            made.save(folder / f"{file}.keras")

    return write


def nested(depth: int) -> Write:
    """Return what writes `x` [N, 8] -> `score` [N, 3], a model inside a model inside a model."""

    def write(folder: Path) -> None:
        import sys

        k, usual = keras(), sys.getrecursionlimit()
        sys.setrecursionlimit(100_000)  # whoever made it had to do so
        x = k.Input((8,), name="x")
        model = k.Model(x, k.layers.Dense(3, name="score")(x), name="innermost")
        for at in range(depth):
            x = k.Input((8,), name="x")
            model = k.Model(x, model(x), name=f"around{at}")
        model.save(folder / "model.keras")
        sys.setrecursionlimit(usual)

    return write


# ---------------------------------------------------------------- SavedModels


def recurrent_module(folder: Path) -> None:
    """Write a SavedModel with a signature of sequences [1, any, 3], and one of single rows."""
    import tensorflow as tf

    holder = tf.Module()
    holder.model = sequence("gru", steps=None, batch=1)()
    specs = {"whole": [1, None, 3], "row": [None, 3]}
    calls: dict[str, Any] = {"whole": lambda x: {"score": holder.model(x)}, "row": lambda x: {"y": x * 2.0}}
    signatures = {
        key: tf.function(call, input_signature=[tf.TensorSpec(specs[key], tf.float32, name="x")])
        for key, call in calls.items()
    }
    tf.saved_model.save(holder, str(folder / "model"), signatures=signatures)


def without_its_variables(folder: Path) -> None:
    """Write a SavedModel, and lose a file of it."""
    module("scale")(folder)
    (folder / "model" / "variables" / "variables.index").unlink()


def exported(model: Callable[[], Any]) -> Write:
    """Return what writes a SavedModel with model.export."""
    return lambda folder: model().export(folder / "model")


def module(*keys: str, unsigned: bool = False) -> Write:
    """Return what writes a SavedModel with these signatures of _functions."""

    def write(folder: Path) -> None:
        import tensorflow as tf

        holder, functions = _functions()
        signatures = None if unsigned else {key: functions[key] for key in keys}
        tf.saved_model.save(holder, str(folder / "model"), signatures=signatures)

    return write


def _made(x: Any) -> dict[str, Any]:
    """Return a product with a variable that the call makes, past tf.Variable."""
    import tensorflow as tf

    handle = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[3], shared_name="made")
    tf.raw_ops.AssignVariableOp(resource=handle, value=tf.constant([1.0, 2.0, 3.0]))
    return {"y": x * tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32)}


def _functions() -> tuple[Any, dict[str, Any]]:
    import tensorflow as tf

    holder = tf.Module()
    holder.w = tf.Variable([1.0, 2.0, 3.0], name="w")
    holder.rows = tf.Variable(numbers(5, 3), name="rows")
    words, places = tf.constant(["a", "b"]), tf.constant([1, 2], tf.int64)
    holder.table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(words, places), 0)
    holder.names = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(places, words), "none")
    spec, row = tf.TensorSpec, tf.TensorSpec([None, 3], tf.float32, name="x")

    def loop(x: Any) -> Any:
        return {"y": tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.exp(-y, name="inside")), [0, x])[1]}

    def texts(text: Any) -> Any:
        with tf.name_scope("vocabulary"):
            found = holder.table.lookup(text)
        return {"y": tf.gather(holder.rows, found, name="found")}

    def lowered(text: Any) -> Any:
        low = tf.strings.lower(text, name="low")
        hashed = tf.strings.to_hash_bucket_fast(low, 5, name="hashed")
        return {"y": tf.gather(holder.rows, hashed, name="found")}

    def named(x: Any) -> Any:
        best = tf.argmax(x, axis=1, name="best")
        return {"name": holder.names.lookup(best + 1)}

    def places_of(x: Any) -> Any:
        return {"y": x * 2.0, "where": tf.cast(tf.where(x > 0.0), tf.int32)}

    def printed(x: Any) -> Any:
        tf.print(x, output_stream="file:///tmp/dropkit-printed")
        return {"y": x * holder.w}

    def read(x: Any) -> Any:
        return {"y": x + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)}

    def python(x: Any) -> Any:
        return {"y": tf.ensure_shape(tf.numpy_function(lambda a: a * 2, [x], tf.float32), [None, 3])}

    def unranked(x: Any) -> Any:
        return {"y": x * 2.0}

    functions = {
        "scale": (lambda x: {"y": x * holder.w}, row),
        "twice": (lambda x: {"y": x * 2.0}, row),
        "alone": (lambda v: {"y": v * holder.w}, spec([3], tf.float32, name="v")),
        "nothing": (lambda: {"y": holder.w * 1.0},),
        "loop": (loop, row),
        "texts": (texts, spec([None], tf.string, name="text")),
        "lowered": (lowered, spec([None], tf.string, name="text")),
        "named": (named, row),
        "numbered": (lambda x: {"id": tf.argmax(x, axis=1)}, row),
        "places": (places_of, row),
        "printed": (printed, row),
        "read": (read, row),
        "python": (python, row),
        "made": (_made, row),
        "unranked": (unranked, spec(None, tf.float32, name="x")),
        "ranked": (unranked, spec([None, 3], tf.float32, name="x")),
        "logged": (lambda x: {"y": tf.debugging.check_numerics(tf.math.log(x), "no logarithm")}, row),
        "handle": (
            lambda h: {"y": tf.raw_ops.TensorListStack(input_handle=h, element_shape=[3], element_dtype=tf.float32)},
            spec([], tf.variant, name="h"),
        ),
    }
    made = {key: tf.function(f, input_signature=list(specs)) for key, (f, *specs) in functions.items()}
    return holder, made
