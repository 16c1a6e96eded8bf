"""Variables that stay variables: read, assigned, used, stored, restored by name; and what became of the others."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import keras3_model
from test_contract import build, file_of, recipe, refused
from worlds import DIGITS, SUPPORT, on, run_kit

from kit.toolchains.toolchain import find_runtime, runtimes, toolchains
from kit.toolchains.venv import runtime_venv

KEEP = "[variables]\nkeep = ['digit/*']\n"
QUANTIZE = {
    "float32": "",
    "dynamic": "[quantize]\nscheme = 'dynamic'\n",
    "int8": "[quantize]\nscheme = 'int8'\nio = 'uint8'\nrepresentative = 'data.npz'\n",
}
MODELS = {"3": ("head", ".keras"), "2": ("keras2_head_h5", ".h5")}


def head(python: Path, folder: Path, keras: str = "3") -> Path:
    """Write the model with a head, and calibration data beside it."""
    kind, suffix = MODELS[keras]
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "data.npz", image=np.random.default_rng(3).uniform(0, 1, (50, 8, 8, 1)).astype(np.float32))
    return keras3_model(python, folder / f"head{suffix}", kind)


def on_runtime(name: str, path: Path, state: Path, what: str) -> dict[str, Any]:
    """Run personalise.py on a pinned runtime."""
    runtime = find_runtime(name)
    python = runtime_venv(runtime, runtime.lock(images=False), lambda _line: None)
    model = path.parent / "dist" / "m" / "src" / "main" / "assets" / "m" / "model.tflite"
    argv = [str(python), str(SUPPORT / "personalise.py"), str(model), str(state), what]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module", params=QUANTIZE)
def kept(
    request: pytest.FixtureRequest, toolchain_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """Give (scheme, recipe) of a built model with a kept head."""
    folder = tmp_path_factory.mktemp(request.param)
    path = recipe(folder, head(toolchain_python, folder), QUANTIZE[request.param] + KEEP)
    manifest = build(path, "--tensorflow", "2.19.1")
    assert [tensor["name"] for tensor in manifest["signature"]["variables"]["tensors"]] == [
        "digit/kernel",
        "digit/bias",
    ]
    return request.param, path


@pytest.mark.parametrize("runtime", on(runtimes()))
def test_a_head_is_read_assigned_stored_and_restored(kept: tuple[str, Path], tmp_path: Path, runtime: str) -> None:
    scheme, path = kept
    seen = on_runtime(runtime, path, tmp_path / "state.npz", "learn")
    assert set(seen["initial"]) == {"digit/kernel", "digit/bias"} and seen["count"] == 2 and seen["exact"]
    # Turned round, the head gives every class the score of its opposite.
    near = 1e-5 if scheme == "float32" else 0.02
    assert np.allclose(seen["changed"], seen["at_first"][::-1], atol=near * (255 if scheme == "int8" else 1))
    assert seen["changed"] != seen["at_first"] and seen["put_back"] == seen["at_first"]
    again = on_runtime(runtime, path, tmp_path / "state.npz", "restore")
    assert again["at_first"] == seen["at_first"] and again["restored"] == seen["changed"]


@pytest.mark.parametrize("example", ["recipe.toml", "keras2.toml"])
def test_the_statuses_add_up_on_the_examples(tmp_path: Path, example: str) -> None:
    out = tmp_path / "dist"
    built = run_kit("build", str(DIGITS / example), "--engine", "local", "--out", str(out), "--json")
    assert built.returncode == 0, built.stderr
    manifest = json.loads(built.stdout)
    statuses = manifest["variables"]
    counted = sum(math.prod(each["shape"]) for each in statuses)
    assert counted == manifest["source"]["parameters"] and len({each["name"] for each in statuses}) == len(statuses)
    assert {each["status"] for each in statuses} <= {"constant", "folded", "unused"}


@pytest.mark.parametrize("keras", MODELS)
def test_every_variable_has_a_status(toolchain_python: Path, tmp_path: Path, keras: str) -> None:
    path = recipe(tmp_path, head(toolchain_python, tmp_path, keras), KEEP)
    statuses = {each["name"]: each for each in build(path, "--tensorflow", "2.19.1")["variables"]}
    wanted = {
        "conv/kernel": "constant",
        "norm/gamma": "folded",
        "norm/beta": "folded",
        "norm/moving_mean": "folded",
        "norm/moving_variance": "folded",
        "digit/kernel": "kept",
        "digit/bias": "kept",
    }
    found = {name: each["status"] for name, each in statuses.items() if "seed" not in name}
    assert found == wanted
    assert "conv" in statuses["norm/gamma"]["where"] and "digit" in statuses["digit/kernel"]["where"]
    assert all(each["status"] == "unused" for name, each in statuses.items() if "seed" in name)


def test_without_keep_the_file_holds_no_variable(toolchain_python: Path, tmp_path: Path) -> None:
    path = recipe(tmp_path, head(toolchain_python, tmp_path))
    manifest = build(path, "--tensorflow", "2.19.1")
    assert "variables" not in manifest["signature"]
    assert {code.name for code in file_of(path).operator_codes}.isdisjoint({"VAR_HANDLE", "READ_VARIABLE"})


@pytest.mark.parametrize(
    ("optimizer", "scheme"),
    [
        ("adam", "float32"),
        ("sgd", "dynamic"),
        pytest.param("sgd", "float32", marks=pytest.mark.slow),
        pytest.param("adam", "dynamic", marks=pytest.mark.slow),
    ],
)
def test_a_head_learns_on_the_device(toolchain_python: Path, tmp_path: Path, optimizer: str, scheme: str) -> None:
    train = f"[variables.train]\nloss = 'categorical_crossentropy'\noptimizer = '{optimizer}'\nbatch = 4\n"
    path = recipe(tmp_path, head(toolchain_python, tmp_path), QUANTIZE[scheme] + KEEP + train)
    manifest = build(path, "--tensorflow", "2.19.1")
    signature = manifest["signature"]["train"]
    assert [(t["name"], t["shape"]) for t in signature["inputs"]] == [("image", [4, 8, 8, 1]), ("target", [4, 10])]
    assert manifest["emulation"]["train"]["pass"], manifest["emulation"]["train"]
    kept = [tensor["name"] for tensor in manifest["signature"]["variables"]["tensors"]]
    assert ("digit/kernel/adam/m" in kept) == (optimizer == "adam")
    assert not any(code.name.startswith("CUSTOM") for code in file_of(path).operator_codes)


def test_training_an_int8_model_is_refused_with_the_way_out(toolchain_python: Path, tmp_path: Path) -> None:
    train = "[variables.train]\nloss = 'categorical_crossentropy'\n"
    message = refused(recipe(tmp_path, head(toolchain_python, tmp_path), QUANTIZE["int8"] + KEEP + train))
    assert "needs float arithmetic" in message and "dynamic" in message


def test_a_gradient_that_tflite_lacks_is_named(toolchain_python: Path, tmp_path: Path) -> None:
    text = "[variables]\nkeep = ['conv/*']\n[variables.train]\nloss = 'categorical_crossentropy'\n"
    message = refused(recipe(tmp_path, head(toolchain_python, tmp_path), text), "--tensorflow", "2.19.1")
    assert "ReluGrad" in message and "such as the last layer's" in message


@pytest.mark.parametrize("keras", ["3", pytest.param("2", marks=pytest.mark.slow)])
def test_the_state_of_a_recurrent_layer_has_to_be_kept(toolchain_python: Path, tmp_path: Path, keras: str) -> None:
    kind, suffix = {"3": ("stateful", ".keras"), "2": ("keras2_stateful_h5", ".h5")}[keras]
    model = keras3_model(toolchain_python, tmp_path / f"stateful{suffix}", kind)
    message = refused(recipe(tmp_path, model), "--tensorflow", "2.19.1")
    assert "changes from call to call" in message and "keep it as a variable: [variables] keep" in message
    state = "memory/rnn*" if keras == "3" else "memory/Variable*"
    manifest = build(recipe(tmp_path, model, f"[variables]\nkeep = ['{state}']\n"), "--tensorflow", "2.19.1")
    assert len(manifest["signature"]["variables"]["tensors"]) == 2
    assert manifest["measures"]["outputs"][0]["worst_error"] < 1e-5  # eight steps in a row, each after the other


def test_a_pattern_that_names_no_variable_is_refused(toolchain_python: Path, tmp_path: Path) -> None:
    path = recipe(tmp_path, head(toolchain_python, tmp_path), "[variables]\nkeep = ['digits/*']\n")
    message = refused(path, "--tensorflow", "2.19.1")
    assert "digits/*" in message and "digit/kernel" in message and "norm/moving_mean" in message


@pytest.mark.slow
@pytest.mark.parametrize("version", list(toolchains()))
def test_every_toolchain_keeps_variables(toolchain_python: Path, tmp_path: Path, version: str) -> None:
    path = recipe(tmp_path, head(toolchain_python, tmp_path, "2"), QUANTIZE["int8"] + KEEP)
    manifest = build(path, "--tensorflow", version)
    assert manifest["emulation"]["verdict"] == "pass"
    assert [tensor["name"] for tensor in manifest["signature"]["variables"]["tensors"]] == [
        "digit/kernel",
        "digit/bias",
    ]
