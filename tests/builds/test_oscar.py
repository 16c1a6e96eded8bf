"""rounding = "oscar": dense layers whose inputs get scales, by mean squares that no noise of sums changes."""

from __future__ import annotations

import json
import math
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_litert_quantizer import build, manifest_of, model_of
from worlds import DIGITS, ROOT, SUPPORT, run_kit

from kit.shared.moment_grid import settled_roots
from kit.shared.range_grid import NOISE, Grid
from kit.toolchains.toolchain import find_runtime, quantizer
from kit.toolchains.venv import packages_venv, runtime_venv

OSCAR = {"quantize_scheme": "'int4'", "quantize_rounding": "'oscar'", "quantize_io": ""}


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder that tests/support/scaled_dense.py writes."""
    folder = tmp_path_factory.mktemp("scaled")
    python = packages_venv(quantizer(), lambda _: None)
    argv = [str(python), "-s", str(SUPPORT / "scaled_dense.py"), str(folder)]
    done = subprocess.run(
        argv, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def found(scaled: Path) -> Any:
    """Give what it found of each request."""
    return json.loads((scaled / "found.json").read_text("utf-8"))


def test_dense_layers_lose_less_in_four_bits_and_bias_correction_combines(found: Any) -> None:
    assert found["oscar"]["off"] < 0.6 * found["octav"]["off"]
    assert found["corrected"]["off"] < 0.8 * found["oscar"]["off"]
    assert abs(found["corrected"]["bytes"] - found["oscar"]["bytes"]) <= 16, "but for alignment"
    assert found["dynamic"]["off"] < 0.2 * found["oscar"]["off"]
    layers = {"q/Add", "k/Add", "v/Add", "one", "two", "out/Add", "single/Add", "last"}
    assert set(found["oscar"]["snr"]) == layers, "each layer's error"
    assert min(found["oscar"]["snr"].values()) > min(found["octav"]["snr"].values()) + 3


def test_what_is_added_is_named_after_its_layer_and_only_where_scales_help(found: Any) -> None:
    before, after = (found[name]["tensors"] for name in ("octav", "oscar"))
    assert after[: len(before)] == before
    assert sorted(after[len(before) :]) == sorted(
        f"{layer}/Add/{what}" for layer in ("q", "k", "v", "out") for what in ("scaled", "scales")
    )
    multiply, dense, add = [18, 18, None], [9, 9, None], [0, 0, None]
    assert found["oscar"]["operators"] == [multiply, dense] * 3 + [add, add, multiply, dense, dense, add]
    assert not any(found[name]["least"] for name in ("oscar", "corrected")), "a weight of four bits is -8"


def test_a_layer_keeps_the_scheme_that_the_recipe_gives_it(found: Any) -> None:
    mixed = found["mixed"]
    assert mixed["int4"] == ["q/MatMul", "k/MatMul", "single/MatMul"]
    added = [name for name in mixed["tensors"] if name.endswith("/scaled")]
    assert added == ["q/Add/scaled", "k/Add/scaled", "out/Add/scaled"]
    assert found["none"]["error"] == "it has no dense layer that rounding 'oscar' takes"


def test_noise_of_another_cpu_s_sums_changes_what_is_measured_and_not_the_file(found: Any) -> None:
    assert found["noise"] == {"measured": False, "file": True}
    assert found["oscar"]["unsure"] == {}


def roots(generator: np.random.Generator) -> list[float]:
    """Return the roots of 32 channels' mean squares, small ones and 0 among them."""
    return [float(each) for each in generator.lognormal(0, 2, 32) * (generator.uniform(size=32) > 0.1)]


def test_noise_changes_no_root_or_is_recorded_and_undone_by_the_record() -> None:
    generator, flipped = np.random.default_rng(1), 0
    for _ in range(1500):
        exact = roots(generator)
        reach = 4 * max(exact)
        off = generator.uniform(-0.9, 0.9, 32) * NOISE * reach
        noisy = [max(0.0, each + float(added)) for each, added in zip(exact, off, strict=True)]
        here = Grid()
        first = settled_roots(here, "x", exact, reach)
        if settled_roots(Grid(), "x", noisy, reach) != first:
            flipped += 1
            assert here.unsure
            assert settled_roots(Grid(recorded=here.unsure), "x", noisy, reach) == first
    assert 0 < flipped < 30, "the noise reaches boundaries, and rarely"


def test_roots_stay_near_and_none_is_far_below_the_largest() -> None:
    for seed in range(100):
        exact = roots(np.random.default_rng(seed))
        for before, after in zip(exact, settled_roots(Grid(), "x", exact, 0.0), strict=True):
            assert max(exact) / 321 < after
            assert after < max(exact) / 200 or abs(after / before - 1) <= 0.2
            assert math.frexp(after)[0] in {0.5, 0.75}, "two bits"


def test_a_record_that_noise_does_not_explain_is_not_taken() -> None:
    middle = 1.25  # between 1 and 1.5
    for taken in (1.0, 1.5):
        assert settled_roots(Grid(recorded={"x/0": taken, "x/largest": taken}), "x", [middle], 1.0) == [taken]
    assert settled_roots(Grid(recorded={"x/0": 8.0, "x/largest": 8.0}), "x", [middle], 1.0)[0] in {1.0, 1.5}


def test_the_digits_keep_their_accuracy(tmp_path: Path) -> None:
    build(tmp_path, **OSCAR)
    (digit,) = manifest_of(tmp_path)["measures"]["outputs"]
    assert digit["accuracy"] >= digit["float_accuracy"] - 0.01


@pytest.mark.slow
def test_verify_builds_the_same_bytes(tmp_path: Path) -> None:
    build(tmp_path, quantize_bias_correction="true", quantize_keep_names="true", **OSCAR)
    assert b"digit" in model_of(tmp_path).read_bytes() and b"/scaled" in model_of(tmp_path).read_bytes()
    argv = ("verify", str(tmp_path / "dist/digits"), "--engine", "local", "--model", str(DIGITS / "digits.keras"))
    verified = run_kit(*argv)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "bytes      holds" in verified.stdout


@pytest.mark.slow
def test_a_model_without_such_a_layer_is_refused_and_built_after_the_next_step(tmp_path: Path) -> None:
    layers = "\n[[quantize.layers]]\nmatch = 'digit'\nscheme = 'float16'\n"
    said = build(tmp_path, 3, layers=layers, **OSCAR)
    assert "cannot make scheme 'int4' of it: it has no dense layer that rounding 'oscar' takes" in said
    assert 'next: use rounding = "octav"' in said
    build(tmp_path, layers=layers, **OSCAR | {"quantize_rounding": "'octav'"})
    assert "needs representative data" in build(tmp_path, 2, **OSCAR | {"quantize_representative": ""})


RUN = """
import sys
import numpy as np
try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    from tflite_runtime.interpreter import Interpreter
runner = Interpreter(sys.argv[1]).get_signature_runner()
x, y = np.load(sys.argv[2] + "/x.npy"), np.load(sys.argv[2] + "/y.npy")
made = np.array([runner(x=each, z=each[..., :1])["y"] for each in x])
print(float(np.sqrt(np.mean((made - y) ** 2) / y.var())))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["litert:1.0.1", "litert:1.2.0", "litert:1.4.0", "litert:2.3.0"])
def test_every_runtime_calculates_the_same(scaled: Path, found: Any, name: str) -> None:
    runtime = find_runtime(name)
    python = runtime_venv(runtime, runtime.lock(images=False), lambda _: None)
    for request in ("dynamic", "oscar"):
        argv = [str(python), "-c", RUN, str(scaled / f"{request}.tflite"), str(scaled)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert float(done.stdout.split()[-1]) == pytest.approx(found[request]["off"], rel=0.2)
