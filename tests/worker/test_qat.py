"""Models that tensorflow-model-optimization made, as qat_models.py wrote them: held against Keras's outputs."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from worlds import SUPPORT, run_kit

from kit.build.plan import make_plan
from kit.errors import RecipeError
from kit.recipe.load import load_recipe
from kit.tflite.reader import tflite_path

DATA = SUPPORT / "data" / "qat"
INT8 = "scheme = 'int8'\n"
MEASURED = INT8 + "representative = 'calibration.npz'\n"


@dataclass(frozen=True)
class World:
    """A folder with the models and their test data, and a Python that has LiteRT alone."""

    folder: Path
    runtime: Path

    def recipe(self, model: str, quantize: str, version: str = "2.19.1") -> Path:
        path = self.folder / "m.toml"
        text = f"[model]\npath = '{model}'\nid = 'm'\n[toolchain]\ntensorflow = '{version}'\n[quantize]\n{quantize}"
        path.write_text(text, "utf-8")
        return path

    def build(self, model: str, quantize: str, version: str = "2.19.1", code: int = 0) -> str:
        """Build it, and return what the kit says."""
        recipe = self.recipe(model, quantize, version)
        done = run_kit("build", str(recipe), "--engine", "local", "--out", str(self.folder / "dist"))
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def outputs(self, count: int) -> np.ndarray:
        """Return what LiteRT gives for the first images [N, 8, 8, 1]: [N, 10]."""
        fed: dict[str, Any] = {self.input: images()[:count]}
        np.savez(self.folder / "asked.npz", **fed)
        script = SUPPORT / "ask_model.py"
        files = [str(tflite_path(self.bundle)), str(self.folder / "asked.npz"), str(self.folder / "got.npz")]
        subprocess.run([str(self.runtime), str(script), *files], check=True, capture_output=True)
        with np.load(self.folder / "got.npz") as got:
            return np.asarray(got[got.files[0]])

    def accuracy(self) -> float:
        with np.load(DATA / "expected.npz") as archive:
            y = archive["y"]
        return float(np.mean(self.outputs(len(y)).argmax(axis=1) == y))

    def off(self, model: str) -> float:
        """Return the largest difference from what Keras gave for the first images: probabilities."""
        with np.load(DATA / "expected.npz") as archive:
            return float(np.abs(self.outputs(32) - archive[model]).max())

    @property
    def bundle(self) -> Path:
        return self.folder / "dist" / "m"

    @property
    def input(self) -> str:
        return str(json.loads(next(self.bundle.rglob("signature.json")).read_text("utf-8"))["inputs"][0]["name"])

    @property
    def notes(self) -> str:
        return "\n".join(json.loads((self.bundle / "bundle.json").read_text("utf-8"))["notes"])


def images() -> np.ndarray:
    with np.load(DATA / "expected.npz") as archive:
        return np.asarray(archive["image"] / 16, np.float32)


@pytest.fixture
def world(tmp_path: Path, runtime_python: Path) -> World:
    """Give the models in a folder of their own."""
    shutil.copytree(DATA, tmp_path, dirs_exist_ok=True)
    np.savez(tmp_path / "calibration.npz", image=images()[-200:])
    return World(tmp_path, runtime_python)


def slow(*values: str) -> object:
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("model", "version"),
    [
        ("qat-2.19.h5", "2.19.1"),
        slow("qat-2.15.h5", "2.12.1"),
        slow("qat-2.15.h5", "2.15.1"),
        slow("qat-2.15.h5", "2.21.0"),
        slow("qat-2.19.h5", "2.12.1"),
        slow("qat-2.19.keras", "2.19.1"),
        slow("qat-2.19.keras", "2.21.0"),
    ],
)
def test_int8_takes_the_ranges_that_training_learned_and_loses_less(world: World, model: str, version: str) -> None:
    world.build(model, INT8, version)
    assert world.off(model) < 0.1
    trained = world.accuracy()
    world.build("float-2.19.h5", MEASURED + "\n[checks]\ngate = false\n", "2.19.1")  # which refuses it
    assert trained > world.accuracy() + 0.03


def test_a_part_that_was_not_trained_needs_data_and_is_named(world: World) -> None:
    message = world.build("partial.h5", INT8, code=2)
    assert "no range was learned of what bn, relu, bn2, depthwise, bn3, relu3, flat, digit give" in message
    assert "give data to measure those on: [quantize] representative = 'samples.npz'; or train" in message
    assert not world.bundle.exists()
    world.build("partial.h5", MEASURED)
    assert world.accuracy() > 0.9  # 0.923 as trained
    assert "calculate in float" not in world.notes


def test_in_float_the_weights_are_rounded_as_trained_and_the_activations_are_not(world: World) -> None:
    world.build("qat-2.19.h5", "scheme = 'float32'")
    assert "its activations are not rounded" in world.notes
    assert world.off("qat-2.19.h5") > 1e-3
    assert world.accuracy() > 0.94  # 0.959 as trained


@pytest.mark.parametrize(
    ("model", "note"),
    [
        ("pruned.h5", "pruned with tfmot: 50.0% of 2,088 weights are zero (conv 50%, point 50%, digit 50%)"),
        (
            "clustered.h5",
            "clustered with tfmot: the weights of a layer take few different values (conv 8, point 8, digit 8)",
        ),
    ],
)
def test_wrappers_of_training_are_stripped_and_the_weights_reported(world: World, model: str, note: str) -> None:
    world.build(model, "scheme = 'float32'")
    assert world.off(model) < 1e-5
    assert note in world.notes


@pytest.mark.slow
def test_clusters_that_training_for_8_bits_preserved_are_reported(world: World) -> None:
    world.build("cqat.h5", INT8)
    assert world.off("cqat.h5") < 0.1
    assert "trained for 8 bits: the weights of a layer take few different values" in world.notes


def test_a_configuration_of_the_users_own_is_named_and_its_saved_model_builds(world: World) -> None:
    message = world.build("custom.h5", INT8, code=3)
    assert "layer 'digit' was trained with the quantize_config 'Doubled', which is not one of tfmot's own" in message
    assert "save it as a SavedModel with the code that trained it, tf.saved_model.save(model, 'folder')" in message
    world.build("custom", INT8)
    assert world.off("custom.h5") < 0.1


def test_four_bits_are_eight_after_the_next_step(world: World) -> None:
    message = world.build("nbit.h5", INT8, code=3)
    assert "layer 'relu' was trained with tfmot's experimental n-bit scheme (" in message
    assert "next: train it with tfmot's default scheme of 8 bits: quantize_apply(model)" in message
    world.build("qat-2.19.h5", INT8)  # which is trained so


@pytest.mark.slow
def test_clusters_around_an_lstm_are_stripped_with_tfmot(world: World) -> None:
    message = world.build("clustered-rnn.h5", "scheme = 'float32'", code=3)
    assert "layer 'lstm' is a recurrent layer with tfmot's clustering still around it, which is not read" in message
    step = "with the code that trained it, save tfmot.clustering.keras.strip_clustering(model) instead"
    assert f"next: {step}" in message
    world.build("clustered-rnn-stripped.h5", "scheme = 'float32'")  # which is what that gave


@pytest.mark.slow
def test_a_wrapper_with_other_variables_is_saved_in_the_other_format(world: World) -> None:
    """As a version of tfmot would write it that keeps one more number: none is known that does."""
    path, weights = world.folder / "qat-2.19.keras", world.folder / "model.weights.h5"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    weights.write_bytes(members[weights.name])
    with h5py.File(weights, "r+") as file:
        file["layers/quantize_wrapper_v2/vars"]["5"] = np.zeros((), np.float32)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, weights.read_bytes() if name == weights.name else content)
    message = world.build(path.name, INT8, code=3)
    assert "variables in the file, not those that tfmot writes" in message
    assert "next: save it again with tfmot 0.8 and Keras 2.12 or newer, as .h5" in message
    world.build("qat-2.19.h5", INT8)


def test_int8_without_data_is_refused_for_a_model_without_ranges(world: World) -> None:
    recipe = load_recipe(world.recipe("float-2.19.h5", INT8))
    with pytest.raises(RecipeError, match="scheme 'int8' needs representative data"):
        make_plan(recipe, "")
    assert make_plan(load_recipe(world.recipe("qat-2.19.h5", INT8)), "").sources[0].trained_int8
    assert make_plan(load_recipe(world.recipe("custom", INT8)), "").sources[0].trained_int8
