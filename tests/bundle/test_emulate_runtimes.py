"""`emulate --runtime all`: what each pinned runtime makes of a bundle, with refusals and differences that are planted.

The bundles are the small model of the readers' fuzzing with golden vectors that the newest runtime gave.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from worlds import DIGITS, ROOT, run_kit, write_recipe

from kit.build.also_gate import check_also, check_operators, refuse_unknown_runtimes
from kit.bundle.layout import Bundle
from kit.emulation.all_runtimes import Asked, fault, numbers_to, run_rows
from kit.emulation.bare import bare_bundle, newest_runtime
from kit.emulation.run import harness_argv
from kit.emulation.runtimes_report import OutputOff, RuntimeRow, RuntimesReport, judge_runtimes, table
from kit.errors import CheckError, RecipeError
from kit.progress import Reporter
from kit.recipe.load import load_recipe
from kit.recipe.schema import Recipe
from kit.toolchains.toolchain import runtimes

MODEL = ROOT / "tests" / "fuzz" / "seeds" / "tflite" / "model.tflite"
MEAN = 40  # the operator's number in the schema
OLDEST, NEWEST = "litert:1.0.1", "litert:2.3.0"


def quiet(*_: object) -> None:
    """Say nothing."""


@pytest.fixture
def images() -> NDArray[Any]:
    """Give four images, uint8 [4, 8, 8, 1]."""
    return np.random.default_rng(7).integers(0, 256, (4, 8, 8, 1), np.uint8)


@pytest.fixture
def bundle(tmp_path: Path, images: NDArray[Any]) -> Iterator[Bundle]:
    """Give the model with golden vectors, as far as the harness asks for them."""
    with bare_bundle(MODEL, newest_runtime(), quiet) as folder:
        found = Bundle(folder, "model")
        np.savez(tmp_path / "x.npz", image=images)
        words = ["--save-outputs", str(tmp_path / "out.npz"), str(tmp_path / "x.npz")]
        subprocess.run(harness_argv(folder, newest_runtime(), words, quiet), check=True, capture_output=True)
        with np.load(tmp_path / "out.npz") as saved:
            write_golden(found, images, saved["output/digit"][:, 0])
        yield found


def write_golden(bundle: Bundle, images: NDArray[Any], digit: NDArray[Any]) -> None:
    """Write golden vectors of images, uint8 [N, 8, 8, 1], and outputs, uint8 [N, 3]."""
    arrays = {"input/image": images, "output/digit": digit}
    bounds = {"tolerance/digit": np.float64(1), "drift/digit": np.float64(2)}
    np.savez(bundle.golden_npz, **arrays, **bounds)  # type: ignore[arg-type]


def rows_of(bundle: Bundle, *names: str, kernels: tuple[str, ...] = ("default",)) -> list[RuntimeRow]:
    return list(run_rows(bundle, Asked(names, kernels, (1, 2), quiet, quiet)))


def with_newer_mean(bundle: Bundle) -> None:
    """Let the model need a version of MEAN that no runtime has."""
    content = bytearray(bundle.model.read_bytes())
    struct.pack_into("<i", content, content.index(struct.pack("<ii", MEAN, 2)) + 4, 99)  # its number, then the version
    bundle.model.write_bytes(content)


def test_each_runtime_has_a_row_for_each_number_of_threads(bundle: Bundle) -> None:
    rows = rows_of(bundle, NEWEST, "tflite:2.14.0", kernels=("default", "reference"))
    places = [(row.runtime, row.kernels, row.threads) for row in rows]
    kinds = (("default", 1), ("default", 2), ("reference", 1))  # reference kernels know no threads
    assert places == [(name, *kind) for name in (NEWEST, "tflite:2.14.0") for kind in kinds]
    assert {(row.verdict, row.stable, row.error) for row in rows} == {("runs", True, "")}
    assert rows[0].outputs == (OutputOff("serving_default", "digit", "steps", 0.0, 1.0, passed=True),)


def test_outputs_that_are_off_are_named_with_their_steps(bundle: Bundle, images: NDArray[Any]) -> None:
    with np.load(bundle.golden_npz) as golden:
        off = golden["output/digit"].copy()
    off[2, 1] ^= 0x10
    write_golden(bundle, images, off)
    (row, _) = rows_of(bundle, NEWEST)
    assert (row.verdict, row.words) == ("off", "digit 16 steps (1 allowed)")


def test_an_operator_that_a_runtime_lacks_is_named_with_its_version(bundle: Bundle) -> None:
    with_newer_mean(bundle)
    first, second = rows_of(bundle, NEWEST)
    assert (first.verdict, first.words) == ("fails", "it needs MEAN v99, and it has v1 to v3")
    assert second == replace(first, threads=2)


def test_kernels_that_lack_an_operator_are_named_where_the_runtime_has_it() -> None:
    error = "cannot run: Didn't find op for builtin opcode 'FULLY_CONNECTED' version '12'. An older version"
    assert fault(error, NEWEST, {"FULLY_CONNECTED": 12}) == "these kernels lack FULLY_CONNECTED v12"
    error = "x: no kernel for this type: Node number 3 (ELU) failed to prepare."
    assert fault(f"{error} y: why", NEWEST, {"ELU": 1}).startswith("ELU v1 fails: ")
    assert fault("something else", NEWEST, {}) == "something else"


def test_a_process_that_dies_is_a_row_with_its_signal(bundle: Bundle) -> None:
    harness = bundle.folder / "emulate" / "harness" / "golden.py"
    text = harness.read_text("utf-8")
    harness.write_text(f"import os, signal\n{text}\nos.kill(os.getpid(), signal.SIGSEGV)\n", "utf-8")
    rows = rows_of(bundle, NEWEST)
    assert [row.error for row in rows] == ["the interpreter of litert:2.3.0 ended with SIGSEGV"] * 2


def test_numbers_of_threads_are_doubled_up_to_the_last() -> None:
    assert [numbers_to(most) for most in (1, 2, 3, 8)] == [(1,), (1, 2), (1, 2, 3), (1, 2, 4, 8)]


def report(*rows: RuntimeRow) -> RuntimesReport:
    return RuntimesReport("digits", "1.0.0", NEWEST, "x86_64", rows)


GOOD = (OutputOff("serving_default", "digit", "steps", 1.0, 1.0, passed=True),)
BAD = (OutputOff("serving_default", "digit", "steps", None, 1.0, passed=False),)


def test_the_table_has_threads_together_where_they_are_alike() -> None:
    made = report(
        RuntimeRow(OLDEST, "default", 1, error="it needs MEAN v3, and it has v1 to v2"),
        RuntimeRow(NEWEST, "default", 1, GOOD),
        RuntimeRow(NEWEST, "default", 2, GOOD),
        RuntimeRow(NEWEST, "reference", 1, BAD, stable=False),
    )
    assert list(table(made)) == [
        "digits 1.0.0, golden vectors on x86_64; the app links litert:2.3.0",
        "  runtime       kernels    threads         difference from the outputs as built",
        "  litert:1.0.1  default    1        fails  it needs MEAN v3, and it has v1 to v2",
        "  litert:2.3.0  default    1, 2     runs   digit 1 step (1 allowed)",
        "  litert:2.3.0  reference  1        off    digit not finite (1 allowed), not the same when it is asked again",
        "works on: litert:2.3.0",
    ]
    judge_runtimes(made)


def test_the_apps_own_runtime_is_the_judge() -> None:
    with pytest.raises(CheckError, match=r"litert:2.3.0, which the app links, gives other outputs: digit not finite"):
        judge_runtimes(report(RuntimeRow(NEWEST, "default", 1, BAD)))
    with pytest.raises(CheckError, match="does not run it: why") as caught:
        judge_runtimes(report(RuntimeRow(NEWEST, "default", 1, error="why")))
    assert caught.value.hint.startswith("name a runtime that runs it")


@pytest.mark.slow
def test_the_table_of_a_bundle_is_kept_beside_it_and_the_bundle_is_as_it_was(
    tmp_path: Path, digits_bundle: Path
) -> None:
    bundle = Path(shutil.copytree(digits_bundle, tmp_path / "digits"))
    done = run_kit("emulate", str(bundle), "--runtime", "all", "--threads", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"works on: {', '.join(runtimes())}"
    kept = json.loads((tmp_path / "digits.emulate.json").read_text("utf-8"))
    assert kept["works_on"] == list(runtimes())
    each = [("default", 1), ("default", 2), ("reference", 1)]  # reference kernels have one thread
    rows = [(row["runtime"], row["kernels"], row["threads"]) for row in kept["rows"]]
    assert rows == [(runtime, *how) for runtime in runtimes() for how in each]
    assert run_kit("emulate", str(bundle)).returncode == 0


def test_files_do_not_go_with_all_runtimes() -> None:
    words = ("emulate", str(DIGITS), "--golden", "--kernels", "reference")
    refused = run_kit(*words, "--runtime", "all", "--", "a.png")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "runs the golden vectors on every runtime, and --kernels and files does not go with it" in refused.stderr
    assert "leave --kernels and files out, or name one runtime" in refused.stderr


# ---------------------------------------------------------------- [android] also


def recipe_with(folder: Path, also: str, **changes: str) -> Recipe:
    """Return the digits' recipe with these runtimes."""
    path = write_recipe(folder, **changes)
    path.write_text(f"{path.read_text('utf-8')}[android]\nalso = {also}\n", "utf-8")
    return load_recipe(path)


def test_a_bundle_that_another_runtime_does_not_run_as_built_is_refused(
    tmp_path: Path, bundle: Bundle, images: NDArray[Any]
) -> None:
    recipe = recipe_with(tmp_path / "r", "['tflite:2.14.0', 'litert:2.3.0']")
    check_also(recipe, bundle.folder, Reporter(quiet=True))
    with np.load(bundle.golden_npz) as golden:
        off = golden["output/digit"].copy()
    off[2, 1] ^= 0x10
    write_golden(bundle, images, off)
    with pytest.raises(
        CheckError, match=r"refused, no bundle was written: \[android\] also: on tflite:2\.14\.0"
    ) as caught:
        check_also(recipe, bundle.folder, Reporter(quiet=True))
    assert caught.value.hint.startswith("remove tflite:2.14.0 from also; or ")
    check_also(recipe_with(tmp_path / "without", "[]"), bundle.folder, Reporter(quiet=True))


def test_an_operator_that_another_runtime_lacks_is_refused_before_anything_runs(tmp_path: Path, bundle: Bundle) -> None:
    recipe = recipe_with(tmp_path / "r", "['litert:1.4.0']")
    check_operators(recipe, bundle.model, ())
    with pytest.raises(CheckError, match=r"litert:1\.4\.0 cannot run this model here: it needs FlexErf") as caught:
        check_operators(recipe, bundle.model, ("FlexErf",))
    assert caught.value.hint == "remove litert:1.4.0 from also; or build it without these operators"
    with_newer_mean(bundle)
    with pytest.raises(CheckError, match=r"also: litert:1\.4\.0 cannot run this model: it needs MEAN v99") as caught:
        check_operators(recipe, bundle.model, ())
    assert caught.value.hint.startswith("remove litert:1.4.0 from also; or ")


def test_a_runtime_that_is_not_pinned_is_refused_with_the_nearest(tmp_path: Path) -> None:
    refuse_unknown_runtimes(recipe_with(tmp_path / "good", "['litert:1.4.0', 'play:16.5.0']"))
    with pytest.raises(RecipeError, match=r"\[android\] also: the runtime 'litert:1\.4\.1' is not pinned") as caught:
        refuse_unknown_runtimes(recipe_with(tmp_path / "bad", "['litert:1.4.1']"))
    assert "did you mean 'litert:1.4.0'" in caught.value.hint


@pytest.mark.slow
def test_the_report_shows_what_a_bundle_works_on(tmp_path: Path) -> None:
    recipe = recipe_with(tmp_path, "['litert:1.4.0', 'tflite:2.14.0']")
    done = run_kit("build", str(recipe.path), "--engine", "local", "--out", str(tmp_path / "dist"))
    assert done.returncode == 0, done.stderr
    assert "litert:1.4.0, tflite:2.14.0" in done.stdout
    page = (tmp_path / "dist" / "digits" / "report.html").read_text("utf-8")
    assert page.count("works on it: the golden vectors were replayed on it and pass") == 2
    assert run_kit("emulate", str(tmp_path / "dist" / "digits")).returncode == 0


@pytest.mark.slow
def test_a_build_is_refused_where_a_further_runtime_lacks_an_operator(tmp_path: Path) -> None:
    recipe = recipe_with(tmp_path, "['tflite:2.14.0']", quantize_scheme="'dynamic'", quantize_io="")
    done = run_kit("build", str(recipe.path), "--engine", "local", "--out", str(tmp_path / "dist"))
    assert done.returncode == 4
    assert "also: tflite:2.14.0 cannot run this model: it needs FULLY_CONNECTED v12" in done.stderr
    assert not (tmp_path / "dist" / "digits").exists()
