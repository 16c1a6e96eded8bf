"""`freeze`: the frozen GraphDef, the SavedModel, weights and structure, each loaded again by TensorFlow alone."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import keras3_model
from test_contract import recipe
from worlds import DIGITS, SUPPORT, run_kit

from kit.files import tree_digests
from kit.toolchains.toolchain import find_toolchain
from kit.toolchains.venv import toolchain_venv

# As the recipe wants them: renamed, picked in another order, one from inside.
TEXT = (
    "[[inputs]]\nname = 'first'\nsource = 'zeta'\n"
    "[[outputs]]\nname = 'features'\nsource = 'hidden'\n[[outputs]]\nname = 'result'\nsource = 'out_9'\n"
    "[variables]\nkeep = ['out_b/*']\n"
)
OUTPUTS = ["out_b", "features", "result"]
MODELS = {"3": ("many", ".keras", "2.19.1"), "2": ("keras2_many_h5", ".h5", "2.15.1")}


def in_tensorflow(version: str, folder: Path, what: str) -> Any:
    """Run import_graph.py in a toolchain's Python, without the kit."""
    python = toolchain_venv(find_toolchain(version), lambda _line: None)
    argv = [str(python), str(SUPPORT / "import_graph.py"), str(folder), what]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(argv, env={**env, "CUDA_VISIBLE_DEVICES": "-1"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def frozen(path: Path, version: str, out: str = "dist") -> Path:
    """Freeze a recipe; return the folder."""
    argv = ("freeze", str(path), "--engine", "local", "--tensorflow", version, "--out", str(path.parent / out))
    done = run_kit(*argv)
    assert done.returncode == 0, done.stderr
    return path.parent / out / "m.frozen"


@pytest.fixture(scope="module", params=MODELS)
def folder(request: pytest.FixtureRequest, toolchain_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the formats of a model, with probes; a build of the same recipe keeps what the float model outputs."""
    kind, suffix, version = MODELS[request.param]
    root = tmp_path_factory.mktemp(f"frozen{request.param}")
    model = keras3_model(toolchain_python, root / f"many{suffix}", kind)
    rng = np.random.default_rng(3)
    arrays = {name: rng.normal(size=(5, 6)).astype(np.float32) for name in ("first", "alpha", "mid", "beta")}
    np.savez(root / "data.npz", **arrays)  # type: ignore[arg-type]
    keys = f"outputs = {OUTPUTS}"
    path = recipe(root, model, TEXT + "[checks]\ndata = 'data.npz'\n", keys)
    built = run_kit("build", str(path), "--engine", "local", "--tensorflow", version, "--out", str(root / "dist"))
    assert built.returncode == 0, built.stderr
    result = frozen(path, version)
    np.savez(result / "probes.npz", **{f"input/{name}": array for name, array in arrays.items()})  # type: ignore[arg-type]
    return result


def right(folder: Path) -> dict[str, Any]:
    """Return what the model outputs, as the build kept it of its float32 file."""
    with np.load(folder.parent / "m" / "emulate" / "golden.npz") as golden:
        return {name: golden[f"output/{name}"] for name in OUTPUTS}


def same(got: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Say whether outputs by name are the same to 1e-5."""
    return set(got) == set(wanted) and all(np.allclose(got[name], wanted[name], atol=1e-5) for name in wanted)


@pytest.mark.parametrize(
    "version", ["2.15.1", "2.19.1", *(pytest.param(v, marks=pytest.mark.slow) for v in ("2.12.1", "2.21.0"))]
)
def test_the_graph_runs_by_name_in_older_and_newer_tensorflow(folder: Path, version: str) -> None:
    predictions = in_tensorflow(version, folder, "pb")
    assert list(predictions) == OUTPUTS and same(predictions, right(folder))
    assert not np.allclose(predictions["out_b"], predictions["result"])  # the comparison distinguishes them


def test_a_kept_variable_of_the_graph_is_set_and_assigned(folder: Path) -> None:
    before, after, handles = in_tensorflow("2.19.1", folder, "variable")
    assert handles["out_b"] == ["out_b/bias", "out_b/kernel"]
    assert same(before, right(folder))
    assert np.allclose(after["out_b"], 0.0) and np.allclose(after["features"], before["features"])


def test_the_saved_model_runs_by_name(folder: Path) -> None:
    assert same(in_tensorflow("2.19.1", folder, "saved_model"), right(folder))


def test_weights_and_structure_make_the_model_again(folder: Path) -> None:
    version = "2.19.1" if "frozen3" in str(folder) else "2.15.1"
    predictions = in_tensorflow(version, folder, "rebuild")
    # the source's own six outputs: out_z, out_a, out_10, out_m, out_9, out_b
    assert np.allclose(predictions[5], right(folder)["out_b"], atol=1e-5)
    assert np.allclose(predictions[4], right(folder)["result"], atol=1e-5)


def test_the_same_bytes_twice(toolchain_python: Path, tmp_path: Path) -> None:
    path = recipe(tmp_path, keras3_model(toolchain_python, tmp_path / "m.keras", "many"), TEXT, f"outputs = {OUTPUTS}")
    assert tree_digests(frozen(path, "2.19.1", "one")) == tree_digests(frozen(path, "2.19.1", "two"))


def test_the_same_bytes_twice_of_a_model_with_random_layers(toolchain_python: Path, tmp_path: Path) -> None:
    """Keras 3 gives the dropout in it another seed on every load."""
    path = recipe(tmp_path, keras3_model(toolchain_python, tmp_path / "m.keras", "head"))
    assert tree_digests(frozen(path, "2.19.1", "one")) == tree_digests(frozen(path, "2.19.1", "two"))


@pytest.mark.parametrize("keras", ["3", "2"])
def test_a_wrapped_layer_gets_its_weights_again(toolchain_python: Path, tmp_path: Path, keras: str) -> None:
    """Keras names the weights of a bidirectional layer otherwise than where they lie."""
    kind, suffix, version = {"3": ("gru", ".keras", "2.19.1"), "2": ("keras2_gru_h5", ".h5", "2.15.1")}[keras]
    model = keras3_model(toolchain_python, tmp_path / f"gru{suffix}", kind)
    folder = frozen(recipe(tmp_path, model, "[[inputs]]\nname = 'sequence'\nshape = [7, 5]\n"), version)
    probes = np.random.default_rng(3).normal(size=(2, 7, 5)).astype(np.float32)
    np.savez(folder / "probes.npz", **{"input/sequence": probes})  # type: ignore[arg-type]
    (rebuilt,) = in_tensorflow(version, folder, "rebuild")
    assert np.allclose(rebuilt, in_tensorflow("2.19.1", folder, "pb")["score"], atol=1e-5)


def test_what_is_no_frozen_model_is_not_replaced(tmp_path: Path) -> None:
    diary = tmp_path / "digits.frozen" / "diary.txt"
    diary.parent.mkdir()
    diary.write_text("mine")
    done = run_kit("freeze", str(DIGITS), "--engine", "local", "--out", str(tmp_path))
    assert done.returncode == 2 and "is in the way" in done.stderr and diary.read_text() == "mine"


@pytest.mark.parametrize(
    ("file", "pattern", "name"),
    [
        ("digits.keras", "digit/*", "digit/0"),
        ("digits_keras2.h5", "digit/*", "digit/digit/kernel"),
        ("weights.npz", "digit/*", "digit/kernel"),
    ],
)
def test_inspect_shows_weights(tmp_path: Path, file: str, pattern: str, name: str) -> None:
    path = DIGITS / file
    if file == "weights.npz":
        path = tmp_path / file
        np.savez(path, **{"digit/kernel": np.array([[1.0, 0.0], [-3.0, 0.0]]), "other": np.zeros(3)})  # type: ignore[arg-type]
    done = run_kit("inspect", str(path), "--weights", pattern, "--json")
    assert done.returncode == 0, done.stderr
    found = {each["name"]: each for each in json.loads(done.stdout)}
    assert name in found and all(each.startswith("digit/") for each in found)
    if file == "weights.npz":
        assert found[name] | {"std": 0} == {
            "name": name, "shape": [2, 2], "dtype": "float64", "min": -3.0, "max": 1.0, "mean": -0.5, "std": 0,
            "zeros": 0.5, "values": [[1.0, 0.0], [-3.0, 0.0]],
        }  # fmt: skip


def test_inspect_shows_the_constants_of_a_tflite(digits_bundle: Path) -> None:
    model = digits_bundle / "src" / "main" / "assets" / "digits" / "model.tflite"
    done = run_kit("inspect", str(model), "--weights", "*", "--json")
    assert done.returncode == 0 and {each["dtype"] for each in json.loads(done.stdout)} >= {"int8", "int32"}


def test_a_pattern_that_fits_nothing_names_what_is_there() -> None:
    done = run_kit("inspect", str(DIGITS / "digits.keras"), "--weights", "dgit/*")
    assert done.returncode == 2 and "digit/0" in done.stderr and "next:" in done.stderr
