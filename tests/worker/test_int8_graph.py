"""Operators that TensorFlow's quantizer gets wrong: an int8 file of them is as right as 8 bits can be."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from worlds import ROOT, SUPPORT

from kit.toolchains.toolchain import find_toolchain
from kit.toolchains.venv import toolchain_venv

RIGHT = 0.05  # of the output's range
KINDS = [
    "category_encoding",
    "multi_hot",
    "counted",
    "one_hot_of_keras",
    "one_hot_of_tensorflow",
    "one_hot_of_bytes",
    "discretized",
    "many_ids",
    "flipped",
    "bidirectional",
    "diagonal",
    "scattered",
    "selected",
    "leaky_by_maximum",
    "largest_of_two",
    "clipped",
    "masked_softmax",
    "scaled_mask",
    "causal_attention",
    "divided",
]
OTHERS = [("2", "2.12.1"), ("2", "2.15.1"), ("3", "2.16.2"), ("2", "2.19.1"), ("3", "2.21.0")]


def converted(folder: Path, version: str, keras: str, changes: str, *kinds: str) -> dict[str, Any]:
    """Build models of tests.int8_models in a toolchain; return the error and the operators by kind."""
    python = toolchain_venv(find_toolchain(version), lambda _line: None)
    argv = [str(python), str(SUPPORT / "int8_models.py"), str(folder), keras, changes, *kinds]
    env = {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(argv, env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=1200)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads((folder / "found.json").read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def with_changes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Give every kind, built as the kit does."""
    return converted(tmp_path_factory.mktemp("with") / "made", "2.19.1", "3", "with")


@pytest.fixture(scope="module")
def without_changes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Give every kind as the converter alone makes it."""
    return converted(tmp_path_factory.mktemp("without") / "made", "2.19.1", "3", "without")


@pytest.mark.parametrize("kind", KINDS)
def test_int8_is_right(with_changes: dict[str, Any], kind: str) -> None:
    assert "refused" not in with_changes[kind], with_changes[kind]
    assert max(with_changes[kind]["error"]) <= RIGHT, with_changes[kind]


# kit.worker.graph.counts counts in whole numbers, and only some toolchains' interpreters refuse the division.
@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"counted", "divided", "multi_hot"}])
def test_the_converter_alone_is_wrong(without_changes: dict[str, Any], kind: str) -> None:
    # Where this fails, TensorFlow has mended the operator, and the kit need not.
    assert max(without_changes[kind]["error"]) > RIGHT, without_changes[kind]


@pytest.mark.slow
@pytest.mark.parametrize(("keras", "version"), OTHERS)
def test_int8_is_right_in_every_toolchain(tmp_path: Path, keras: str, version: str) -> None:
    # The interpreter of 2.21 alone multiplies several int8 matrices at once wrongly (LiteRT runs its file right).
    kinds = [kind for kind in KINDS if (kind, version) != ("causal_attention", "2.21.0")]
    found = converted(tmp_path / "made", version, keras, "with", *kinds)
    wrong = {kind: outcome for kind, outcome in found.items() if "refused" in outcome or max(outcome["error"]) > RIGHT}
    assert wrong == {}


@pytest.mark.slow
def test_a_division_that_tensorflows_own_interpreter_refuses_is_in_float(tmp_path: Path) -> None:
    alone = converted(tmp_path / "without", "2.21.0", "3", "without", "divided")["divided"]
    assert "data[i] != 0 was not true" in alone["refused"]
    ours = converted(tmp_path / "with", "2.21.0", "3", "with", "divided")["divided"]
    assert max(ours["error"]) <= RIGHT, ours


def test_a_reversed_tensor_costs_nothing_where_its_scale_is_its_inputs(with_changes: dict[str, Any]) -> None:
    beside_a_larger = with_changes["flipped"]["operators"]
    assert beside_a_larger[beside_a_larger.index("REVERSE_V2") + 1] == "QUANTIZE"
    assert "QUANTIZE" not in with_changes["leaky_by_maximum"]["operators"][1:]  # nothing is put where all is right


def test_a_number_that_8_bits_cannot_hold_beside_others_is_reported(with_changes: dict[str, Any]) -> None:
    outcome = with_changes["masked_maximum"]
    assert max(outcome["error"]) > RIGHT
    assert any("brings in -1e+09" in note for note in outcome["notes"]), outcome["notes"]
    assert not any("brings in" in note for kind in KINDS for note in with_changes[kind]["notes"])


def test_a_file_with_nothing_wrong_keeps_its_bytes(
    with_changes: dict[str, Any], without_changes: dict[str, Any]
) -> None:
    assert with_changes["nothing_wrong"]["sha256"] == without_changes["nothing_wrong"]["sha256"]
    assert with_changes["flipped"]["sha256"] != without_changes["flipped"]["sha256"]


def test_constants_of_a_changed_file_lie_where_the_schema_wants_them(with_changes: dict[str, Any]) -> None:
    places = with_changes["flipped"]["places"] + with_changes["category_encoding"]["places"]
    assert len(places) > 4 and all(place % 16 == 0 for place in places), places
