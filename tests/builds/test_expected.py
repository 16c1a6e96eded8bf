"""Seeded inputs and expected.bin: what an app verifies accelerators with, and how far one may be off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hostile_signature import signed, tensor
from worlds import bare_result, write_recipe

from kit.build.expected import MOST, expected_sections, is_verified
from kit.recipe.load import load_recipe
from kit.shared.job import SignatureSpec
from kit.shared.seeded import VECTORS, range_of, seed_of, seeded

DRAWN = [215, 250, 167, 246, 77, 117]
SCALED = {"scale": 0.5, "zero_point": 10}


def sections_of(output: dict[str, object], values: np.ndarray, drift: float = 0.0) -> dict[str, np.ndarray]:
    """Return the sections of a model with one output that gave values, [VECTORS, ...]."""
    signature = signed({"signature": "serve", "inputs": [tensor("x")], "outputs": [tensor("y") | output]})
    predictions = {"range/x": np.array([-1.0, 1.0]), "seeded/y": values}
    return expected_sections(signature, predictions, {"drift/y": np.array(drift)})


def test_numbers_are_drawn_alike_by_every_version() -> None:
    # The bundles that are out there were made with these.
    assert seeded("uint8", 6, 0, 255, seed_of(0, 0)).tolist() == DRAWN
    assert not np.array_equal(seeded("uint8", 6, 0, 255, seed_of(1, 0)), seeded("uint8", 6, 0, 255, seed_of(0, 1)))


@pytest.mark.parametrize("dtype", ["float32", "int8", "uint8", "int16", "int32", "int64", "bool"])
def test_what_is_drawn_fills_its_range_and_does_not_leave_it(dtype: str) -> None:
    low, high = (0, 1) if dtype == "bool" else (0, 6) if dtype == "uint8" else (-3, 6)
    drawn = seeded(dtype, 20_000, low, high, 9)
    assert drawn.dtype == dtype and drawn.shape == (20_000,)
    if dtype == "float32":
        assert drawn.min() >= low and drawn.max() < high
        assert np.ptp(np.histogram(drawn, 9, (low, high))[0]) < 400
    else:
        counts = np.unique(drawn, return_counts=True)[1]
        assert counts.size == high - low + 1 and np.ptp(counts) < 400


def test_a_range_says_no_more_of_floats_than_a_power_of_two() -> None:
    assert range_of(np.array([[0.3, 5.1]], np.float32), whole=False) == (0.0, 8.0)
    assert range_of(np.array([[-0.3, np.nan]], np.float32), whole=False) == (-0.5, 0.5)
    assert range_of(np.zeros((2, 2), np.float32), whole=False) == (0.0, 1.0)


def test_ids_are_drawn_from_those_that_the_model_has_seen_and_pixels_from_all() -> None:
    assert range_of(np.array([[3, 900]], np.int32), whole=False) == (3.0, 900.0)
    assert range_of(np.array([[3, 90]], np.uint8), whole=True) == (0.0, 255.0)
    assert range_of(np.array([[True]]), whole=False) == (0.0, 1.0)


def test_of_a_large_output_values_spread_over_all_of_it_are_kept() -> None:
    values = np.arange(VECTORS * 1000, dtype=np.float32).reshape(VECTORS, 10, 100)
    kept = sections_of({"shape": [1, 10, 100]}, values)["serve/expected/y"]
    assert kept.shape == (VECTORS, MOST)
    assert kept[1, 0] == 1000 and kept[1, -1] >= 1990
    assert kept[0].tolist() == [index * 1000 // MOST for index in range(MOST)]


@pytest.mark.parametrize(
    ("output", "values", "drift", "limits"),
    [
        ({}, np.full((VECTORS, 1, 3), 40, np.float32), 0.0, (2.0, 0)),  # a twentieth of the largest value
        ({}, np.full((VECTORS, 1, 3), 40, np.float32), 3.0, (6.0, 0)),  # twice the file's own error
        ({}, np.full((VECTORS, 1, 3), 40, np.float32), 90.0, (20.0, 0)),  # but not so far that zeros pass
        ({}, np.zeros((VECTORS, 1, 3), np.float32), 0.0, (1e-3, 0)),
        ({}, np.full((VECTORS, 1, 3), np.nan, np.float32), 0.0, (1e-3, 0)),
        ({"dtype": "uint8", **SCALED}, np.full((VECTORS, 1, 3), 210, np.uint8), 0.0, (10.0, 0)),  # steps
        ({"dtype": "uint8", **SCALED}, np.full((VECTORS, 1, 3), 20, np.uint8), 0.0, (8.0, 0)),
        ({"dtype": "int32"}, np.full((VECTORS, 1, 3), 7, np.int32), 0.0, (0.0, 4)),  # a class: half may be another
    ],
)
def test_how_far_an_output_may_be_off(
    output: dict[str, object], values: np.ndarray, drift: float, limits: tuple[float, float]
) -> None:
    assert sections_of(output, values, drift)["serve/limits/y"].tolist() == [list(limits)]


@pytest.mark.parametrize(
    ("android", "verified"),
    [
        ("", True),
        ("[android]\nverify = false\n", False),
        ("[android]\nruntime = 'litert:1.4.0'\n", False),  # its Interpreter uses the CPU alone
    ],
)
def test_a_class_that_may_use_accelerators_verifies_them_unless_the_recipe_says_no(
    tmp_path: Path, android: str, verified: bool
) -> None:
    path = write_recipe(tmp_path)
    path.write_text(path.read_text("utf-8") + android, "utf-8")
    signature = signed({"signature": "serve", "inputs": [tensor("x")], "outputs": [tensor("y")]})
    result = bare_result(SignatureSpec("serve", (), ()), samples=1)
    assert is_verified(load_recipe(path), result, signature) == verified


def test_a_signature_that_was_not_run_is_left_out() -> None:
    signature = signed({"signature": "serve", "inputs": [tensor("x")], "outputs": [tensor("y")]})
    assert expected_sections(signature, {}, {}) == {}
