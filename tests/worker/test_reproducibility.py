"""The same bytes under other circumstances. The whole table is `inv bench --reproducibility`; here is what is quick."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from worlds import DIGITS, ROOT, run_kit, write_recipe

from benchmarks import reproducibility as circumstances
from kit.files import tree_digests


def test_a_strange_place_one_core_and_another_user_s_settings_change_no_byte(
    digits_bundle: Path, tmp_path: Path
) -> None:
    source, out = tmp_path / "quelle ö 模型", tmp_path / "ziel ß"
    shutil.copytree(DIGITS, source)
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})  # what is started here inherits it
    umask = os.umask(0o077)
    try:
        env = {**os.environ, **circumstances.STRANGE}
        built = run_kit("build", str(source), "--engine", "local", "--out", str(out), env=env)
    finally:
        os.umask(umask)
        os.sched_setaffinity(0, cores)
    assert built.returncode == 0, built.stderr
    assert tree_digests(out / "digits") == tree_digests(digits_bundle)


def test_the_float_reference_does_not_follow_the_number_of_cores(tmp_path: Path) -> None:
    recipe = write_recipe(
        tmp_path, quantize_scheme="'float32'", quantize_io="", quantize_representative="", checks_data=""
    )
    cores = os.sched_getaffinity(0)
    made: list[dict[str, str]] = []
    for allowed in (cores, {min(cores)}):
        os.sched_setaffinity(0, allowed)
        try:
            built = run_kit("build", str(recipe), "--engine", "local", "--out", str(tmp_path / str(len(made))))
        finally:
            os.sched_setaffinity(0, cores)
        assert built.returncode == 0, built.stderr
        made.append(tree_digests(tmp_path / str(len(made)) / "digits"))
    assert made[0] == made[1]


# Runs in a toolchain. A CPU with other caches is played by the numbers that Eigen took from it.
OTHER_CPU = """
from kit.shared.range_grid import Grid
from kit.worker.conversion import eigen_cache
from kit.worker.conversion.settled_ranges import settled

probe = eigen_cache._probe()
eigen_cache.fix_cache_sizes()
ours = eigen_cache._calibrate(probe)
places = list(eigen_cache._places(eigen_cache.SIZES))
eigen_cache._set(places, (64 << 10, 1 << 20, 64 << 20))
print("ranges of another CPU:", "ours" if eigen_cache._calibrate(probe) == ours else "its own")
on_grid = settled(eigen_cache._calibrate(probe), Grid())
print("its ranges on the grid:", "ours" if on_grid == settled(ours, Grid()) else "its own")
eigen_cache._asked = lambda: (64 << 10, 1 << 20, 64 << 20)
eigen_cache.fix_cache_sizes()
print("ranges when fixed:", "ours" if eigen_cache._calibrate(probe) == ours else "its own")
eigen_cache._asked = lambda: (1, 2, 3)
print("fixed on a CPU that says otherwise:", eigen_cache.fix_cache_sizes())
"""


def test_calibrated_ranges_follow_the_cpu_s_caches_until_we_fix_them(toolchain_python: Path) -> None:
    done = _in_toolchain(toolchain_python, OTHER_CPU)
    assert "ranges of another CPU: its own" in done.stdout, done.stderr
    assert "its ranges on the grid: ours" in done.stdout, done.stderr
    assert "ranges when fixed: ours" in done.stdout, done.stderr


def test_a_cpu_whose_cache_sizes_cannot_be_set_is_noticed(toolchain_python: Path) -> None:
    done = _in_toolchain(toolchain_python, OTHER_CPU)
    assert "fixed on a CPU that says otherwise: False" in done.stdout, done.stderr


def _in_toolchain(python: Path, code: str) -> subprocess.CompletedProcess[str]:
    env = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "CUDA_VISIBLE_DEVICES": "-1"}
    return subprocess.run([str(python), "-c", code], env=env, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["digits", "attention", "mobilenet"])
def test_a_cpu_of_another_type_calibrates_to_the_same_bytes(model: str, tmp_path: Path) -> None:
    row = next(row for row in circumstances.rows() if row.name == "CPU type max")
    if row.missing:
        pytest.skip(f"needs {row.missing}")
    cases = circumstances.cases(tmp_path / "cases", circumstances.VERSION)
    case = next(case for case in cases if (case.model, case.scheme) == (model, "int8"))
    here = circumstances.by_command()(case, circumstances.fresh(tmp_path))
    assert row.build(case, circumstances.fresh(tmp_path)).model == here.model
