"""The operators of a file against what the app's runtime has; the table is held against the real runtimes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from worlds import on, run_kit, write_recipe

from kit.errors import CheckError
from kit.tflite.reader import read_tflite
from kit.toolchains.operator_probe import ask, file_with, operators
from kit.toolchains.operator_support import check_fit, misfits, table, versions_needed
from kit.toolchains.toolchain import find_runtime, runtimes
from kit.toolchains.venv import runtime_venv

LOAD = """
import sys
try:
    from ai_edge_litert.interpreter import Interpreter
except ModuleNotFoundError:
    from tflite_runtime.interpreter import Interpreter
interpreter = Interpreter(sys.argv[1])
interpreter.allocate_tensors()
interpreter.invoke()
"""


def runtime_python(name: str) -> Path:
    runtime = find_runtime(name)
    return runtime_venv(runtime, runtime.lock(images=False), print)


@pytest.fixture(scope="module")
def dynamic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build digits with 8-bit weights by a TensorFlow that writes FULLY_CONNECTED v12."""
    folder = tmp_path_factory.mktemp("dynamic")
    recipe = write_recipe(folder, quantize_scheme="'dynamic'", quantize_io="")
    built = run_kit("build", str(recipe), "--engine", "local", "--out", str(folder / "dist"))
    assert built.returncode == 0, built.stderr
    return folder / "dist/digits/src/main/assets/digits/model.tflite"


def test_the_table_has_every_pinned_runtime() -> None:
    assert set(table()) == set(runtimes())


@pytest.mark.parametrize("name", on(runtimes()))
def test_the_table_is_what_the_real_runtime_takes(name: str) -> None:
    has = table()[name]
    wanted = {operator: {1, *has.get(operator, ()), has.get(operator, (0, 0))[1] + 1} for operator in operators()}
    predictions = ask(runtime_python(name), {operator: sorted(versions) for operator, versions in wanted.items()})
    known = {
        operator: [v for v in sorted(versions) if operator in has and has[operator][0] <= v <= has[operator][1]]
        for operator, versions in wanted.items()
    }
    assert predictions == {operator: versions for operator, versions in known.items() if versions}


def test_play_services_are_held_against_the_oldest_runtime(dynamic: Path) -> None:
    with pytest.raises(CheckError, match=r"^play:16\.5\.0 \(tflite:2\.14\.0 stands for it\) cannot run this model"):
        check_fit(dynamic, "play:16.5.0")


def test_a_probing_file_is_read_as_what_it_asks_for() -> None:
    codes = read_tflite(file_with(operators()["FULLY_CONNECTED"], 12)).operator_codes
    assert [(code.name, code.version) for code in codes] == [("FULLY_CONNECTED", 12)]


def test_an_operator_that_a_runtime_does_not_know_at_all_is_a_misfit() -> None:
    (misfit,) = misfits({"STABLEHLO_SHIFT_LEFT": 1, "ADD": 1}, "tflite:2.14.0")
    assert str(misfit) == "STABLEHLO_SHIFT_LEFT v1, and it knows no such operator"


@pytest.mark.parametrize("name", on(runtimes()))
def test_dynamic_range_is_refused_for_just_the_runtimes_that_refuse_it(dynamic: Path, name: str) -> None:
    assert versions_needed(dynamic)["FULLY_CONNECTED"] == 12
    argv = [str(runtime_python(name)), "-c", LOAD, str(dynamic)]
    loaded = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ("Didn't find op for builtin opcode 'FULLY_CONNECTED'" in loaded.stderr) == (loaded.returncode != 0)
    if loaded.returncode == 0:
        assert "FULLY_CONNECTED" not in str(misfits(versions_needed(dynamic), name))
        assert check_fit(dynamic, name).endswith(f"in a version that {name} has")
    else:
        with pytest.raises(CheckError, match=r"needs FULLY_CONNECTED v12, and it has v1 to v10") as caught:
            check_fit(dynamic, name)
        message = (
            "another [quantize] scheme or an older [toolchain] tensorflow may need less: `kit matrix` shows what each"
        )
        assert message in caught.value.hint
        able = re.match(r'\[android\] runtime = "(\S+)" has it; ', caught.value.hint)
        assert able and check_fit(dynamic, able[1])
    assert (loaded.returncode == 0) == (name != "tflite:2.14.0")


def test_a_build_for_a_runtime_that_lacks_an_operator_is_refused_with_both_versions(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, quantize_scheme="'dynamic'", quantize_io="")
    recipe.write_text(recipe.read_text("utf-8") + "[android]\nruntime = 'tflite:2.14.0'\n", "utf-8")
    built = run_kit("build", str(recipe), "--engine", "local", "--out", str(tmp_path / "dist"))
    assert built.returncode == 4
    assert "tflite:2.14.0 cannot run this model: it needs FULLY_CONNECTED v12, and it has v1 to v10" in built.stderr
    assert '[android] runtime = "litert:1.0.1" has it' in built.stderr
    assert not (tmp_path / "dist/digits").exists()
