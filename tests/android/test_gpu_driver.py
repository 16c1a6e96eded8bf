"""LiteRT's real GPU accelerator over a software Vulkan driver: used where it is right, passed over where it overflows.

tests/android/test_accelerators.py has the short ones.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from android_world import quiet
from phone import compile_app, install, on_gpu
from worlds import run_kit

from kit.android.proof.gpu_golden import GPU_RUNNER, gpu_golden
from kit.android.proof.jvm import RUNNER, compile_bindings, harness_outputs
from kit.android.proof.kotlin_sources import find_bindings
from kit.bundle.layout import only_bundle
from kit.emulation.gpu import run_gpu
from kit.emulation.gpu_report import judge
from kit.errors import CheckError
from kit.gpu.driver import Driver

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("android_tools", "gpu_driver")]

# Sums of more than 65,504, the largest number of float16, which the second layer makes small again.
OVERFLOW = """
import sys, keras
keras.utils.set_random_seed(3)
large = keras.initializers.RandomUniform(-60_000, 60_000)
small = keras.initializers.RandomUniform(-1e-6, 1e-6)
values = keras.Input((64,), name="values")
inner = keras.layers.Dense(64, "relu", kernel_initializer=large)(values)
keras.Model(values, keras.layers.Dense(4, kernel_initializer=small, name="score")(inner)).save(sys.argv[1])
"""
RECIPE = """
[model]
path = "overflow.keras"
id = "overflow"

[toolchain]
tensorflow = "2.19.1"

[quantize]
scheme = "float32"
"""


def test_a_model_that_overflows_in_float16_runs_on_the_cpu_and_in_float32_on_the_gpu(
    tmp_path: Path, toolchain_python: Path, gpu_driver: Driver
) -> None:
    argv = [str(toolchain_python), "-c", OVERFLOW, str(tmp_path / "overflow.keras")]
    subprocess.run(argv, capture_output=True, check=True)
    (tmp_path / "recipe.toml").write_text(RECIPE, "utf-8")
    built = run_kit("build", str(tmp_path / "recipe.toml"), "--engine", "local", "--out", str(tmp_path / "dist"))
    assert built.returncode == 0, built.stderr
    bundle = tmp_path / "dist/overflow"
    app = on_gpu(install(bundle, compile_app(bundle, tmp_path), tmp_path), gpu_driver)
    found = app.attempts()
    assert found["GPU"].startswith("its outputs are wrong: 'score' is up to ") and found["CPU"] == "runs"
    assert app.attempts("FP32")["GPU"] == "runs"


def test_a_gpu_that_is_off_on_the_golden_vectors_alone_is_found_by_the_proof(
    tmp_path: Path, digits_bundle: Path
) -> None:
    """Another model's golden vectors stand in for inputs that the drawn ones are unlike."""
    bindings, bundle = find_bindings(digits_bundle), only_bundle(digits_bundle)
    compiled = compile_bindings(bindings, tmp_path, quiet, (RUNNER, GPU_RUNNER))
    wanted = harness_outputs(digits_bundle, tmp_path, quiet)
    others = {name: np.roll(values, 1, axis=-1) for name, values in wanted.items()}
    with pytest.raises(
        CheckError, match=r"in float32 the class lets the GPU pass, .* 'digit' is up to \d+ steps"
    ) as off:
        gpu_golden(compiled, bindings, bundle, others, quiet)
    assert off.value.hint.startswith("let the app ask for float32 or the CPU: `kit emulate BUNDLE --accelerator gpu`")
    judge(run_gpu(digits_bundle, [], quiet))


def test_the_proof_runs_the_class_on_a_gpu_in_both_precisions(tmp_path: Path, digits_bundle: Path) -> None:
    done = run_kit(
        "android", str(shutil.copytree(digits_bundle, tmp_path / "digits")), "--accelerator", "gpu", "--json"
    )
    assert done.returncode == 0, done.stderr
    (found,) = (step for step in json.loads(done.stdout)["steps"] if step["name"] == "the class on a GPU")
    assert found["verdict"] == "pass"
    assert re.fullmatch(
        r"float32: verified, and runs; on the golden vectors 'digit' is up to \d steps off .*; "
        r"float16: verified, and runs; on the golden vectors 'digit' is up to \d steps off .*",
        found["detail"],
    )
