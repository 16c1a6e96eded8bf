"""`emulate --accelerator gpu`: LiteRT's real GPU accelerator over the software Vulkan driver, on real bundles."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from children import started
from worlds import DIGITS, run_kit

from kit.build.gpu_gate import prepare_gpu
from kit.bundle.whole import MANIFEST
from kit.emulation import gpu
from kit.emulation.gpu_report import PRECISIONS, GpuReport, GpuRun, judge
from kit.errors import CheckError, EngineError
from kit.files import sha256_file
from kit.progress import Reporter
from kit.recipe.load import load_recipe

pytestmark = pytest.mark.usefixtures("gpu_driver")

RECIPE = """
[model]
path = "m.keras"
id = "m"

[toolchain]
tensorflow = "2.19.1"

[quantize]
scheme = "float32"
"""
TEST_DATA = DIGITS / "test.npz"


def quiet(_line: str) -> None:
    """Take what a test need not see."""


def started_script() -> int:
    """Return the process id of the GPU's script that this process started, once it is there."""
    return started(lambda words: len(words) > 1 and words[1].endswith(b"gpu_script.py"))


def with_signal(number: signal.Signals, work: Callable[[], GpuReport]) -> GpuReport:
    """Do the work, and send the script that it starts a signal."""
    sender = threading.Thread(target=lambda: os.kill(started_script(), number))
    sender.start()
    try:
        return work()
    finally:
        sender.join()


def test_golden_vectors_drawn_inputs_and_files_run_in_both_precisions(digits_bundle: Path, tmp_path: Path) -> None:
    with np.load(TEST_DATA) as data:
        np.savez(tmp_path / "some.npz", image=data["image"][:20])
    done = run_kit(
        *("emulate", str(digits_bundle), "--accelerator", "gpu", "--json"),
        *("--input", str(tmp_path / "some.npz"), "--input", str(tmp_path / "none.npz")),
    )
    assert done.returncode == 2, done.stderr
    assert "none.npz: there is no such file" in done.stderr
    report = json.loads(done.stdout)
    assert report["driver"] == "llvmpipe, Mesa 25.0.7" and "WebGPU accelerator" in report["estimate"]
    for run in report["runs"]:
        found = {check["inputs"]: check for check in run["checks"]}
        assert run["whole"] and {name: check["calls"] for name, check in found.items()} == {
            "golden vectors": 8,
            "edge vectors": 4,
            "drawn inputs": 3,
            "your files": 20,
        }
        assert all(check["passed"] and check["unit"] == "steps" for check in found.values())
        agree, rows = found["your files"]["top1"]
        assert rows == 20 and agree >= 19
    assert [run["precision"] for run in report["runs"]] == ["float32", "float16"]


def test_outputs_that_are_off_the_golden_vectors_are_named(digits_bundle: Path, tmp_path: Path) -> None:
    """Labels shifted by one, as a wrong file would have them: the GPU is right, and golden.npz is not."""
    bundle = shutil.copytree(digits_bundle, tmp_path / "digits")
    golden = bundle / "emulate/golden.npz"
    with np.load(golden) as data:
        arrays = dict(data)
    arrays["output/digit"] = np.roll(arrays["output/digit"], 1, axis=-1)
    np.savez(golden, **arrays)
    done = run_kit("emulate", str(bundle), "--accelerator", "gpu")
    assert (done.returncode, done.stdout) == (4, "") and "changed: emulate/golden.npz" in done.stderr
    manifest = json.loads((bundle / MANIFEST).read_text("utf-8"))
    manifest["files"]["emulate/golden.npz"] = sha256_file(golden)
    (bundle / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    report = gpu.run_gpu(bundle, [], quiet, precisions=["float32"])
    assert [check.inputs for check in report.runs[0].failed] == ["golden vectors"]
    with pytest.raises(CheckError, match=r"float32 is off on golden vectors: digit: .* top-1 .* in 0 of 8") as caught:
        judge(report)
    assert caught.value.hint == "leave the GPU out in the app: create(context, listOf(Accelerator.CPU))"


def test_a_driver_that_crashes_is_named_with_its_signal(digits_bundle: Path) -> None:
    report = with_signal(signal.SIGSEGV, lambda: gpu.run_gpu(digits_bundle, [], quiet, precisions=["float16"]))
    with pytest.raises(EngineError, match="in float16 the GPU's driver ended the process with SIGSEGV") as caught:
        judge(report)
    assert caught.value.code == 5
    assert caught.value.hint == "run it again; where it ends so again, leave the GPU out in the app"
    judge(gpu.run_gpu(digits_bundle, [], quiet, precisions=["float16"]))


def test_a_driver_that_hangs_is_given_up(digits_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "SILENCE", 1.0)
    report = with_signal(signal.SIGSTOP, lambda: gpu.run_gpu(digits_bundle, [], quiet, precisions=["float32"]))
    assert report.runs[0].ended == "hung: nothing came for 1 s"
    assert "float32 the GPU's driver hung" in report.runs[0].fault


@pytest.mark.parametrize(
    ("words", "why", "step"),
    [
        (("--accelerator", "npu"), "--accelerator 'npu' is not known", "write --accelerator gpu, or leave it out"),
        (("--accelerator", "gpu", "--threads", "2"), "--threads does not go with", "leave --threads out"),
    ],
)
def test_what_the_gpu_does_not_do_is_refused_at_once(
    digits_bundle: Path, words: tuple[str, ...], why: str, step: str
) -> None:
    done = run_kit("emulate", str(digits_bundle), *words)
    assert done.returncode == 2 and why in done.stderr and f"next: {step}" in done.stderr


def test_a_signature_that_is_none_is_refused_with_those_that_there_are(digits_bundle: Path) -> None:
    done = run_kit("emulate", str(digits_bundle), "--accelerator", "gpu", "--signature", "train")
    assert done.returncode == 2 and "next: there is: serving_default" in done.stderr


def test_the_gate_is_refused_for_an_app_without_that_gpu_before_anything_runs(tmp_path: Path) -> None:
    text = (DIGITS / "recipe.toml").read_text("utf-8")
    text = text.replace("max_bytes", "gpu = true\nmax_bytes").replace('"litert:2.3.0"', '"litert:1.4.0"')
    for name in ("digits.keras", "samples.npz", "test.npz", "labels.txt"):
        shutil.copyfile(DIGITS / name, tmp_path / name)
    (tmp_path / "recipe.toml").write_text(text, "utf-8")
    done = run_kit("build", str(tmp_path / "recipe.toml"), "--engine", "local", "--out", str(tmp_path / "dist"))
    assert done.returncode == 2 and "[checks] gpu is for an app that links litert:2.3.0" in done.stderr
    assert 'next: remove gpu, or write [android] runtime = "litert:2.3.0"' in done.stderr
    (tmp_path / "recipe.toml").write_text(text.replace("litert:1.4.0", "litert:2.3.0"), "utf-8")
    prepare_gpu(load_recipe(tmp_path / "recipe.toml"), Reporter(quiet=True))


# What LiteRT 2.3.0 wrote of an LSTM as WHILE, and of one with an open batch.
UNSUPPORTED = """INFO: [delegate_webgpu.cc:363] Created a WebGPU environment.
ERROR: Following operations are not supported by GPU delegate:
STRIDED_SLICE: Slice does not support shrink_axis_mask parameter.\x20
WHILE: Operation is not supported.
2 operations will run on the GPU, and the remaining 3 operations will run on the CPU.
"""
DYNAMIC = (
    "WARNING: Attempting to use a delegate that only supports static-sized tensors with a graph that has dynamic-sized "
    "tensors (tensor#18 is a dynamic-sized tensor).\n"
)


def test_a_refusal_names_the_operators_once_and_says_what_an_app_does() -> None:
    refused = {"refused": "Failed to modify graph with delegate"}
    runs = tuple(GpuRun.from_json(precision, refused, UNSUPPORTED + DYNAMIC, {18: "WHILE"}) for precision in PRECISIONS)
    assert runs[0].operators == (
        "STRIDED_SLICE: Slice does not support shrink_axis_mask parameter",
        "WHILE: Operation is not supported",
        "WHILE: its size is found in the call, and a GPU takes none",
    )
    with pytest.raises(CheckError, match="an app that asks for the GPU throws here") as caught:
        judge(GpuReport("m", "1", "litert:2.3.0", "ai-edge-litert 2.3.0", "llvmpipe", runs))
    assert caught.value.hint.startswith("keep the CPU") and caught.value.message.count("STRIDED_SLICE") == 1


# Sums of more than 65,504, the largest number of float16, which the second layer makes small again; and a loop.
MODELS = {
    "overflow": """
values = keras.Input((64,), name="values")
large, small = (keras.initializers.RandomUniform(-most, most) for most in (60_000, 1e-6))
inner = keras.layers.Dense(64, "relu", kernel_initializer=large)(values)
outputs = keras.layers.Dense(4, kernel_initializer=small, name="score")(inner)
""",
    "loop": """
values = keras.Input((6, 3), name="values")
outputs = keras.layers.Dense(4, name="score")(keras.layers.GRU(5, reset_after=True)(values))
""",
}
FOUND = {
    "overflow": (
        r"float16 overflows on .*: score: .* values are NaN or infinite",
        "let the app ask for float32: create(",
    ),
    "loop": (
        r"LiteRT refuses to run it on a GPU \(.*WHILE.*\): an app that asks .* throws here",
        "keep the CPU in the app's list",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_overflows_and_one_that_no_gpu_takes(tmp_path: Path, toolchain_python: Path, name: str) -> None:
    made = f"import sys, keras\nkeras.utils.set_random_seed(3)\n{MODELS[name]}\n"
    made += "keras.Model(values, outputs).save(sys.argv[1])"
    subprocess.run([str(toolchain_python), "-c", made, str(tmp_path / "m.keras")], capture_output=True, check=True)
    recipe = tmp_path / "recipe.toml"
    build = ("build", str(recipe), "--engine", "local", "--out", str(tmp_path / "dist"))
    why, step = FOUND[name]
    recipe.write_text(f"{RECIPE}\n[checks]\ngpu = true\n", "utf-8")
    gated = run_kit(*build)
    assert gated.returncode == 4 and re.search(f"refused, no bundle was written: .*{why}", gated.stderr), gated.stderr
    assert f"next: remove [checks] gpu, and {step}" in gated.stderr and not (tmp_path / "dist/m").exists()
    recipe.write_text(RECIPE, "utf-8")
    built = run_kit(*build)
    assert built.returncode == 0, built.stderr
    done = run_kit("emulate", str(tmp_path / "dist/m"), "--accelerator", "gpu")
    assert done.returncode == 4 and re.search(why, done.stderr), done.stderr
    assert f"next: {step}" in done.stderr
