"""One recipe through several toolchains: what is built, what is printed, and what an interrupt leaves."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from worlds import DIGITS, ROOT, run_kit, workers_below, write_recipe

from kit.bundle.manifest_entries import OutputEntry
from kit.errors import RecipeError
from kit.files import tree_digests
from kit.matrix.builds import (
    BuildOptions,
    Failure,
    MatrixRequest,
    VersionBuild,
    finished_build,
    make_request,
    parse_versions,
    read_failure,
)
from kit.matrix.compare import Matrix, Pair, compare, to_json
from kit.matrix.page import render_page
from kit.matrix.parallel import Ended, default_jobs, run_all
from kit.matrix.report import accuracy_title, findings, percent, rows
from kit.metrics.scorer import MetricMeasure
from kit.recipe.load import load_recipe
from kit.shared.npz import save_npz
from kit.tflite.model import OperatorCode
from kit.toolchains.toolchain import toolchains

LOCAL = ("--engine", "local")
MADE = "2.19.1"
TOO_OLD = "2.15.1"  # its Keras cannot load the example's file, which is of Keras 3


def run_matrix(recipe: Path, versions: str, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return run_kit("matrix", str(recipe), "--tensorflow", versions, *LOCAL, "--out", str(out), *options)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a matrix of the digits example: one version that builds it, and one that cannot."""
    out = tmp_path_factory.mktemp("matrix")
    made = run_matrix(DIGITS, f"{TOO_OLD},{MADE}", out)
    assert made.returncode == 0, made.stderr
    assert f"{MADE}  " in made.stderr, "a line of progress for each build, on stderr"
    assert "matrix.html" in made.stdout
    return out / "digits.matrix"


def size_in(digits: Path) -> int:
    """Return the bytes of the model that the fixture's matrix has."""
    return (digits / MADE / "digits/src/main/assets/digits/model.tflite").stat().st_size


def again(digits: Path, *options: str) -> tuple[dict[str, Any], str]:
    """Run the fixture's matrix once more; return its JSON and what it said on stderr."""
    versions = ",".join(sorted(folder.name for folder in digits.iterdir() if folder.is_dir()))
    done = run_matrix(DIGITS, versions, digits.parent, "--json", *options)
    assert done.returncode == 0, done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    return value, done.stderr


# ---------------------------------------------------------------- the command line


@pytest.mark.parametrize(
    ("versions", "step", "right"),
    [
        ("2.19.0", "did you mean '2.19.1'?", "2.19.1"),
        ("2.19.1,9.9.9", "there is: 2.12.1", "2.19.1,2.12.1"),
        ("auto", "next: give all, or versions", "all"),
        ("", "next: give all, or some of: 2.12.1", "2.12.1"),
        (",", "next: give all, or some of: 2.12.1", "all"),
    ],
)
def test_a_version_that_is_not_pinned_is_a_usage_error_before_anything_runs(
    tmp_path: Path, versions: str, step: str, right: str
) -> None:
    done = run_matrix(DIGITS, versions, tmp_path / "out")
    assert done.returncode == 2
    assert step in done.stderr
    assert not (tmp_path / "out").exists()
    assert parse_versions(right)


def test_the_other_words_of_the_command_line_are_taken_after_the_next_step(tmp_path: Path) -> None:
    done = run_matrix(DIGITS, MADE, tmp_path / "out", "--jobs", "-1")
    assert done.returncode == 2 and "give 1 or more, or leave it out" in done.stderr
    for wrong, right in (("podman", "auto"), ("podman", "docker"), ("podman", "local")):
        with pytest.raises(RecipeError, match="there is: auto, docker, local"):
            make_request(DIGITS / "recipe.toml", MADE, tmp_path, BuildOptions(wrong), 1)
        assert make_request(DIGITS / "recipe.toml", MADE, tmp_path, BuildOptions(right), 1).toolchains


def test_a_recipe_that_cannot_be_read_is_refused_before_anything_runs(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    recipe.write_text(recipe.read_text().replace("scheme", "sceme"))
    done = run_matrix(recipe, MADE, tmp_path / "out")
    assert done.returncode == 2
    assert "did you mean 'scheme'?" in done.stderr
    assert not (tmp_path / "out").exists()


def test_all_is_every_pinned_version_once_and_in_order() -> None:
    assert [t.tensorflow for t in parse_versions("all")] == list(toolchains())
    assert [t.tensorflow for t in parse_versions(f" {MADE} ,{MADE},")] == [MADE]
    with pytest.raises(RecipeError, match=r"2\.19\.0"):
        parse_versions(f"{MADE},2.19.0")


# ---------------------------------------------------------------- builds


def test_json_has_every_key_of_a_build(digits: Path) -> None:
    matrix, _ = again(digits)
    build = next(build for build in matrix["builds"] if build["tensorflow"] == MADE)
    model = digits / MADE / "digits" / "src/main/assets/digits/model.tflite"
    assert build["outcome"] == "built"
    assert build["bytes"] == model.stat().st_size
    assert build["sha256"] == tree_digests(model.parent)["model.tflite"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", build["min_runtime"])
    assert {"name": "CONV_2D", "version": 3, "count": 3} in build["operators"]
    (output,) = build["outputs"]
    assert output["accuracy"] > 0.98
    assert output["agreement"] > 0.98
    assert build["seconds"] > 0
    assert build["samples"] == 360
    assert matrix["groups"] == {MADE: "A"}


def test_a_second_run_rebuilds_nothing_and_says_unchanged(digits: Path) -> None:
    def state() -> dict[Path, int]:
        return {
            path: path.stat().st_mtime_ns for path in digits.rglob("*") if path.suffix != ".html" and path != digits
        }

    before = state()
    matrix, printed = again(digits)
    assert state() == before
    assert all(build["unchanged"] for build in matrix["builds"])
    assert printed.count("unchanged") == len(matrix["builds"])
    assert "building" not in printed


def test_a_version_that_cannot_load_the_model_is_a_row_with_its_cause(digits: Path) -> None:
    matrix, _ = again(digits)
    build = next(build for build in matrix["builds"] if build["tensorflow"] == TOO_OLD)
    assert build["outcome"] == "failed"
    assert build["failure"]["code"] == 3
    assert "Keras 3" in build["failure"]["cause"]
    assert html.escape(build["failure"]["cause"]) in (digits / "matrix.html").read_text("utf-8")


def test_the_page_has_every_version_and_fetches_nothing(digits: Path) -> None:
    page = (digits / "matrix.html").read_text("utf-8")
    for folder in (path for path in digits.iterdir() if path.is_dir()):
        assert f">{folder.name}<" in page
    assert f"{size_in(digits):,}" in page
    assert "99.44%" in page
    assert not re.search(r"https?:|<script|<link|<img|@import|url\(| src=", page)


def test_the_page_goes_where_it_is_asked_for(digits: Path, tmp_path: Path) -> None:
    again(digits, "--html", str(tmp_path / "deep" / "page.html"))
    assert (tmp_path / "deep" / "page.html").read_bytes() == (digits / "matrix.html").read_bytes()


def test_a_build_without_its_outputs_is_built_again_to_the_same_bytes(digits: Path, tmp_path: Path) -> None:
    folder = tmp_path / "digits.matrix"
    shutil.copytree(digits / MADE, folder / MADE)
    before = tree_digests(folder / MADE / "digits"), (folder / MADE / "digits.predictions.npz").read_bytes()
    (folder / MADE / "digits.predictions.npz").unlink()
    matrix, printed = again(folder)
    assert "building 1 of 1" in printed
    assert not matrix["builds"][0]["unchanged"]
    assert (tree_digests(folder / MADE / "digits"), (folder / MADE / "digits.predictions.npz").read_bytes()) == before


def test_a_build_that_a_check_refused_is_measured_reported_and_not_built_twice(digits: Path, tmp_path: Path) -> None:
    size = size_in(digits)
    recipe = write_recipe(tmp_path, checks_max_bytes="1000")
    done = run_matrix(recipe, MADE, tmp_path / "out")
    assert done.returncode == 4, "no build was built, so the code is that build's"
    assert f"{size:,}" in done.stdout
    assert "99.72%" in done.stdout
    assert "max_bytes" in done.stdout
    assert "next:" in done.stdout
    begin = time.monotonic()
    second = run_matrix(recipe, MADE, tmp_path / "out", "--json")
    assert second.returncode == 4
    assert "unchanged" in second.stderr, f"after {time.monotonic() - begin:.1f} s"
    (build,) = json.loads(second.stdout)["builds"]
    assert (build["outcome"], build["unchanged"], build["bytes"]) == ("failed", True, size)


def test_where_nothing_is_built_the_table_and_the_page_are_there_and_the_code_is_theirs(tmp_path: Path) -> None:
    (tmp_path / "cut.keras").write_bytes((DIGITS / "digits.keras").read_bytes()[:5000])
    done = run_matrix(write_recipe(tmp_path, model_path="'cut.keras'"), MADE, tmp_path / "out")
    assert done.returncode == 3
    assert "failed (3)" in done.stdout
    assert "cut short" in done.stdout
    assert "no version built it" in done.stderr
    assert "cut short" in (tmp_path / "out" / "digits.matrix" / "matrix.html").read_text("utf-8")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_every_build_and_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    arguments = ["matrix", str(DIGITS), "--tensorflow", MADE, *LOCAL, "--out", str(tmp_path / "out")]
    process = subprocess.Popen(
        [sys.executable, "-m", "kit", *arguments],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    )
    wait_for(lambda: bool(workers_below(tmp_path)))
    process.send_signal(number)
    process.send_signal(number)  # an impatient user's second one changes nothing
    _, message = process.communicate(timeout=90)
    assert process.returncode == 130, message
    assert "interrupted" in message
    assert "Traceback" not in message
    wait_for(lambda: not workers_below(tmp_path), seconds=5)
    assert list(tmp_path.rglob("*")) == [tmp_path / "out"], "no half-written file, no build's folder, no job folder"


def wait_for(condition: Any, seconds: float = 120) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not come about"
        time.sleep(0.1)


@pytest.mark.slow
def test_one_model_by_several_versions_differs_by_a_step_at_most(tmp_path: Path) -> None:
    done = run_matrix(DIGITS / "keras2.toml", f"{TOO_OLD},2.16.2,{MADE}", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    matrix = json.loads(done.stdout)
    assert {build["outcome"] for build in matrix["builds"]} == {"built"}
    for pair in matrix["pairs"]:
        (digit,) = pair["outputs"]
        assert digit["agreement"] > 0.99
        assert digit["steps"] <= 1, "the toolchains' interpreters run the same kernels, so the files alone differ"


# ---------------------------------------------------------------- comparisons


@pytest.fixture
def two(digits: Path, tmp_path: Path) -> tuple[MatrixRequest, list[VersionBuild]]:
    """Give two built builds: the fixture's, and a copy of it as another version, whose outputs differ a little."""
    made = make_request(DIGITS / "recipe.toml", MADE, tmp_path, BuildOptions("local"), 1)
    (one,) = made.toolchains
    other = replace(one, tensorflow="2.20.0")
    request = replace(made, toolchains=(one, other))
    for toolchain in request.toolchains:
        shutil.copytree(digits / MADE, request.folder / toolchain.tensorflow)
    with np.load(request.predictions("2.20.0")) as archive:
        predictions = {name: archive[name].copy() for name in archive.files}
    predictions["top1/digit"][:36] = (predictions["top1/digit"][:36] + 1) % 10
    predictions["real/digit"][7, 3] += 2.5 / 256  # the output's scale is 1/256
    save_npz(request.predictions("2.20.0"), predictions)
    return request, [finished_build(request, variant, unchanged=True) for variant in request.variants]


def test_two_versions_are_compared_by_their_outputs_for_every_sample(
    two: tuple[MatrixRequest, list[VersionBuild]],
) -> None:
    request, builds = two
    (pair,) = compare(request, builds)
    assert (pair.a, pair.b, pair.same_bytes, pair.same_content) == (MADE, "2.20.0", True, True)
    (digit,) = pair.outputs
    assert digit.agreement == pytest.approx(0.9)
    assert digit.steps == pytest.approx(2.5, abs=0.01)
    assert digit.worst == pytest.approx(2.5 / 256, abs=1e-4)


def test_a_row_tells_the_worst_of_all_the_others(two: tuple[MatrixRequest, list[VersionBuild]]) -> None:
    request, builds = two
    matrix = Matrix(request.recipe, tuple(builds), compare(request, builds))
    assert [row.with_others for row in rows(matrix)] == ["90.00%", "90.00%"]
    assert [row.difference for row in rows(matrix)] == ["2.5 steps", "2.5 steps"]
    assert findings(matrix)[0] == "All 2 versions wrote the same bytes."


def build(version: str, operators: dict[str, int], content: str, runtime: str = "1.14.0") -> VersionBuild:
    """Return a built build that no file stands behind."""
    return VersionBuild(
        tensorflow=version,
        keras="keras 3.15.1",
        python="3.11",
        unchanged=False,
        failure=None,
        seconds=1.0,
        bytes=1000,
        sha256=f"{version:0>64}",
        content=content,
        min_runtime=runtime,
        operators=tuple(OperatorCode(name, number, 1) for name, number in operators.items()),
    )


def test_operators_that_differ_are_named_with_their_versions_and_spans() -> None:
    dense = {"2.16.2": 9, "2.17.1": 9, "2.18.1": 9, "2.21.0": 12}
    builds = tuple(build(v, {"CONV_2D": 3, "FULLY_CONNECTED": n}, "x" if n == 9 else "y") for v, n in dense.items())
    matrix = Matrix(load_recipe(DIGITS / "recipe.toml"), builds, ())
    assert findings(matrix) == [
        "2 different models: A by 2.16.2 to 2.18.1; B by 2.21.0.",
        "FULLY_CONNECTED is v9 in 2.16.2 to 2.18.1; v12 in 2.21.0.",
    ]
    assert [row.operators for row in rows(matrix)][-1] == ("FULLY_CONNECTED v12",)
    assert to_json(matrix)["differing_operators"] == {
        "FULLY_CONNECTED": {version: (number,) for version, number in dense.items()}
    }


def test_an_operator_that_one_file_lacks_is_reported() -> None:
    builds = (build("2.18.1", {"SOFTMAX": 2}, "x"), build("2.19.1", {"SOFTMAX": 2, "RESHAPE": 1}, "y"))
    matrix = Matrix(load_recipe(DIGITS / "recipe.toml"), builds, ())
    assert "RESHAPE is none in 2.18.1; v1 in 2.19.1." in findings(matrix)


def test_what_is_not_quite_all_is_never_reported_as_all() -> None:
    assert percent(1.0) == "100%"
    assert percent(0.99999) == "99.99%"
    assert percent(None) == "-"


@pytest.mark.parametrize(
    ("metrics", "title", "cells"),
    [
        ((MetricMeasure("mae", 9, 0.1, 0.2), MetricMeasure("map", 9, 0.5, 0.25)), "mAP@[.5:.95]", ("50.00%", "25.00%")),
        ((MetricMeasure("mae", 9, 0.1, 0.2),), "accuracy", ("-", "-")),
    ],
)
def test_without_classes_the_first_metric_that_is_a_share_stands_in_for_accuracy(
    metrics: tuple[MetricMeasure, ...], title: str, cells: tuple[str, str]
) -> None:
    one = replace(build("2.19.1", {}, "x"), outputs=(OutputEntry("found", 0.0, 0.0, metrics=metrics),))
    matrix = Matrix(load_recipe(DIGITS / "recipe.toml"), (one,), ())
    (row,) = rows(matrix)
    assert (accuracy_title(matrix), (row.before, row.after)) == (title, cells)
    assert (f"{title}, before and after" in html.unescape(render_page(matrix))) is (title != "accuracy")


# ---------------------------------------------------------------- what a build says


def test_a_hostile_name_or_message_is_text_on_the_page() -> None:
    evil = "<script>alert('x')</script>&\"<img src=x onerror=y>"
    recipe = load_recipe(DIGITS / "recipe.toml")
    model = recipe.model.model_copy(update={"id": evil, "version": evil, "path": evil})
    failure = Failure(3, evil, evil, evil)
    built = replace(
        build("2.19.1", {evil: 1}, "x", runtime=evil), keras=evil, outputs=(OutputEntry(evil, 0.0, 0.0, agreement=0.5),)
    )
    other = replace(built, tensorflow="2.20.0", operators=())
    failed = replace(built, tensorflow="2.21.0", failure=failure, bytes=None, sha256=None)
    pair = Pair("2.19.1", "2.20.0", same_bytes=False, same_content=False, outputs=())
    page = render_page(Matrix(recipe.model_copy(update={"model": model}), (built, other, failed), (pair,)))
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("&lt;script&gt;") >= 8


def ended(status: int, stderr: str) -> Ended:
    return Ended("2.19.1", status, "", stderr, 1.0)


def test_the_cause_is_the_first_line_of_the_message_and_not_of_the_progress() -> None:
    stderr = (
        "engine: docker, because 20.10 outputs\nload the model (0.1 s)\n"
        "model: the conversion process died (docker engine): aborted (SIGABRT)\n"
        "  | model: not this one\n  whole log: digits.log\n  next: try another scheme\n"
    )
    failure = read_failure(ended(3, stderr))
    assert failure.cause == "the conversion process died (docker engine): aborted (SIGABRT)"
    assert failure.hint == "try another scheme"
    assert "whole log: digits.log" in failure.detail


def test_a_build_that_is_killed_or_says_nothing_still_has_a_cause() -> None:
    assert "SIGKILL" in read_failure(ended(-9, "")).cause
    assert read_failure(ended(-9, "")).code == 5
    assert read_failure(ended(1, "bug: KeyError: 'x'\n  next: please report it\n")).cause == "KeyError: 'x'"
    assert "it said nothing" in read_failure(ended(3, "")).cause


# ---------------------------------------------------------------- side by side


def test_commands_run_side_by_side_but_no_more_than_are_allowed(tmp_path: Path) -> None:
    code = "import os, sys, time; print(len(os.listdir(sys.argv[1]))); p = sys.argv[1] + '/' + sys.argv[2]; "
    code += "open(p, 'w').close(); time.sleep(0.5); print(len(os.listdir(sys.argv[1]))); os.remove(p)"
    commands = {name: [sys.executable, "-c", code, str(tmp_path), name] for name in "abcd"}
    order: list[str] = []
    done = run_all(commands, 2, lambda each: order.append(each.name))
    assert sorted(order) == list(done) == list("abcd")
    running = [int(number) for each in done.values() for number in each.stdout.split()]
    assert max(running) == 2


def test_memory_bounds_how_many_run_at_once() -> None:
    assert default_jobs(1 << 60) == 1
    assert default_jobs(1) == len(os.sched_getaffinity(0))


# ---------------------------------------------------------------- schemes


def test_schemes_are_columns_of_the_same_page_and_files_of_one_scheme_are_held_against_each_other() -> None:
    made = {"int8": {"CONV_2D": 3, "QUANTIZE": 1}, "auto": {"CONV_2D": 5}}
    builds = tuple(
        replace(build(version, operators, scheme + version), scheme=scheme, found="int4" if scheme == "auto" else "")
        for version in (MADE, "2.20.0")
        for scheme, operators in made.items()
    )
    newer = replace(builds[2], operators=(OperatorCode("CONV_2D", 4, 1), OperatorCode("QUANTIZE", 1, 1)))
    matrix = Matrix(load_recipe(DIGITS / "recipe.toml"), (*builds[:2], newer, builds[3]), ())
    names = ["2.19.1 int8", "2.19.1 auto", "2.20.0 int8", "2.20.0 auto"]
    assert [row.tensorflow for row in rows(matrix)] == names
    assert list(matrix.differing_operators()) == ["CONV_2D"], "QUANTIZE is in every file of int8, and in none of auto"
    assert findings(matrix)[-2:] == ["2.19.1 auto chose int4.", "2.20.0 auto chose int4."]
    page = render_page(matrix)
    assert "by 2 TensorFlow versions and 2 schemes" in page
    assert "digits.keras to int8, auto" in page
    assert all(f">{name}<" in page for name in names)
    assert [(each["name"], each["scheme"]) for each in to_json(matrix)["builds"]][1] == ("2.19.1 auto", "auto")


def test_an_unknown_scheme_is_a_usage_error_before_anything_runs(tmp_path: Path) -> None:
    done = run_matrix(DIGITS, MADE, tmp_path / "out", "--scheme", "int8,int3")
    assert done.returncode == 2
    assert "--scheme 'int3' is unknown" in done.stderr and "next: there is: float32, float16" in done.stderr
    assert not (tmp_path / "out").exists()
    request = make_request(DIGITS / "recipe.toml", MADE, tmp_path, BuildOptions("local"), 1, " int8, dynamic,int8")
    assert [variant.name for variant in request.variants] == ["2.19.1 int8", "2.19.1 dynamic"]


@pytest.mark.slow
def test_one_version_by_several_schemes_is_built_compared_and_not_built_twice(tmp_path: Path) -> None:
    made = run_matrix(DIGITS, MADE, tmp_path, "--scheme", "int8,dynamic,auto", "--json")
    assert made.returncode == 0, made.stderr
    builds = {build["scheme"]: build for build in json.loads(made.stdout)["builds"]}
    assert list(builds) == ["int8", "dynamic", "auto"]
    assert all(build["outcome"] == "built" for build in builds.values())
    assert builds["auto"]["bytes"] < builds["int8"]["bytes"]
    assert builds["auto"]["found"]
    for build in builds.values():
        assert build["bundle"] == str(tmp_path / "digits.matrix" / f"{MADE}-{build['scheme']}" / "digits")
    manifest = json.loads((tmp_path / f"digits.matrix/{MADE}-dynamic/digits/bundle.json").read_text("utf-8"))
    assert (manifest["recipe"]["quantize"]["scheme"], manifest["recipe"]["quantize"].get("io")) == ("dynamic", None)
    again = run_matrix(DIGITS, MADE, tmp_path, "--scheme", "int8,dynamic,auto", "--json")
    assert all(build["unchanged"] for build in json.loads(again.stdout)["builds"])
    assert {len(build["outputs"]) for build in json.loads(again.stdout)["builds"]} == {1}
