"""Recurrent layers in int8, of every kind: near Keras, the same when they are asked again, on every runtime."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import recurrent_models
from source_models import written
from test_trained_models import World, int8
from third_party import fetch
from worlds import run_kit

from kit.emulation.run import Asked, runtime_outputs
from kit.engine import JobFolder
from kit.tflite.reader import tflite_path

MAKER = Path(recurrent_models.__file__)
KINDS = ["lstm", "gru", "masked", "images", "custom"]
CODE = "code = 'layers.py'\nallow_code = true\n"


@pytest.fixture
def world(tmp_path: Path, toolchain_python: Path, runtime_python: Path) -> World:
    """Give an empty world."""
    return World(tmp_path, toolchain_python, runtime_python)


def built(world: World, kind: str, version: str = "2.19.1", tables: str = "") -> World:
    written(world.toolchain, kind, world.folder, MAKER)
    world.build(tables or int8(), CODE if kind.endswith("custom") else "", version=version)
    return world


def correlations(world: World) -> dict[str, float]:
    """Return each output's correlation with Keras's."""
    world.off()
    with np.load(world.folder / "expected.npz") as wanted, np.load(world.folder / "got.npz") as got:
        return {
            name: float(np.corrcoef(got[name].ravel(), wanted[f"output/{name}"].ravel())[0, 1]) for name in got.files
        }


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("masked", "2.19.1"),
        *(
            pytest.param(keras + kind, version, marks=pytest.mark.slow)
            for keras, versions in (("2:", ("2.12.1", "2.15.1", "2.19.1", "2.21.0")), ("", ("2.19.1", "2.21.0")))
            for version in versions
            for kind in KINDS
            if (keras + kind, version) != ("masked", "2.19.1")
        ),
    ],
)
def test_a_recurrent_model_is_right_in_int8(world: World, kind: str, version: str) -> None:
    found = correlations(built(world, kind, version))
    assert min(found.values()) >= 0.98, found
    operators = json.loads((world.folder / "dist" / "m" / "bundle.json").read_text("utf-8"))
    assert "WHILE" not in json.dumps(operators), "a loop is left"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "version"),
    [
        *(("2:watch", version) for version in ("2.15.1", "2.19.1", "2.21.0")),
        *(("watch", version) for version in ("2.19.1", "2.21.0")),
    ],
)
def test_models_of_real_series_keep_what_they_learned(
    world: World, kind: str, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DROPKIT_TEST_WATCH", str(fetch("watch")))
    found = correlations(built(world, kind, version))
    assert min(found.values()) >= 0.98, found
    with np.load(world.folder / "got.npz") as got, np.load(world.folder / "expected.npz") as wanted:
        truth = np.load(world.folder / "truth.npz")["y"]
        for name in got.files:
            before, after = (
                float(np.mean(scores.reshape(len(truth), 7).argmax(1) == truth))
                for scores in (wanted[f"output/{name}"], got[name])
            )
            assert before > 0.7, f"{name} learned too little for its loss to show: {before}"
            assert after > before - 0.02, f"{name}: {before} before, {after} after"


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["float32", "float16", "dynamic"])
def test_other_schemes_keep_the_loop(world: World, scheme: str) -> None:
    found = correlations(built(world, "gru", tables=f"[quantize]\nscheme = '{scheme}'"))
    assert min(found.values()) >= 0.995, found


def test_open_and_long_loops_are_refused_by_layer_and_the_remedies_build(world: World) -> None:
    said = world.made("long").build(int8("[[inputs]]\nname = 'steps'\nshape = [-1, 3]"), code=3)
    assert "layer 'memory'" in said and "open length" in said and 'scheme = "dynamic"' in said
    world.build(int8("[[inputs]]\nname = 'steps'\nshape = [40, 3]"), name="fixed")
    assert world.off("fixed") < 0.1


@pytest.mark.slow
def test_a_loop_of_too_many_steps_is_refused_and_dynamic_builds(world: World) -> None:
    world.made("long")
    with np.load(world.folder / "calibration.npz") as archive:
        np.savez(world.folder / "calibration.npz", steps=np.tile(archive["steps"], (1, 8, 1)))
    far = "[[inputs]]\nname = 'steps'\nshape = [320, 3]"
    said = world.build(int8(far), code=3)
    assert "layer 'memory'" in said and "more than 256 steps" in said and 'scheme = "dynamic"' in said
    world.build(f"[quantize]\nscheme = 'dynamic'\n{far}", name="loop")


def test_eight_bits_are_refused_for_an_input_with_missing_steps(world: World) -> None:
    written(world.toolchain, "masked", world.folder, MAKER)
    said = world.build(int8("io = 'int8'"), code=2)
    assert "the input 'rows' has -4.2e+06 where a step is missing" in said and 'io = "float32"' in said


def on_runtime(world: World, bundle: Path, runtime: str) -> dict[str, float]:
    """Return each output's correlation with Keras's on a pinned runtime, through the kit's harness."""
    with np.load(world.folder / "expected.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    samples = {name: array for name, array in arrays.items() if name.startswith("input/")}
    for name in ("evaluated.npz", "golden.npz"):
        np.savez(world.folder / name, **samples)
    job = JobFolder(world.folder, world.folder, world.folder / "log")
    sha256 = hashlib.sha256(tflite_path(bundle).read_bytes()).hexdigest()
    got = runtime_outputs(bundle, runtime, job, Asked(sha256), lambda _: None)
    return {
        name: float(np.corrcoef(got[name].ravel(), array.ravel())[0, 1])
        for name, array in arrays.items()
        if name.startswith("output/")
    }


@pytest.mark.slow
@pytest.mark.usefixtures("android_tools")
@pytest.mark.parametrize("kind", ["lstm", "gru", "masked", "images"])
def test_every_runtime_and_the_jvm_are_right(world: World, kind: str) -> None:
    bundle = built(world, kind).folder / "dist" / "m"
    for runtime in ("litert:1.0.1", "litert:1.4.0", "litert:2.3.0", "tflite:2.14.0"):
        if (kind, runtime) != ("images", "litert:1.0.1"):
            found = on_runtime(world, bundle, runtime)
            assert min(found.values()) >= 0.98, (runtime, found)
    done = run_kit("android", str(bundle))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_convolutions_over_time_are_refused_for_the_runtime_that_cannot_run_them(world: World) -> None:
    written(world.toolchain, "images", world.folder, MAKER)
    said = world.build(int8("[android]\nruntime = 'litert:1.0.1'"), code=4)
    assert "litert:1.0.1 cannot run the converted model" in said
    assert "name another runtime: [android] runtime; or another [quantize] scheme, or another [toolchain]" in said
    world.build(int8("[android]\nruntime = 'litert:1.4.0'"), name="other")
