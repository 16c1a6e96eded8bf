"""[model] code in every form in which users import Keras: in each, the Keras is the one that wrote the file."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from source_models import written
from test_loading import CODE, python
from worlds import ROOT, SUPPORT

from kit.shared.job import JobError, ModelPart, dump
from kit.toolchains.toolchain import find_toolchain
from kit.worker.source.custom_objects import load_custom

SEVEN = {
    "import keras": "keras.layers.Layer",
    "from keras import layers": "layers.Layer",
    "from keras.layers import Layer": "Layer",
    "import tensorflow as tf": "tf.keras.layers.Layer",
    "from tensorflow import keras": "keras.layers.Layer",
    "from tensorflow.keras import layers": "layers.Layer",
    "from tensorflow.keras.layers import Layer": "Layer",
}
MORE = {
    "import tensorflow.keras as keras": "keras.layers.Layer",
    "from tensorflow.keras import backend as K, layers; assert K.floatx()": "layers.Layer",
    "from keras import backend as K, layers; assert K.floatx()": "layers.Layer",
    "from keras.models import Model; from keras.layers import *": "Layer",
    "import keras.layers as kl, tensorflow.keras.layers as tl; assert kl.Dense is tl.Dense": "kl.Layer",
}
SHORT = ("import keras", "from tensorflow.keras.layers import Layer", "import tf_keras")  # for the other kinds of files
REGISTERED = {
    "from keras.utils import register_keras_serializable as own; from keras.layers import Layer": "own(package='ours')",
    "import keras; from keras.layers import Layer": "keras.saving.register_keras_serializable(package='ours')",
}
CLASS = '''
class Shift(BASE):
    """Adds a number that its configuration holds."""

    def __init__(self, by=1.0, **kwargs):
        super().__init__(**kwargs)
        self.by = by

    def call(self, x):
        return x + self.by
'''
GIVEN = "CUSTOM_OBJECTS = {'Shift': Shift}\n"
BUILT = """
def build_model():
    {0}
    x = keras.Input((5,), name="x")
    return keras.Model(x, keras.layers.Dense(3, name="score")(Shift(0.5, name="shift")(x)))
"""
COLUMNS = [
    (version, legacy)
    for version in ("2.12.1", "2.15.1", "2.16.2", "2.19.1", "2.21.0")
    for legacy in (True, False)
    if legacy or find_toolchain(version).legacy_keras
]
DEFAULT = {"2.19.1"}


def codes(version: str, *, legacy: bool) -> dict[str, str]:
    """Return the code of each form that exists there, by its first line."""
    lines = SEVEN | MORE
    if legacy:
        lines |= {"import tf_keras": "tf_keras.layers.Layer"}
    if version != "2.12.1":
        lines |= {"from keras.src.layers import Layer": "Layer"}
    plain = {line: line + CLASS.replace("BASE", base) + GIVEN for line, base in lines.items()}
    body = CLASS.replace("BASE", "Layer")
    marks = {line: mark for line, mark in REGISTERED.items() if version != "2.12.1" or "saving" not in mark}
    own = {line: f"{line}\n@{mark}{body}CUSTOM_OBJECTS = {{}}\n" for line, mark in marks.items()}
    return plain | own


def loaded(folder: Path, version: str, kind: str, forms: dict[str, str], *, legacy: bool) -> dict[str, Any]:
    """Load the folder's "format file" once for each form, and return what came of each."""
    form, file = kind.split(" ")
    part = ModelPart(file, form, legacy, file)
    (folder / "job.json").write_text(dump(replace(CODE, parts=(part,))), "utf-8")
    (folder / "forms.json").write_text(json.dumps(forms), "utf-8")
    return run(folder, version)


def run(folder: Path, version: str) -> dict[str, Any]:
    """Load the folder's job once for each of its forms, and return what came of each."""
    argv = [str(python(version)), "-s", str(SUPPORT / "code_forms.py"), str(folder)]
    env = {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(argv, env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    outcomes: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return outcomes


@pytest.mark.parametrize(
    ("version", "legacy"),
    [
        pytest.param(
            *each, id=f"{each[0]}-keras{2 if each[1] else 3}", marks=() if each[0] in DEFAULT else pytest.mark.slow
        )
        for each in COLUMNS
    ],
)
def test_code_loads_in_every_form_and_toolchain(tmp_path: Path, version: str, legacy: bool) -> None:
    folder = written(python(version), "2:forms" if legacy else "forms", tmp_path)
    toolchain = find_toolchain(version)
    pinned = (toolchain.legacy_keras or toolchain.keras) if legacy else toolchain.keras
    forms = codes(version, legacy=legacy)
    keras = {line: ("import tf_keras as keras" if line == "import tf_keras" else "import keras") for line in forms}
    built = {line: forms[line] + BUILT.format(keras[line]) for line in SHORT if line in forms}
    files = {".h5 model.h5": forms, "weights model.weights.h5": built}
    if version != "2.12.1":  # its save("model.keras") writes HDF5, too
        files |= {".keras model.keras": {line: forms[line] for line in SHORT if line in forms}}
    for kind, each in files.items():
        outcomes = loaded(folder, version, kind, each, legacy=legacy)
        assert set(outcomes) == set(each)
        wrong = {line: found for line, found in outcomes.items() if max(found.get("worst", {"": 1}).values()) > 1e-6}
        assert not wrong, (kind, wrong)
        assert {found["loader"].split()[1] for found in outcomes.values()} == {pinned}


def joined(folder: Path, code: str) -> dict[str, Any]:
    """Load a Keras 2 file with code, joined with a Keras 3 file behind it."""
    parts = (ModelPart("model.h5", ".h5", True, "old.h5"), ModelPart("pre.keras", ".keras", False, "new.keras"))
    (folder / "job.json").write_text(dump(replace(CODE, parts=parts)), "utf-8")
    (folder / "forms.json").write_text(json.dumps({"code": code}), "utf-8")
    (folder / "expected.npz").unlink(missing_ok=True)
    outcomes: dict[str, Any] = run(folder, "2.19.1")["code"]
    return outcomes


def test_beside_a_file_of_keras_3_code_for_one_of_keras_2_imports_tf_keras(tmp_path: Path) -> None:
    written(python("2.19.1"), "parts", tmp_path)
    written(python("2.19.1"), "2:custom_layers", tmp_path)
    code = (tmp_path / "custom.py").read_text("utf-8")
    kind, message, hint = joined(tmp_path, code)["refusal"]
    assert kind == "model"
    assert message.startswith("Keras 2.19.0 cannot load the model: ")
    assert "of keras, and the file is of Keras 2.19.0: write `import tf_keras` in the code" in hint
    report = joined(tmp_path, code.replace("import keras", "import tf_keras as keras"))
    assert report["loader"] == "tf_keras 2.19.0 + keras 3.15.1"


def test_a_layer_of_tensorflows_private_keras_says_what_to_import(tmp_path: Path) -> None:
    folder = written(python("2.19.1"), "2:forms", tmp_path)
    code = "from tensorflow.python.keras.layers import Layer" + CLASS.replace("BASE", "Layer") + GIVEN
    report = loaded(
        folder, "2.19.1", ".h5 model.h5", {"private": code, "public": code.replace("python.", "")}, legacy=True
    )
    assert report["private"]["refusal"][2].endswith("a Keras of its own: import tensorflow.keras")
    assert report["public"]["worst"]["score"] < 1e-6


def test_a_module_that_no_toolchain_has_is_reported_with_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "custom.py").write_text("import numpy\nimport pandas.core\n", "utf-8")
    with pytest.raises(JobError) as caught:
        load_custom(tmp_path, CODE)
    assert "custom.py, line 2: ModuleNotFoundError" in caught.value.refusal.message
    message = (
        " is not in the toolchain, which has numpy, TensorFlow, Keras, h5py and the standard library: leave it out, or"
    )
    assert caught.value.refusal.hint.startswith(f"pandas{message}")
    (tmp_path / "custom.py").write_text("import numpy\nCUSTOM_OBJECTS = {}\n", "utf-8")
    assert load_custom(tmp_path, CODE).objects == {}
