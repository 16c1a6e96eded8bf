"""LiteRT's real GPU accelerator over a software Vulkan driver: used where it is right, passed over where it overflows.

Slow, and skipped where no driver is named: CONTRIBUTING.md says how to unpack one without root.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from android_world import quiet
from phone import App, compile_app, install
from worlds import run_kit

from kit.android.proof.jvm import runtime_properties

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("android_tools")]

DRIVER = "DROPKIT_VULKAN"  # the folder that its packages are unpacked in
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


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give the environment in which LiteRT finds its GPU accelerator, and that the driver."""
    if DRIVER not in os.environ:
        pytest.skip(f"needs a software Vulkan driver, in the folder that {DRIVER} names")
    root, folder = Path(os.environ[DRIVER]), tmp_path_factory.mktemp("driver")
    libraries = root / "usr/lib/x86_64-linux-gnu"
    text = (root / "usr/share/vulkan/icd.d/lvp_icd.json").read_text("utf-8")
    (folder / "icd.json").write_text(text.replace("libvulkan_lvp.so", str(libraries / "libvulkan_lvp.so")), "utf-8")
    (library,) = (line.partition("=")[2] for line in runtime_properties(quiet) if line.startswith("-Ddropkit.litert="))
    return {
        "LD_LIBRARY_PATH": f"{Path(library).parent}{os.pathsep}{libraries}",
        "VK_ICD_FILENAMES": str(folder / "icd.json"),
        "MESA_SHADER_CACHE_DIR": str(folder / "shaders"),
    }


def on_gpu(bundle: Path, folder: Path, driver: dict[str, str]) -> App:
    """Return a bundle's app on a phone that has a GPU and no NPU."""
    app = install(bundle, compile_app(bundle, folder), folder)
    return replace(app, chip="unknown", environment=driver)


def test_a_gpu_whose_outputs_are_right_is_used_and_its_programs_are_kept(
    tmp_path: Path, digits_bundle: Path, driver: dict[str, str]
) -> None:
    app = on_gpu(digits_bundle, tmp_path, driver)
    for precision in ("FP32", "DEFAULT"):
        assert app.attempts(precision)["GPU"] == "runs"
        assert app.verdict(f"gpu-{precision.lower()}").read_text("utf-8").endswith("\npassed")
    kept = [path for path in app.verdict("gpu").rglob("*") if path.is_file()]
    assert kept and all(path.stat().st_size > 1000 for path in kept)


def test_a_model_that_overflows_in_float16_runs_on_the_cpu_and_in_float32_on_the_gpu(
    tmp_path: Path, toolchain_python: Path, driver: dict[str, str]
) -> None:
    argv = [str(toolchain_python), "-c", OVERFLOW, str(tmp_path / "overflow.keras")]
    subprocess.run(argv, capture_output=True, check=True)
    (tmp_path / "recipe.toml").write_text(RECIPE, "utf-8")
    built = run_kit("build", str(tmp_path / "recipe.toml"), "--engine", "local", "--out", str(tmp_path / "dist"))
    assert built.returncode == 0, built.stderr
    app = on_gpu(tmp_path / "dist/overflow", tmp_path, driver)
    found = app.attempts()
    assert found["GPU"].startswith("its outputs are wrong: 'score' is up to ") and found["CPU"] == "runs"
    assert app.attempts("FP32")["GPU"] == "runs"


def test_without_its_driver_a_gpu_that_litert_counts_is_passed_over(
    tmp_path: Path, digits_bundle: Path, driver: dict[str, str]
) -> None:
    app = on_gpu(digits_bundle, tmp_path, driver | {"VK_ICD_FILENAMES": str(tmp_path / "none.json")})
    found = app.attempts()
    assert found["GPU"] == "Failed to compile model" and found["CPU"] == "runs"
    assert not app.verdict("gpu-default").exists()  # it may be there at the next start
