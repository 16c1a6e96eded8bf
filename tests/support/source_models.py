"""Source models of every kind, each as a folder of files with what the model itself outputs, for tests of loading.

Runs inside a toolchain's Python: `python source_models.py KIND FOLDER`. The host calls written(), so the top of this
module is standard library only.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

EXPECTED = "expected.npz"  # input/<name>, output/<name>, and inner/<name> of tensors inside
Write = Callable[[Path, Any], None]


def written(python: Path, kind: str, folder: Path, maker: Path = Path(__file__)) -> Path:
    """Write the files of a kind (a key of KINDS, "2:" before it for Keras 2) into folder, and return folder.

    maker: the module that makes it, this one or another with KINDS. Made once for each Python and each content of
    that module, then copied.
    """
    from filelock import FileLock
    from models import _run
    from third_party import cache_folder

    key = hashlib.sha256(maker.read_bytes() + os.fsencode(python)).hexdigest()[:16]
    cached = cache_folder() / maker.stem.replace("_", "-") / key / kind.replace(":", "-")
    cached.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{cached}.lock"):  # another process of the same test run may want it, too
        if not cached.exists():
            with tempfile.TemporaryDirectory(dir=cached.parent) as scratch:
                fresh = Path(scratch) / "made"
                fresh.mkdir()
                _run([str(python), str(maker), kind, str(fresh)], legacy=kind.startswith("2:"))
                fresh.replace(cached)
    shutil.copytree(cached, folder, dirs_exist_ok=True)
    return folder


# ---------------------------------------------------------------- what a kind is made of


def expect(folder: Path, inputs: dict[str, Any], outputs: dict[str, Any], inner: dict[str, Any] | None = None) -> None:
    """Keep what a model outputs."""
    import numpy as np

    arrays = {f"input/{name}": value for name, value in inputs.items()}
    arrays |= {f"output/{name}": np.asarray(value) for name, value in outputs.items()}
    arrays |= {f"inner/{name}": np.asarray(value) for name, value in (inner or {}).items()}
    # "/" in a member's name would be a folder; numpy takes it as it is.
    np.savez(folder / EXPECTED, **arrays)


def numbers(*shape: int) -> Any:
    """Return random numbers, the same each time."""
    import numpy as np

    return np.random.default_rng(7).uniform(-1, 1, shape).astype("float32")


def nested(k: Any) -> Any:
    """Return `image` [N, 8, 8, 1] -> `digit`, `box`: a model inside, a layer used twice, a sum, a dropout."""
    image = k.Input((8, 8, 1), name="image")
    backbone = k.Sequential(
        [k.layers.Conv2D(2, 3, name="conv"), k.layers.BatchNormalization(name="bn"), k.layers.ReLU(name="relu")],
        name="backbone",
    )
    flat = k.layers.Flatten(name="flat")(backbone(image))
    shared = k.layers.Dense(4, activation="tanh", name="shared")
    narrow = k.layers.Dense(4, name="narrow")(k.layers.Dropout(0.5, name="drop")(flat))
    both = k.layers.Add(name="both")([shared(narrow), shared(k.layers.ReLU(name="positive")(narrow))])
    return k.Model(image, [k.layers.Dense(3, name="digit")(both), k.layers.Dense(2, name="box")(both)], name="net")


def functional(folder: Path, k: Any) -> None:
    """Write the nested model as .keras and .h5, with the tensors of some layers."""
    model, x = nested(k), numbers(3, 8, 8, 1)
    digit, box = model(x)
    conv = model.get_layer("backbone").get_layer("conv")(x)
    narrow = model.get_layer("narrow")(model.get_layer("flat")(model.get_layer("backbone")(x)))
    shared = model.get_layer("shared")
    inner = {
        "backbone/conv": conv,
        "shared": shared(narrow),
        "shared:1": shared(model.get_layer("positive")(narrow)),
        "both": model.get_layer("both")([shared(narrow), shared(model.get_layer("positive")(narrow))]),
    }
    expect(folder, {"image": x}, {"digit": digit, "box": box}, inner)
    model.save(folder / "model.h5")
    model.save(folder / "model.keras")


def sequential(folder: Path, k: Any) -> None:
    """Write a Sequential model with a recurrent layer and one that runs a layer in a loop."""
    model = k.Sequential(
        [
            k.Input((5, 3), name="series"),
            k.layers.TimeDistributed(k.layers.Dense(4, name="each"), name="over_time"),
            k.layers.LSTM(4, name="lstm"),
            k.layers.Dense(2, name="score"),
        ]
    )
    x = numbers(3, 5, 3)
    inner = {"lstm": k.Model(model.inputs, model.get_layer("lstm").output)(x)}
    expect(folder, {model.input_names[0] if hasattr(model, "input_names") else "series": x}, {"score": model(x)}, inner)
    model.save(folder / "model.keras")


CODE = '''
"""The layers and functions of the test models, as a user would write them: for whichever Keras is at hand."""
import tensorflow as tf
import keras


class Scale(keras.layers.Layer):
    """Multiplies by a weight, and by two where the numbers are large."""

    def build(self, shape):
        self.factor = self.add_weight(name="factor", shape=(shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.factor


@keras.utils.register_keras_serializable(package="ours", name="Shift")
class Shift(keras.layers.Layer):
    """Adds a number that its configuration holds."""

    def __init__(self, by=1.0, **kwargs):
        super().__init__(**kwargs)
        self.by = by

    def call(self, x):
        return x + self.by

    def get_config(self):
        return {**super().get_config(), "by": self.by}


def square(x):
    return x * x


class Net(keras.Model):
    """A subclassed model: one tensor in, two by name out."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.hidden = keras.layers.Dense(4, activation="relu", name="hidden")
        self.score = keras.layers.Dense(units, name="score")

    def call(self, x):
        hidden = self.hidden(x)
        return {"score": self.score(hidden), "features": hidden}

    def get_config(self):
        return {"units": self.units}


class Pair(keras.Model):
    """A subclassed model: two tensors in, one out, and a call that knows of training."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.score = keras.layers.Dense(2, name="score")
        self.drop = keras.layers.Dropout(0.5)

    def call(self, left, right, training=False):
        return self.drop(self.score(left), training=training) + right

    def get_config(self):
        return {}


class Looped(keras.Model):
    """A subclassed model that runs a layer in a loop."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.step = keras.layers.Dense(5, name="step")

    def call(self, x):
        return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, self.step(y)), [0, self.step(x)])[1]

    def get_config(self):
        return {}


def build_model():
    x = keras.Input((5,), name="x")
    return keras.Model(x, keras.layers.Dense(2, name="score")(Scale(name="scale")(x)))


CUSTOM_OBJECTS = {"Scale": Scale, "Shift": Shift, "square": square, "Net": Net, "Pair": Pair, "Looped": Looped}
'''


def code(folder: Path, k: Any) -> Any:
    """Write the code beside the model, and return it as a module of this Keras."""
    import importlib.util

    sys.modules["keras"] = k
    path = folder / "custom.py"
    path.write_text(CODE, "utf-8")
    spec = importlib.util.spec_from_file_location("ours", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def custom_layers(folder: Path, k: Any) -> None:
    """Write a functional model with layers and an activation of its own."""
    ours = code(folder, k)
    x = k.Input((5,), name="x")
    y = k.layers.Dense(4, activation=ours.square, name="dense")(ours.Scale(name="scale")(x))
    model, fed = k.Model(x, ours.Shift(2.0, name="shift")(y)), numbers(3, 5)
    model.get_layer("scale").set_weights([numbers(5)])
    expect(folder, {"x": fed}, {"shift": model(fed)}, {"scale": model.get_layer("scale")(fed)})
    model.save(folder / "model.h5")
    model.save(folder / "model.keras")


def forms(folder: Path, k: Any) -> None:
    """Write a model with one layer of its own, registered as "ours>Shift", as whole files and as weights."""
    ours = code(folder, k)
    x = k.Input((5,), name="x")
    model, fed = k.Model(x, k.layers.Dense(3, name="score")(ours.Shift(0.5, name="shift")(x))), numbers(3, 5)
    expect(folder, {"x": fed}, {"score": model(fed)})
    model.save(folder / "model.h5")
    model.save(folder / "model.keras")
    model.save_weights(folder / "model.weights.h5")


def lambdas(folder: Path, k: Any) -> None:
    """Write a model with functions without a name: an activation, and a Lambda layer."""
    x = k.Input((5,), name="x")
    y = k.layers.Dense(4, activation=lambda t: t * t + 1.0, name="dense")(x)
    model, fed = k.Model(x, k.layers.Lambda(lambda t: t - 3.0, output_shape=(4,), name="minus")(y)), numbers(3, 5)
    dense = model.get_layer("dense")(fed)
    expect(folder, {"x": fed}, {"minus": model(fed)}, {"dense": dense})
    model.save(folder / "model.h5")
    model.save(folder / "model.keras")


def written_elsewhere(text: str, **module: object) -> Any:
    """Return a function as a user's own module has it: the names in it are that module's."""
    return eval(text, module)  # noqa: S307 - a constant of this file


def lambda_names(folder: Path, k: Any) -> None:
    """Write Lambda layers that use names of their module, closures and defaults, two of which Keras cannot read."""
    import math

    import numpy as np
    import tensorflow as tf

    def enlarge(t: Any, by: float = 3.0) -> Any:
        return t * by

    scale, row = 1.5, numbers(5)
    functions = {
        "tensorflow": written_elsewhere("lambda t: tf.nn.relu(t) + 0.5", tf=tf),
        "numpy": written_elsewhere("lambda t: t * np.float32(2.0)", np=np),
        "math": written_elsewhere("lambda t: t * math.pi", math=math),
        "backend": written_elsewhere(
            "lambda t: K.square(t)", K=k.backend if k.__version__.startswith("2") else tf.keras.backend
        ),
        "keras": written_elsewhere("lambda t: keras.activations.tanh(t)", keras=k),
        "closure": lambda t, by=2.0, also=(1.0, 4.0): t * scale + by + also[1],
        "array": lambda t: t + row,
        "named": enlarge,
    }
    x = y = k.Input((5,), name="x")
    for name, function in functions.items():
        y = k.layers.Lambda(function, output_shape=lambda shape: shape, name=name)(y)
    model, fed = k.Model(x, y), numbers(3, 5)
    expect(folder, {"x": fed}, {"named": model(fed)})
    model.save(folder / "model.h5")
    model.save(folder / "model.keras")


def lambda_in_lambda(folder: Path, k: Any) -> None:
    """Write a function without a name that uses another one: an .h5 has nothing of that."""
    inside: Any
    (inside,) = (lambda t: abs(t) + 1.0,)
    x = k.Input((5,), name="x")
    model, fed = k.Model(x, k.layers.Lambda(lambda t: inside(t) * 0.5, name="both")(x)), numbers(3, 5)
    expect(folder, {"x": fed}, {"both": model(fed)})
    model.save(folder / "model.h5")
    model.save(folder / "model.keras")


def lambda_misses(folder: Path, k: Any) -> None:
    """Write models with a function that uses a name of its own module: when it runs, and where it never does."""

    def halve(t: Any) -> Any:
        return t * 0.5

    uses = written_elsewhere("lambda value: halve(value)", halve=halve)
    never = written_elsewhere("lambda value: theano(value) if value is None else value * 0.5", theano=halve)
    for file, function, shape in (("known", uses, (5,)), ("open", uses, None), ("never", never, (5,))):
        x = k.Input((5,), name="x")
        model, fed = k.Model(x, k.layers.Lambda(function, output_shape=shape, name="half")(x)), numbers(3, 5)
        model.save(folder / f"{file}.h5")
        model.save(folder / f"{file}.keras")
    expect(folder, {"x": fed}, {"half": model(fed)})


def one_lambda(folder: Path, k: Any) -> None:
    """Write a model with one function without a name, an activation."""
    x = k.Input((5,), name="x")
    model, fed = k.Model(x, k.layers.Dense(4, activation=lambda t: t * t, name="dense")(x)), numbers(3, 5)
    expect(folder, {"x": fed}, {"dense": model(fed)})
    model.save(folder / "model.h5")
    model.save(folder / "model.keras")


def subclassed(folder: Path, k: Any) -> None:
    """Write a subclassed model with one input and a dict of outputs."""
    model, x = code(folder, k).Net(name="net"), numbers(3, 5)
    predictions = model(x)
    expect(folder, {"x": x}, dict(predictions), {"hidden": predictions["features"]})
    model.save(folder / "model.keras")
    model.save_weights(folder / "net.weights.h5")


def subclassed_pair(folder: Path, k: Any) -> None:
    """Write a subclassed model whose call takes two tensors."""
    model, left, right = code(folder, k).Pair(), numbers(3, 5), numbers(3, 2)
    expect(folder, {"left": left, "right": right}, {"output": model(left, right)})
    model.save(folder / "model.keras")


def looped(folder: Path, k: Any) -> None:
    """Write a subclassed model that runs a layer once, and then in a loop."""
    model, x = code(folder, k).Looped(), numbers(3, 5)
    output = model(x)
    expect(folder, {"x": x}, {"output": output}, {"step": model.step(x)})
    model.save(folder / "model.keras")


def weights(folder: Path, k: Any) -> None:
    """Write weights alone, in both formats, with the structure as JSON and as code."""
    ours = code(folder, k)
    model, x = ours.build_model(), numbers(3, 5)
    expect(folder, {"x": x}, {"score": model(x)})
    (folder / "structure.json").write_text(model.to_json(), "utf-8")
    model.save_weights(folder / "model.weights.h5")
    if k.__version__.startswith("2"):
        model.save_weights(folder / "legacy.h5")
    other = k.Sequential([k.Input((5,)), k.layers.Dense(7)])
    (folder / "other.json").write_text(other.to_json(), "utf-8")
    longer = k.Sequential([k.Input((5,)), k.layers.Dense(5), k.layers.Dense(2), k.layers.Dense(2)])
    longer.save_weights(folder / "longer.weights.h5")


def old(folder: Path, k: Any) -> None:
    """Write .h5 files as Keras 2.0 to 2.2 laid them out, each with its own <name>.npz: of Keras 2 alone."""
    import h5py

    def write(name: str, model: Any, change: Callable[[dict[str, Any]], dict[str, Any]], fed: Any) -> None:
        model.save(folder / f"{name}.h5")
        with h5py.File(folder / f"{name}.h5", "r+") as file:
            file.attrs["model_config"] = json.dumps(change(json.loads(file.attrs["model_config"])))
            del file.attrs["keras_version"]
            del file["model_weights"].attrs["keras_version"]
        first = model.input_names[0]
        expect(folder, {first: fed}, {model.output_names[0]: model(fed)})
        (folder / EXPECTED).rename(folder / f"{name}.npz")

    # Before 2.2: a list of layers, the first of which says the shape, and no InputLayer.
    dense = k.Sequential([k.layers.Dense(4, input_shape=(5,), name="first"), k.layers.Dense(2, name="score")])
    dense.compile("adam", "mse")
    dense.fit(numbers(8, 5), numbers(8, 2), verbose=0)
    write(
        "listed",
        dense,
        lambda config: {"class_name": "Sequential", "config": config["config"]["layers"][1:]},
        numbers(3, 5),
    )

    def listed(config: dict[str, Any]) -> dict[str, Any]:
        return {"class_name": "Sequential", "config": config["config"]["layers"][1:]}

    def deferred(config: dict[str, Any]) -> dict[str, Any]:  # 2.2, built by its first call
        config["config"]["layers"] = config["config"]["layers"][1:]
        del config["config"]["layers"][0]["config"]["batch_input_shape"]
        config["config"]["build_input_shape"] = [None, 5]
        return config

    write("listed", dense, listed, numbers(3, 5))
    write("deferred", dense, deferred, numbers(3, 5))

    x = k.Input((5,), name="x")
    shared = k.layers.Dense(5, name="shared")
    functional = k.Model(x, k.layers.Add(name="both")([shared(x), shared(shared(x))]))

    def plain(config: dict[str, Any]) -> dict[str, Any]:  # without the keywords of each call, and the class is "Model"
        for layer in config["config"]["layers"]:
            layer["inbound_nodes"] = [[edge[:3] for edge in node] for node in layer["inbound_nodes"]]
            layer["config"].pop("dtype", None)
        return {"class_name": "Model", "config": config["config"]}

    write("model", functional, plain, numbers(3, 5))


CUDNN_HAS_NOT = (
    "activation recurrent_activation use_bias reset_after dropout recurrent_dropout implementation unroll time_major "
    "zero_output_for_mask"
).split()


def cudnn(folder: Path, k: Any) -> None:
    """Write CuDNNLSTM and CuDNNGRU layers as Keras 2.2 wrote them, from LSTM and GRU: of Keras 2 alone."""
    import importlib

    import h5py

    converted = importlib.import_module(f"{k.__name__}.src.saving.legacy.hdf5_format")._convert_rnn_weights
    for kind, more in (("LSTM", {}), ("GRU", {"reset_after": True})):
        inner = getattr(k.layers, kind)(3, name="inner", return_sequences=True, **more)
        model = k.Sequential([k.Input((6, 4), name="series"), k.layers.Bidirectional(inner, name="both")])
        model.add(getattr(k.layers, kind)(3, name="last", **more))
        model.set_weights([numbers(*weight.shape) for weight in model.get_weights()])
        fake = type(f"CuDNN{kind}", (), {"units": 3, "name": "fake"})()
        weights = model.get_weights()
        model.save(folder / f"{kind}.h5")
        with h5py.File(folder / f"{kind}.h5", "r+") as file:
            text = file.attrs["model_config"].replace(f'"class_name": "{kind}"', f'"class_name": "CuDNN{kind}"')
            config = json.loads(text)
            for layer in config["config"]["layers"]:
                own = layer["config"].get("layer", layer)["config"]
                for key in (
                    "activation",
                    "recurrent_activation",
                    "use_bias",
                    "reset_after",
                    "dropout",
                    "implementation",
                ):
                    own.pop(key, None)
            file.attrs["model_config"] = json.dumps(config)
            groups = file["model_weights"]
            for at, layer in ((0, "both"), (3, "both"), (6, "last")):
                values = converted(fake, weights[at : at + 3])
                paths = [p.decode() if isinstance(p, bytes) else p for p in groups[layer].attrs["weight_names"]]
                for path, value in zip(paths[at % 6 : at % 6 + 3], values, strict=True):
                    del groups[layer][path]
                    groups[layer][path] = value
        fed = numbers(3, 6, 4)
        expect(folder, {"series": fed}, {"last": model(fed)})
        (folder / EXPECTED).rename(folder / f"{kind}.npz")


def unopened(folder: Path, k: Any) -> None:
    """Write a Sequential model without an input layer, built by its first call."""
    model = k.Sequential([k.layers.Dense(4, name="first"), k.layers.Dense(2, name="score")])
    fed = numbers(3, 5)
    output = model(fed)
    expect(folder, {"only": fed}, {"score": output})
    model.save(folder / "model.keras")
    model.save(folder / "model.h5")


def quantized(folder: Path, k: Any) -> None:
    """Write a model that Keras 3 itself quantized or adapted, and one with operations, as .keras and .h5."""
    x, ids = k.Input((6,), name="x"), k.Input((3,), dtype="int32", name="ids")
    rows = k.layers.Embedding(10, 4, name="rows")(ids)
    rows = k.layers.EinsumDense("abc,cd->abd", output_shape=(3, 5), bias_axes="d", name="einsum")(rows)
    both = k.layers.Concatenate(name="both")([k.layers.Dense(9, name="wide")(x), k.layers.Flatten(name="flat")(rows)])
    model = k.Model([x, ids], k.layers.Dense(3, name="score")(both))
    fed = {"x": numbers(4, 6), "ids": abs(numbers(4, 3) * 10).astype("int32")}
    model.save(folder / "float.keras")
    for name in ("int8", "int4", "float8", "lora", "lora_int8"):
        made = k.models.load_model(folder / "float.keras")
        if name.startswith("lora"):
            for layer in made._flatten_layers():
                if hasattr(layer, "enable_lora"):
                    layer.enable_lora(2)
                    for weight in layer.weights:
                        if "lora" in weight.path:
                            weight.assign(numbers(*weight.shape) * 0.3)
        if name != "lora":
            made.quantize(name.removeprefix("lora_"))
        expect(folder, fed, {"score": made(list(fed.values()))})
        (folder / EXPECTED).rename(folder / f"{name}.npz")
        made.save(folder / f"{name}.keras")
        made.save(folder / f"{name}.h5")


def quantized_attention(folder: Path, k: Any) -> None:
    """Write what Keras 3 quantizes inside a layer, and does not load again, and the same model before that."""
    x = k.Input((4, 5), name="x")
    model, fed = k.Model(x, k.layers.MultiHeadAttention(2, 3, name="attention")(x, x)), numbers(3, 4, 5)
    expect(folder, {"x": fed}, {"attention": model(fed)})
    model.save(folder / "before.keras")
    model.quantize("int8")
    model.save(folder / "model.keras")


def spectrogram(folder: Path, k: Any) -> None:
    """Write a spectrogram with a Hann window, as a Keras 3 with scipy writes it: its weights have the window."""
    import h5py
    import numpy as np

    sound = k.Input((400, 1), name="sound")
    layer = k.layers.STFTSpectrogram(
        mode="log", frame_length=64, frame_step=32, fft_length=128, window=None, name="stft"
    )
    model, fed = k.Model(sound, k.layers.Dense(3, name="score")(layer(sound))), numbers(2, 400, 1)
    window = np.hanning(64).reshape(64, 1, 1)
    for kernel in (layer.real_kernel, layer.imag_kernel):
        kernel.assign(kernel * window / np.sqrt((window**2).sum()))
    expect(folder, {"sound": fed}, {"score": model(fed)})
    (folder / "model.json").write_text(model.to_json().replace('"window": null', '"window": "hann"'), "utf-8")
    model.save_weights(folder / "model.weights.h5")
    model.save(folder / "model.h5")
    with h5py.File(folder / "model.h5", "r+") as file:
        file.attrs["model_config"] = file.attrs["model_config"].replace('"window": null', '"window": "hann"')
    model.save(folder / "plain.keras")
    with zipfile.ZipFile(folder / "plain.keras") as plain, zipfile.ZipFile(folder / "model.keras", "w") as changed:
        for name in plain.namelist():
            changed.writestr(name, plain.read(name).replace(b'"window": null', b'"window": "hann"'))


def operated(folder: Path, k: Any) -> None:
    """Write a model with operations of Keras 3 between its layers, one of which has a layer's name."""
    x = k.Input((5,), name="x")
    y = k.ops.tanh(x) * 2.0 + k.ops.array([1.0, 2.0, 3.0, 4.0, 5.0])
    z = k.layers.Add(name="sum")([y[:, 1:3], k.layers.Dense(2, name="two")(x)])
    model, fed = k.Model(x, k.layers.Dense(2, name="score")(k.ops.concatenate([z, x / 2.0], axis=-1))), numbers(3, 5)
    expect(folder, {"x": fed}, {"score": model(fed)})
    model.save(folder / "model.keras")
    model.save(folder / "model.h5")


def saved(folder: Path, k: Any) -> None:
    """Write the nested model as SavedModel, by export() and, in Keras 2, by save()."""
    model, x = nested(k), numbers(3, 8, 8, 1)
    digit, box = model(x)
    model.export(folder / "exported")
    if k.__version__.startswith("2"):
        model.save(folder / "saved", save_format="tf")
        narrow = model.get_layer("narrow")(model.get_layer("flat")(model.get_layer("backbone")(x)))
        expect(folder, {"image": x}, {"digit": digit, "box": box}, {"narrow/BiasAdd": narrow})
        (folder / EXPECTED).rename(folder / "saved.npz")
    expect(folder, {"image": x}, {"output_0": digit, "output_1": box})


def signatures(folder: Path, k: Any) -> None:
    """Write a SavedModel with several signatures, scalars and more than ten outputs, some of no use to an app."""
    import tensorflow as tf

    class Module(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable(numbers(3, 3), name="w")
            self.b = tf.Variable(numbers(3), name="w")
            self.count = tf.Variable(0.0, name="count")
            keys = tf.lookup.KeyValueTensorInitializer(["a"], [1])
            self.table = tf.lookup.StaticHashTable(keys, -1)

    module = Module()

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def many(x):  # type: ignore[no-untyped-def]
        hidden = tf.nn.relu(tf.matmul(x, module.w), name="hidden")
        return {f"output_{i}": hidden + module.b * float(i) for i in range(11)}

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="by"), tf.TensorSpec([3], tf.float32, name="v")])
    def scale(by, v):  # type: ignore[no-untyped-def]
        return {"scaled": v * by, "sum": tf.reduce_sum(v)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def text(text):  # type: ignore[no-untyped-def]
        with tf.name_scope("vocabulary"):
            return {"ids": module.table.lookup(text)}

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def loop(x):  # type: ignore[no-untyped-def]
        return {"y": tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.exp(y, name="inside")), [0, x])[1]}

    x = numbers(2, 3)
    expect(folder, {"x": x}, many(x), {"hidden": tf.nn.relu(x @ module.w)})
    usable = {"many": many, "scale": scale, "loop": loop}
    tf.saved_model.save(module, str(folder / "module"), signatures=usable)
    tf.saved_model.save(module, str(folder / "text"), signatures={**usable, "text": text})
    tf.saved_model.save(module, str(folder / "unsigned"))

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def python(x):  # type: ignore[no-untyped-def]
        return {"y": tf.ensure_shape(tf.numpy_function(lambda a: a * 2, [x], tf.float32), [None, 3])}

    tf.saved_model.save(module, str(folder / "python"), signatures={"serving_default": python})

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def reads(x):  # type: ignore[no-untyped-def]
        return {"y": x + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)}

    tf.saved_model.save(module, str(folder / "reads"), signatures={"serving_default": reads})


def ancient(folder: Path, k: Any) -> None:
    """Write a SavedModel as TensorFlow 1 did: a session's graph."""
    import tensorflow as tf

    v1, x = tf.compat.v1, numbers(2, 3)
    with tf.Graph().as_default(), v1.Session() as session:
        fed = v1.placeholder(tf.float32, [None, 3], name="fed")
        w = v1.get_variable("layer/w", initializer=numbers(3, 2), use_resource=True)
        out = tf.nn.relu(tf.matmul(fed, w), name="layer/relu")
        session.run(v1.global_variables_initializer())
        expect(folder, {"x": x}, {"y": session.run(out, {fed: x})})
        v1.saved_model.simple_save(session, str(folder / "ancient"), {"x": fed}, {"y": out})


def parts(folder: Path, k: Any) -> None:
    """Write two models that join by two names, and one that does not fit."""
    x = k.Input((4,), name="x")
    left, right = k.layers.Dense(3, name="left")(x), k.layers.Dense(2, name="right")(x)
    before = k.Model(x, [left, right])
    a, b = k.Input((2,), name="right"), k.Input((3,), name="left")
    after = k.Model([a, b], k.layers.Dense(2, name="score")(k.layers.Concatenate(name="both")([a, b])))
    fed = numbers(3, 4)
    given = before(fed)
    hidden = k.layers.Concatenate()([given[1], given[0]])
    expect(folder, {"x": fed}, {"score": after([given[1], given[0]])}, {"net/both": hidden})
    before.save(folder / "pre.keras")
    after.save(folder / "net.keras")
    other = k.Input((3,), name="features")
    k.Model([a, other], k.layers.Concatenate(name="both")([a, other])).save(folder / "misnamed.keras")
    short = k.Input((9,), name="left")
    k.Model([a, short], k.layers.Concatenate(name="both")([a, short])).save(folder / "short.keras")
    one = k.Input((2,), name="anything")
    tail = k.Model(one, k.layers.Dense(2, name="final")(one))
    tail.save(folder / "tail.keras")
    (folder / EXPECTED).rename(folder / "two.npz")
    expect(folder, {"x": fed}, {"final": tail(after([given[1], given[0]]))}, {"net/both": hidden})
    (folder / EXPECTED).rename(folder / "tail.npz")
    (folder / "two.npz").rename(folder / EXPECTED)


KINDS: dict[str, Write] = {
    each.__name__: each
    for each in (
        functional,
        sequential,
        custom_layers,
        forms,
        lambdas,
        lambda_names,
        lambda_in_lambda,
        lambda_misses,
        one_lambda,
        subclassed,
        subclassed_pair,
        looped,
        weights,
        old,
        cudnn,
        unopened,
        quantized,
        quantized_attention,
        spectrogram,
        operated,
        saved,
        signatures,
        ancient,
        parts,
    )
}

if __name__ == "__main__":
    kind, folder = sys.argv[1], Path(sys.argv[2])
    from models import keras_of

    chosen = keras_of(legacy=kind.startswith("2:"))
    chosen.utils.set_random_seed(7)
    KINDS[kind.removeprefix("2:")](folder, chosen)
