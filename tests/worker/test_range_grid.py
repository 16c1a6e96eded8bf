"""Ranges on a grid: noise of float sums does not get through, and where it might, that is recorded."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from models import keras3_model
from worlds import run_kit

from kit.shared.range_grid import NOISE, Grid

BETWEEN = 1 + 0.5 / 256  # the middle between two steps of the grid


def single(value: float) -> float:
    """Return the float32 nearest to a number."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


def drawn() -> list[tuple[float, float]]:
    """Return ranges as models have them: from zero, about zero, small and large."""
    sizes = np.random.default_rng(7).lognormal(0, 3, (20_000, 2)).astype(np.float32)
    return [(-float(low) * (i % 2), float(high)) for i, (low, high) in enumerate(sizes)]


def test_noise_changes_no_range_or_is_recorded_and_undone_by_the_record() -> None:
    generator, flipped = np.random.default_rng(1), 0
    for low, high in drawn():
        off = generator.uniform(-0.9, 0.9, 2) * NOISE * max(-low, high)
        noisy = (low and low + float(off[0]), high + float(off[1]))
        here = Grid()
        first = here.settled("x", low, high)
        if Grid().settled("x", *noisy) != first:
            flipped += 1
            assert here.unsure
            assert Grid(recorded=here.unsure).settled("x", *noisy) == first
    assert 0 < flipped < 20, "the noise reaches boundaries, and rarely"


def test_ends_move_by_less_than_half_a_step_of_int8_and_are_float32() -> None:
    for low, high in drawn():
        least, most = Grid().settled("x", low, high)
        assert max(abs(least - low), abs(most - high)) < max(-low, high) / 255 * 0.72
        assert (single(least), single(most)) == (least, most)


@pytest.mark.parametrize(
    "ends", [(0.0, 0.0), (0.0, 1.0), (-1.0, 1.0), (0.0, 6.0), (0.0, 255.0), (-128.0, 127.0), (float("-inf"), 1.0)]
)
def test_numbers_that_models_are_made_with_stay(ends: tuple[float, float]) -> None:
    grid = Grid()
    assert grid.settled("x", *ends) == ends
    assert not grid.unsure


def test_what_is_given_stays_and_a_range_keeps_a_length() -> None:
    pixels = (single(-2.1179), single(2.64))
    assert Grid(exact={pixels}).settled("image", *pixels) == pixels
    assert Grid().settled("x", *pixels) != pixels
    least, most = Grid().settled("x", single(0.9999), single(1.0001))
    assert least < most


def test_a_record_is_taken_only_where_the_noise_allows_it() -> None:
    below, above = 1.0, 1 + 1 / 256
    for taken in (below, above):
        grid = Grid(recorded={"x/max": taken})
        assert grid.settled("x", 0.0, BETWEEN) == (0.0, taken)
        assert grid.unsure == {"x/max": taken}
    assert Grid(recorded={"x/max": 3.0}).settled("x", 0.0, BETWEEN) in {(0.0, below), (0.0, above)}
    assert Grid(recorded={"x/max": above}).settled("x", 0.0, 1.001) == (0.0, below)


RECIPE = """
[model]
id = "between"
path = "model.keras"
[quantize]
scheme = "int8"
{more}
representative = "x.npz"
[checks]
gate = false
"""


@pytest.mark.slow
@pytest.mark.parametrize("more", ["", 'quantizer = "litert"'])
def test_verify_takes_what_the_bundle_recorded(tmp_path: Path, toolchain_python: Path, more: str) -> None:
    keras3_model(toolchain_python, tmp_path / "model.keras", "between")
    np.savez(tmp_path / "x.npz", x=np.linspace(0, 1, 101, dtype=np.float32)[:, None])
    (tmp_path / "recipe.toml").write_text(RECIPE.format(more=more), "utf-8")
    built = run_kit("build", "recipe.toml", "--engine", "local", cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    place = tmp_path / "dist/between/bundle.json"
    manifest = json.loads(place.read_text("utf-8"))
    ((name, taken),) = manifest["model"]["unsure"].items()
    assert taken in {1.0, 1 + 1 / 256}
    assert manifest["toolchain"]["any_cpu"] is False
    argv = ("verify", "dist/between", "--engine", "local")
    done = run_kit(*argv, cwd=tmp_path)
    assert (done.returncode, "bytes      holds" in done.stdout) == (0, True), done.stdout + done.stderr
    manifest["model"]["unsure"][name] = 2 + 1 / 256 - taken
    place.write_text(json.dumps(manifest), "utf-8")
    done = run_kit(*argv, cwd=tmp_path)
    assert (done.returncode, "bytes      FAILS" in done.stdout) == (6, True), done.stdout + done.stderr
