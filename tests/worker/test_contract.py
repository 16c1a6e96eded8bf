"""The I/O contract: names, order, types and shapes of the source model in the file, in every toolchain, proved."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import keras3_model
from third_party import fetch
from worlds import ROOT, SUPPORT, run_kit

from kit.shared.job import InputSpec, Job, ModelPart, dump
from kit.tflite.reader import read_tflite, tflite_path
from kit.toolchains.toolchain import find_runtime, toolchains
from kit.toolchains.venv import runtime_venv

INPUTS = ["zeta", "alpha", "mid", "beta"]
OUTPUTS = ["out_z", "out_a", "out_10", "out_m", "out_9", "out_b"]
VERSIONS = list(toolchains())
KERAS_3 = [version for version in VERSIONS if toolchains()[version].can_load(".keras", "3.15.1")]
NEAR = {"2.19.1", "2.15.1"}  # the toolchains that other tests have made already


def recipe(folder: Path, model: Path, text: str = "", model_keys: str = "") -> Path:
    """Write a recipe for a model: more keys of [model], and more tables."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.toml"
    path.write_text(f"[model]\npath = '{model}'\nid = 'm'\n{model_keys}\n{text}\n", "utf-8")
    return path


def build(path: Path, *more: str) -> dict[str, Any]:
    """Build locally; return bundle.json."""
    out = path.parent / "dist"
    built = run_kit("build", str(path), "--engine", "local", "--out", str(out), "--json", *more)
    assert built.returncode == 0, built.stderr
    return dict(json.loads(built.stdout))


def refused(path: Path, *more: str) -> str:
    """Build what must be refused; return the message. Nothing may be left."""
    out = path.parent / "dist"
    built = run_kit("build", str(path), "--engine", "local", "--out", str(out), *more)
    assert built.returncode in {2, 3}, built.stdout + built.stderr
    assert "next:" in built.stderr and "Traceback" not in built.stderr, built.stderr
    assert not (out / "m").exists()
    return built.stderr


def file_of(path: Path) -> Any:
    """Return the built .tflite as the kit reads it."""
    return read_tflite(tflite_path(path.parent / "dist" / "m"))


def with_toolchain(version: str, heavy: bool = True) -> Any:
    """Mark a case by its toolchain: what is not made yet is slow."""
    return pytest.param(version, marks=[pytest.mark.slow] if heavy and version not in NEAR else [])


@pytest.fixture(scope="session")
def many(toolchain_python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Give the model of four inputs and six outputs, written by Keras 3 and by Keras 2."""
    folder = tmp_path_factory.mktemp("many")
    return {
        "3": keras3_model(toolchain_python, folder / "many.keras", "many"),
        "2": keras3_model(toolchain_python, folder / "many.h5", "keras2_many_h5"),
    }


@pytest.mark.parametrize(
    ("keras", "version"),
    [
        pytest.param(keras, version, marks=() if (keras, version) == ("3", "2.19.1") else pytest.mark.slow)
        for keras, versions in (("3", KERAS_3), ("2", VERSIONS))
        for version in versions
    ],
)
def test_names_and_order_are_the_models(many: Mapping[str, Path], tmp_path: Path, keras: str, version: str) -> None:
    path = recipe(tmp_path, many[keras])
    manifest = build(path, "--tensorflow", version)
    signature = manifest["signature"]
    assert [tensor["name"] for tensor in signature["inputs"]] == INPUTS
    assert [tensor["name"] for tensor in signature["outputs"]] == OUTPUTS
    assert manifest["notes"] == []  # every pair was distinguished
    assert all(measure["worst_error"] < 1e-5 for measure in manifest["measures"]["outputs"])
    # and so in the file itself, in its signature and in its graph
    file = file_of(path)
    (inside,) = file.signatures
    assert list(inside.inputs) == INPUTS and list(inside.outputs) == OUTPUTS
    graph = file.subgraphs[inside.subgraph]
    assert tuple(inside.inputs.values()) == graph.inputs and tuple(inside.outputs.values()) == graph.outputs


@pytest.mark.parametrize(
    ("which", "one", "other"),
    [("outputs", "out_z", "out_b"), ("outputs", "out_9", "out_10"), ("inputs", "mid", "zeta")],
)
def test_two_names_exchanged_in_the_product_are_found(
    many: Mapping[str, Path], toolchain_python: Path, tmp_path: Path, which: str, one: str, other: str
) -> None:
    said = _swapped(many["3"], toolchain_python, tmp_path, which, one, other)
    assert said["right"] == []
    assert "of the produced file is the model's" in said["wrong"], said


def test_int8_is_proved_on_calibration_data(many: Mapping[str, Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    # ranges a thousandfold apart
    arrays: dict[str, Any] = {name: rng.normal(0, 10.0**i, (64, 6)).astype(np.float32) for i, name in enumerate(INPUTS)}
    np.savez(tmp_path / "data.npz", **arrays)
    path = recipe(tmp_path, many["3"], "[quantize]\nscheme = 'int8'\nrepresentative = 'data.npz'")
    manifest = build(path, "--tensorflow", "2.19.1")
    assert manifest["notes"] == []
    # outputs of about one
    assert all(measure["mean_error"] < 0.05 for measure in manifest["measures"]["outputs"]), manifest["measures"]


def test_the_recipe_renames_orders_picks_and_looks_inside(many: Mapping[str, Path], tmp_path: Path) -> None:
    path = recipe(
        tmp_path,
        many["3"],
        "[[inputs]]\nname = 'first'\nsource = 'mid'\n"
        "[[outputs]]\nname = 'features'\nsource = 'hidden'\n"
        "[[outputs]]\nname = 'result'\nsource = 'out_9'\n",
        "inputs = ['beta', 'first', 'zeta', 'alpha']\noutputs = ['out_b', 'features', 'result']",
    )
    signature = build(path, "--tensorflow", "2.19.1")["signature"]
    assert [tensor["name"] for tensor in signature["inputs"]] == ["beta", "first", "zeta", "alpha"]
    assert [tensor["name"] for tensor in signature["outputs"]] == ["out_b", "features", "result"]
    assert signature["inputs"][1]["origin"] == "mid" and signature["outputs"][1]["origin"] == "hidden"
    (inside,) = file_of(path).signatures
    assert list(inside.inputs) == ["beta", "first", "zeta", "alpha"]
    assert list(inside.outputs) == ["out_b", "features", "result"]


@pytest.mark.parametrize(
    ("text", "keys", "words"),
    [
        ("[[outputs]]\nname = 'out_y'", "", ["out_y", "did you mean 'out_z'", *OUTPUTS, "hidden"]),
        ("[[inputs]]\nname = 'alfa'", "", ["alfa", "did you mean 'alpha'", *INPUTS]),
        ("", "inputs = ['zeta', 'beta']", ["leaves out: alpha, mid"]),
        ("", "outputs = ['out_y']", ["did you mean 'out_z'"]),
        ("[[outputs]]\nname = 'out_z'\nsource = 'out_a'", "", ["two outputs would be named 'out_z'"]),
        ("[[outputs]]\nname = 'out_z'", "outputs = ['out_a']", ["out_z is not among"]),
    ],
)
def test_a_name_that_is_not_there_is_refused(
    many: Mapping[str, Path], tmp_path: Path, text: str, keys: str, words: Sequence[str]
) -> None:
    message = refused(recipe(tmp_path, many["3"], text, keys), "--tensorflow", "2.19.1")
    assert all(word in message for word in words), message


def test_hostile_names_reach_the_file(toolchain_python: Path, tmp_path: Path) -> None:
    path = recipe(tmp_path, keras3_model(toolchain_python, tmp_path / "hostile.keras", "hostile"))
    signature = build(path, "--tensorflow", "2.19.1")["signature"]
    assert [tensor["name"] for tensor in signature["inputs"]] == ["my input é", "class"]
    assert [tensor["name"] for tensor in signature["outputs"]] == ["0digit", "fun.1"]


def test_ids_and_flags_keep_their_types(toolchain_python: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    np.savez(
        tmp_path / "data.npz",
        ids=rng.integers(0, 1000, (64, 4)),
        amount=rng.uniform(-1, 1, (64, 1)),
        flags=rng.integers(0, 2, (64, 2)),
    )
    model = keras3_model(toolchain_python, tmp_path / "typed.keras", "typed")
    text = "[quantize]\nscheme = 'int8'\nio = 'int8'\nrepresentative = 'data.npz'"
    manifest = build(recipe(tmp_path, model, text), "--tensorflow", "2.19.1")
    assert [tensor["dtype"] for tensor in manifest["signature"]["inputs"]] == ["int32", "int8", "bool"]
    assert manifest["measures"]["outputs"][0]["worst_error"] < 0.05


def test_ids_that_the_model_takes_as_floats_are_not_quantized(toolchain_python: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", ids=np.random.default_rng(3).integers(0, 1000, (64, 4)))
    model = keras3_model(toolchain_python, tmp_path / "ids.keras", "float_ids")
    text = "[quantize]\nscheme = 'int8'\nrepresentative = 'data.npz'\n"
    message = refused(recipe(tmp_path, model, text), "--tensorflow", "2.19.1")
    assert 'let the app feed whole numbers: [[inputs]] name = "ids" and dtype = "int32"' in message
    assert "holds ids" in message
    text += "[[inputs]]\nname = 'ids'\ndtype = 'int32'\n"
    manifest = build(recipe(tmp_path, model, text), "--tensorflow", "2.19.1")
    assert manifest["signature"]["inputs"][0]["dtype"] == "int32"
    assert manifest["measures"]["outputs"][0]["worst_error"] < 0.01


@pytest.mark.slow  # test_android_open.py has an open length in each run
@pytest.mark.parametrize("kind", ["gru", "keras2_gru_h5"])
def test_a_recurrent_model_with_an_open_axis_runs_or_is_refused(
    toolchain_python: Path, tmp_path: Path, kind: str
) -> None:
    model = keras3_model(toolchain_python, tmp_path / f"gru{'.h5' if kind.endswith('h5') else '.keras'}", kind)
    message = refused(recipe(tmp_path / "open", model), "--tensorflow", "2.19.1")
    assert "leaves an axis open" in message and "shape = [...]" in message
    fixed = build(recipe(tmp_path / "fixed", model, "[[inputs]]\nname = 'sequence'\nshape = [7, 5]"))
    assert fixed["signature"]["inputs"][0]["shape"] == [1, 7, 5]
    assert any("one sample in each call" in note for note in fixed["notes"])
    assert fixed["measures"]["outputs"][0]["worst_error"] < 1e-5
    path = recipe(tmp_path / "dynamic", model, "[[inputs]]\nname = 'sequence'\nshape = [-1, 5]")
    dynamic = build(path)
    assert dynamic["signature"]["inputs"][0]["shape"] == [1, -1, 5]
    assert not any(code.name.startswith("CUSTOM") for code in file_of(path).operator_codes)
    message = refused(recipe(tmp_path / "batch", model, "[[inputs]]\nname = 'sequence'\nshape = [7, 5]", "batch = -1"))
    assert "fixed batch" in message


def test_a_dynamic_batch_is_resized(many: Mapping[str, Path], tmp_path: Path) -> None:
    path = recipe(tmp_path, many["3"], model_keys="batch = -1")
    manifest = build(path, "--tensorflow", "2.19.1")
    assert {tuple(tensor["shape"]) for tensor in manifest["signature"]["inputs"]} == {(-1, 6)}
    runtime = find_runtime("litert:2.3.0")
    python = runtime_venv(runtime, runtime.lock(images=False), lambda _line: None)
    model = tflite_path(tmp_path / "dist" / "m")
    done = subprocess.run([str(python), "-c", RESIZE, str(model)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {"shape": [3, 4], "same": True}


RESIZE = """
import json, sys, numpy as np
from ai_edge_litert.interpreter import Interpreter
run = Interpreter(model_path=sys.argv[1]).get_signature_runner("serving_default")
rng = np.random.default_rng(3)
feeds = {name: rng.normal(size=(3, 6)).astype("float32") for name in run.get_input_details()}
whole = run(**feeds)["out_z"]
single = [run(**{name: rows[i : i + 1] for name, rows in feeds.items()})["out_z"][0] for i in range(3)]
print(json.dumps({"shape": list(whole.shape), "same": bool(np.allclose(whole, single, atol=1e-5))}))
"""


def test_flex_ops_are_refused_by_layer_unless_allowed(toolchain_python: Path, tmp_path: Path) -> None:
    model = keras3_model(toolchain_python, tmp_path / "erf.keras", "erf")
    message = refused(recipe(tmp_path, model, model_keys="allow_code = true"), "--tensorflow", "2.19.1")
    assert "Erf (in layer 'gauss'" in message and "allow_flex" in message
    path = recipe(tmp_path, model, model_keys="allow_code = true\nallow_flex = true")
    assert "2.18.1" in refused(path, "--tensorflow", "2.19.1")


@pytest.mark.slow
def test_allowed_flex_ops_are_named_in_the_bundle(toolchain_python: Path, tmp_path: Path) -> None:
    """Allowed as the next step has it, and with the TensorFlow that the one after it names."""
    model = keras3_model(toolchain_python, tmp_path / "erf.keras", "erf")
    message = refused(recipe(tmp_path, model, model_keys="allow_code = true"), "--tensorflow", "2.19.1")
    assert "or set [model] allow_flex = true, and the app has to link select-tf-ops" in message
    path = recipe(tmp_path, model, model_keys="allow_code = true\nallow_flex = true")
    message = refused(path, "--tensorflow", "2.19.1")
    assert (
        "it needs TensorFlow's own kernels, and the interpreter has them up to 2.18: take TensorFlow 2.18.1" in message
    )
    path = recipe(tmp_path, model, model_keys="allow_code = true\nallow_flex = true")
    manifest = build(path, "--tensorflow", "2.18.1")
    assert manifest["signature"]["flex"] == ["FlexErf"] and manifest["emulation"]["verdict"] == "not run"
    assert manifest["measures"]["outputs"][0]["worst_error"] < 1e-5


def test_the_supernova_lstm_runs_in_builtin_ops(tmp_path: Path) -> None:
    path = recipe(tmp_path, fetch("supernova"))
    manifest = build(path)
    assert manifest["measures"]["outputs"][0]["worst_error"] < 1e-5
    assert manifest["signature"]["inputs"][0]["shape"] == [1, 50, 2]
    assert not any(code.name.startswith("CUSTOM") for code in file_of(path).operator_codes)


@pytest.fixture(scope="session")
def onet(toolchain_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give mtcnn's O-Net, built from its weights."""
    import joblib  # type: ignore[import-untyped]

    folder = tmp_path_factory.mktemp("onet")
    np.savez(folder / "weights.npz", **{str(i): array for i, array in enumerate(joblib.load(fetch("onet")))})
    os.environ["DROPKIT_TEST_WEIGHTS"] = str(folder / "weights.npz")
    return keras3_model(toolchain_python, folder / "onet.h5", "keras2_onet_h5")


def test_onet_keeps_its_three_outputs(onet: Path, tmp_path: Path) -> None:
    path = recipe(tmp_path, onet)
    manifest = build(path)
    assert [tensor["name"] for tensor in manifest["signature"]["outputs"]] == ["box", "landmarks", "score"]
    assert all(measure["worst_error"] < 1e-5 for measure in manifest["measures"]["outputs"])


@pytest.mark.slow  # test_emotion.py has one in each run
@pytest.mark.container
@pytest.mark.usefixtures("docker_client")
@pytest.mark.parametrize("name", ["onet", "supernova"])
def test_the_container_builds_the_same(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    model = request.getfixturevalue("onet") if name == "onet" else fetch("supernova")
    local, contained = recipe(tmp_path / "local", model), recipe(tmp_path / "contained", model)
    build(local)
    built = run_kit("build", str(contained), "--engine", "docker", "--out", str(contained.parent / "dist"))
    assert built.returncode == 0, built.stderr
    assert file_of(contained).sha256 == file_of(local).sha256


def _swapped(model: Path, python: Path, folder: Path, *arguments: str) -> dict[str, Any]:
    (folder / "model.keras").write_bytes(model.read_bytes())
    job = Job(
        parts=(ModelPart("model.keras", ".keras", legacy_keras=False),),
        allow_code=False,
        scheme="float32",
        io="float32",
        inputs=(InputSpec("mid"),),
        outputs=(),
        calibrate=False,
        evaluate=False,
    )
    (folder / "job.json").write_text(dump(job), "utf-8")
    script = [str(python), str(SUPPORT / "swap_names.py"), str(folder), *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(script, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


SAVE = """
import sys, numpy as np, tensorflow as tf
class Net(tf.Module):
    def __init__(self):
        self.weight = tf.Variable(np.ones((3, 2), np.float32), name="weight")
    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def score(self, x):
        return {"y": x @ self.weight}
    @tf.function(input_signature=[])
    def about(self):
        return {"weight": self.weight.read_value()}
net = Net()
tf.saved_model.save(net, sys.argv[1], signatures={"serving_default": net.score, "about": net.about})
"""


def test_a_signature_without_inputs_is_refused_with_the_others(toolchain_python: Path, tmp_path: Path) -> None:
    argv = [str(toolchain_python), "-c", SAVE, str(tmp_path / "saved")]
    subprocess.run(argv, check=True, capture_output=True)
    message = refused(recipe(tmp_path, tmp_path / "saved"), "--tensorflow", "2.19.1")
    assert "'about' takes no input" in message and "signatures = ['serving_default']" in message
    manifest = build(recipe(tmp_path, tmp_path / "saved", model_keys="signatures = ['serving_default']"))
    assert manifest["signature"]["outputs"][0]["name"] == "y"
