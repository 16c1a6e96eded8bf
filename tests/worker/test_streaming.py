"""Streaming: recurrent models one step a call, with the outputs that the whole sequence has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import keras3_model
from test_contract import build, recipe, refused
from worlds import run_kit

STEPS = 12
QUANTIZE = {
    "float32": "",
    "dynamic": "[quantize]\nscheme = 'dynamic'\n",
    "int8": "[quantize]\nscheme = 'int8'\nrepresentative = 'data.npz'\n",
}
STATES = ["lstm/state", "lstm/state_1", "lstm/state_2", "gru/state", "gru/state_1"]  # a masked layer's last output, too
# Of LSTM and GRU in 8 bits over 12 steps, in outputs of about 1; dynamic rounds the weights alone.
NEAR = {"float32": 1e-5, "dynamic": 0.02, "int8": 0.08}


def series(folder: Path, name: str = "series", features: int = 5) -> np.ndarray:
    """Write random walks [40, 12, features] beside the recipe, the ends of some masked by zeros."""
    rng = np.random.default_rng(3)
    walks = np.cumsum(rng.normal(0, 0.4, (40, STEPS, features)), axis=1).astype(np.float32)
    walks[::3, 9:] = 0
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {name: walks}
    np.savez(folder / "data.npz", **arrays)
    return walks


def streamed(python: Path, folder: Path, kind: str, scheme: str = "float32", suffix: str = ".keras") -> Path:
    """Write a model and a recipe that streams it, measured on the walks."""
    model = keras3_model(python, folder / f"model{suffix}", kind)
    return recipe(folder, model, QUANTIZE[scheme] + "[checks]\ndata = 'data.npz'\n", "streaming = true\n")


def errors(manifest: dict[str, Any]) -> list[float]:
    return [output["worst_error"] for output in manifest["measures"]["outputs"]]


def emulated(bundle: Path, steps: np.ndarray) -> list[dict[str, Any]]:
    """Run steps [n, 1, features] through the bundle's harness; return its results, call by call."""
    np.save(bundle.parent / "steps.npy", steps)
    done = run_kit("emulate", str(bundle), "--input", str(bundle.parent / "steps.npy"), "--json")
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout)["results"])


def test_steps_one_after_the_other_give_what_the_whole_sequence_gives(toolchain_python: Path, tmp_path: Path) -> None:
    series(tmp_path)
    manifest = build(streamed(toolchain_python, tmp_path, "stream"), "--tensorflow", "2.19.1")
    signature = manifest["signature"]
    assert signature["streaming"] and signature["inputs"][0]["shape"] == [1, 1, 5]
    assert [tensor["name"] for tensor in signature["variables"]["tensors"]] == STATES
    assert [output["shape"] for output in signature["outputs"]] == [[1, 1, 3], [1, 3]]
    # The measures are of whole sequences, masked ends among them, with the state reset before each.
    assert manifest["measures"]["samples"] == 40 and max(errors(manifest)) < NEAR["float32"]
    # The golden vectors are the steps of one sequence; the harness holds each against the whole model's output.
    golden = np.load(tmp_path / "dist" / "m" / "emulate" / "golden.npz")
    assert len(golden["input/series"]) == STEPS
    assert all(output["from_float_as_built"] < NEAR["float32"] for output in manifest["emulation"]["outputs"].values())
    assert manifest["emulation"]["verdict"] == "pass" and manifest["emulation"]["vectors"] == STEPS


def test_a_layer_that_looks_at_several_steps_is_refused_by_name(toolchain_python: Path, tmp_path: Path) -> None:
    series(tmp_path)
    message = refused(streamed(toolchain_python, tmp_path, "looking"), "--tensorflow", "2.19.1")
    assert "'window'" in message and "'gru'" not in message and "leave [model] streaming out" in message


@pytest.mark.slow
@pytest.mark.parametrize("version", ["2.12.1", "2.15.1", "2.21.0"])
@pytest.mark.parametrize("scheme", QUANTIZE)
def test_keras_2_streams_in_every_scheme(toolchain_python: Path, tmp_path: Path, scheme: str, version: str) -> None:
    series(tmp_path)
    path = streamed(toolchain_python, tmp_path, "keras2_stream_h5", scheme, ".h5")
    manifest = build(path, "--tensorflow", version)
    assert [tensor["name"] for tensor in manifest["signature"]["variables"]["tensors"]] == STATES
    assert max(errors(manifest)) < NEAR[scheme]


@pytest.mark.parametrize(
    ("kind", "name", "features", "scheme"),
    [
        ("stream", "series", 5, "int8"),
        pytest.param("stream", "series", 5, "dynamic", marks=pytest.mark.slow),
        pytest.param("tags", "sensors", 6, "int8", marks=pytest.mark.slow),
        pytest.param("tags", "sensors", 6, "dynamic", marks=pytest.mark.slow),
    ],
)
def test_keras_3_streams_quantized(
    toolchain_python: Path, tmp_path: Path, kind: str, name: str, features: int, scheme: str
) -> None:
    series(tmp_path, name, features)
    manifest = build(streamed(toolchain_python, tmp_path, kind, scheme), "--tensorflow", "2.19.1")
    assert max(errors(manifest)) < NEAR[scheme]


@pytest.mark.slow
def test_a_run_of_the_harness_begins_with_the_state_as_built(toolchain_python: Path, tmp_path: Path) -> None:
    walks = series(tmp_path, "sensors", 6)
    build(streamed(toolchain_python, tmp_path, "tags"), "--tensorflow", "2.19.1")
    first, again = (emulated(tmp_path / "dist" / "m", walks[1][:, None]) for _ in range(2))
    assert first == again and len(first) == STEPS
    later = emulated(tmp_path / "dist" / "m", walks[1][3:, None])
    assert later[0]["outputs"] != first[3]["outputs"]  # other steps before it: another output


@pytest.mark.slow
def test_what_cannot_be_a_stream_is_refused_with_the_way_out(toolchain_python: Path, tmp_path: Path) -> None:
    series(tmp_path, "sequence")
    message = refused(streamed(toolchain_python, tmp_path, "gru"), "--tensorflow", "2.19.1")
    assert "layer 'both_ways' reads its sequence from the end" in message
    series(tmp_path / "own", "step")
    own = keras3_model(toolchain_python, tmp_path / "own" / "model.keras", "stateful")
    keep = "[variables]\nkeep = ['memory/rnn*']\n"
    message = refused(recipe(tmp_path / "own", own, keep, "streaming = true\n"), "--tensorflow", "2.19.1")
    assert "keeps a state itself" in message and "[variables] keep" in message
    digits = keras3_model(toolchain_python, tmp_path / "head" / "model.keras", "head")
    message = refused(recipe(tmp_path / "head", digits, "", "streaming = true\n"), "--tensorflow", "2.19.1")
    assert "streaming" in message and "leave [model] streaming out" in message


def test_streaming_needs_a_fixed_batch(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"")
    message = refused(recipe(tmp_path, tmp_path / "model.keras", "", "streaming = true\nbatch = -1\n"))
    assert "streaming keeps a state of a fixed shape" in message
