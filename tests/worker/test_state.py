"""No file keeps state from call to call, or gives other outputs in some processes: what catches that."""

from __future__ import annotations

import hashlib
from pathlib import Path

import fused_models
import numpy as np
import pytest
from source_models import written
from test_trained_models import World, int8
from worlds import run_kit

from kit.build.computed_sizes import computed_sizes
from kit.build.trial import refuse_state
from kit.emulation.run import Asked, runtime_outputs
from kit.engine import JobFolder
from kit.errors import CheckError
from kit.shared.job import TensorSpec
from kit.tflite.reader import read_tflite, tflite_path

LABEL = TensorSpec("label", (1, 10), "float32")


@pytest.fixture
def world(tmp_path: Path, toolchain_python: Path, runtime_python: Path) -> World:
    """Give an empty world."""
    return World(tmp_path, toolchain_python, runtime_python)


def asked(world: World, bundle: Path, runtime: str) -> dict[str, np.ndarray]:
    """Return what the kit's harness gives for 20 samples, and for the first one once more."""
    with np.load(world.folder / "expected.npz") as archive:
        samples = {"input/rows": archive["input/rows"]}
    for name in ("evaluated.npz", "golden.npz"):
        np.savez(world.folder / name, **samples)
    job = JobFolder(world.folder, world.folder, world.folder / "log")
    sha256 = hashlib.sha256(tflite_path(bundle).read_bytes()).hexdigest()
    return runtime_outputs(bundle, runtime, job, Asked(sha256), lambda _: None)


def test_a_file_that_tensorflow_fused_keeps_state_and_is_refused(world: World) -> None:
    written(world.toolchain, "2:fused", world.folder, Path(fused_models.__file__))
    world.build()
    bundle = world.folder / "dist" / "m"
    for runtime in ("litert:2.3.0", "litert:1.4.0"):
        refuse_state(runtime, [LABEL], asked(world, bundle, runtime))
    fused = (world.folder / "fused.tflite").read_bytes()
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in {code.name for code in read_tflite(fused).operator_codes}
    tflite_path(bundle).write_bytes(fused)
    for runtime in ("litert:2.3.0", "litert:1.4.0"):
        with pytest.raises(CheckError, match="another output 'label' to the same sample when it is asked again"):
            refuse_state(runtime, [LABEL], asked(world, bundle, runtime))


def test_one_bit_of_difference_between_two_calls_is_refused() -> None:
    outputs = np.linspace(-1, 1, 30, dtype=np.float32).reshape(3, 10)
    refuse_state("litert:2.3.0", [LABEL], {"output/label": outputs, "again/label": outputs[:1]})
    again = np.nextafter(outputs[:1], np.float32(2))
    with pytest.raises(CheckError, match="another output 'label'") as error:
        refuse_state("litert:2.3.0", [LABEL], {"output/label": outputs, "again/label": again})
    assert error.value.hint.startswith("give open axes a size ([[inputs]] shape), or use another [quantize] scheme or")
    refuse_state("litert:1.4.0", [LABEL], {"output/label": again, "again/label": again[:1]})


@pytest.mark.slow
def test_an_open_length_whose_sizes_are_computed_is_refused_in_int8_and_the_remedies_build(world: World) -> None:
    world.made("causal")
    rng = np.random.default_rng(5)
    np.savez(world.folder / "calibration.npz", ids=rng.integers(0, 50, (40, 12)).astype(np.int32))
    ids = "[[inputs]]\nname = 'ids'\nrange = [0, 49]\nshape = "
    said = world.build(int8(f"{ids}[-1]"), code=4)
    assert 'give the axis a size: [[inputs]] name = "ids" and shape; or use scheme = "dynamic"; or [android]' in said
    assert "input 'ids' leaves an axis open, [any]" in said and "computed while the model runs" in said
    world.build(int8(f"{ids}[12]"), name="fixed")
    world.build(f"[quantize]\nscheme = 'dynamic'\n{ids}[-1]", name="loose")
    world.build(int8(f"{ids}[-1]\n[android]\nruntime = 'litert:1.4.0'"), name="older")
    for name, computed in (("fixed", False), ("loose", False), ("older", True)):
        graph = read_tflite(tflite_path(world.folder / "dist" / name)).subgraphs[0]
        assert any(computed_sizes(graph)) == computed
        assert world.off(name) < 0.1


def fused(world: World, scheme: str) -> Path:
    written(world.toolchain, "2:fused", world.folder, Path(fused_models.__file__))
    with np.load(world.folder / "expected.npz") as archive:
        np.savez(world.folder / "calibration.npz", rows=archive["input/rows"])
    tables = int8("fused_lstm = true") if scheme == "int8" else f"[quantize]\nscheme = '{scheme}'\nfused_lstm = true"
    world.build(tables)
    bundle = world.folder / "dist" / "m"
    operators = {code.name for code in read_tflite(tflite_path(bundle)).operator_codes}
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in operators and "WHILE" not in operators
    return bundle


@pytest.mark.parametrize("scheme", ["int8", pytest.param("float32", marks=pytest.mark.slow)])
def test_a_fused_lstm_is_reset_before_each_call_and_refused_without(world: World, scheme: str) -> None:
    bundle = fused(world, scheme)
    predictions = asked(world, bundle, "litert:2.3.0")
    refuse_state("litert:2.3.0", [LABEL], predictions)
    with np.load(world.folder / "expected.npz") as archive:
        wanted = archive["output/label"]
    assert np.abs(predictions["output/label"] - wanted).max() < 0.05 * np.ptp(wanted)
    kotlin = "".join(path.read_text("utf-8") for path in (bundle / "src" / "main" / "kotlin").rglob("*.kt"))
    assert "resetVariableTensors()" in (bundle / "README.md").read_text("utf-8")
    assert kotlin.count("resetVariableTensors()") == kotlin.count("resets = true") == 1
    assert "litert.CompiledModel" not in kotlin
    signature = next((bundle / "src" / "main" / "assets").rglob("signature.json"))
    signature.write_text(signature.read_text("utf-8").replace('"resets": true', '"resets": false'), "utf-8")
    with pytest.raises(CheckError, match="when it is asked again"):
        refuse_state("litert:2.3.0", [LABEL], asked(world, bundle, "litert:2.3.0"))


@pytest.mark.slow
@pytest.mark.usefixtures("android_tools")
def test_a_fused_lstm_runs_on_every_runtime_and_on_the_jvm(world: World) -> None:
    bundle = str(fused(world, "int8"))
    for runtime in ("litert:1.0.1", "litert:1.4.0", "litert:2.3.0", "tflite:2.14.0"):
        done = run_kit("emulate", bundle, "--runtime", runtime)
        assert done.returncode == 0, runtime + done.stdout + done.stderr
    done = run_kit("android", bundle)
    assert done.returncode == 0, done.stdout + done.stderr


def test_fused_lstm_is_refused_where_nothing_is_fused_and_where_nothing_can_reset_it(world: World) -> None:
    steps = "[quantize]\nfused_lstm = true\n[[inputs]]\nname = 'steps'\nshape = [40, 3]"
    said = world.made("long").build(steps, path="model.keras", code=2)
    assert "TensorFlow fuses no layer of this model" in said and "leave fused_lstm out" in said
    written(world.toolchain, "2:fused", world.folder, Path(fused_models.__file__))
    play = "[quantize]\nfused_lstm = true\n[android]\nruntime = 'play:16.5.0'"
    said = world.build(play, path="model.h5", name="play", code=2)
    assert "play:16.5.0 has no way to reset" in said and "leave fused_lstm out" in said
