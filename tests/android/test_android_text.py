"""A text classifier in the generated class: text in, and the labels that the harness gives."""

from __future__ import annotations

from pathlib import Path

import pytest
import text_models
from android_world import proved, quiet, rerun_kotlin
from desk import Desk
from source_models import written
from worlds import run_kit

from kit.android.codegen.runtime_api import APIS, Api
from kit.android.proof.alternate_api import render_other
from kit.android.proof.kotlin_compiler import compile_kotlin, desktop_classpath
from kit.android.proof.kotlin_sources import find_bindings
from kit.bundle.layout import Bundle
from kit.bundle.manifest import read_manifest

RECIPE = """
[model]
path = 'model.keras'
id = 'm'

[toolchain]
tensorflow = '2.19.1'

[[inputs]]
name = 'text'
source = 'words'
kind = 'text'

[[outputs]]
name = 'topic'
kind = 'classes'
labels = 'labels.txt'

[checks]
data = 'test.npz'
"""
PROGRAM = """
import com.example.m.CLASS
import dropkit.desktop.DesktopContext

fun main(args: Array<String>) {
    CLASS.create(DesktopContext("dropkit.assets")).use { model ->
        for (text in args) println(model.classify(text).topicTop(1).first())
        println(model.selfTest())
    }
}
"""
TEXTS = ("Return the cosine of x qwertz.", "Connect the SOCKET to a host, port", "", "ÄÖ 名前 time\u2028zone")


@pytest.mark.usefixtures("android_tools")
@pytest.mark.parametrize(
    ("api", "whole"),  # the steps that compile are the same for every bundle: test_android_proof has them in CI
    [("compiled-model", False), *(pytest.param(api, True, marks=pytest.mark.slow) for api in APIS[:2])],
)
def test_a_text_gets_the_label_that_the_harness_gives(
    tmp_path: Path,
    toolchain_python: Path,
    runtime_python: Path,
    api: Api,
    whole: bool,
) -> None:
    written(toolchain_python, "topics", tmp_path, Path(text_models.__file__))
    (tmp_path / "recipe.toml").write_text(RECIPE, "utf-8")
    built = run_kit("build", str(tmp_path / "recipe.toml"), "--engine", "local", "--out", str(tmp_path / "dist"))
    assert built.returncode == 0, built.stderr
    bundle = tmp_path / "dist" / "m"
    proof = proved(bundle, api, whole=whole)
    assert {step.name: (step.verdict, step.detail) for step in proof.steps if step.verdict != "pass"} == {}
    kotlin = render_other(Bundle(bundle, "m"), read_manifest(bundle), api, tmp_path / "kotlin")
    bindings = find_bindings(bundle, kotlin)
    (tmp_path / "Program.kt").write_text(PROGRAM.replace("CLASS", bindings.model), "utf-8")
    sources = [*bindings.sources, tmp_path / "Program.kt"]
    compile_kotlin(sources, desktop_classpath(quiet), tmp_path / "classes", quiet)
    assets = {"dropkit.assets": ":".join(map(str, bindings.assets))}
    *printed, checks = rerun_kotlin(tmp_path, *TEXTS, properties=assets).split("\n", len(TEXTS))
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS) + "\n", "utf-8")
    results = Desk(runtime_python, bundle, tmp_path).report(tmp_path / "texts.txt")["results"]
    for line, result in zip(printed, results, strict=True):
        best = result["outputs"]["topic"]["top"][0]
        label, _, score = line.rpartition(" ")
        assert label == best["label"]
        assert abs(float(score) - best["score"]) < 1e-5
    assert "text from text: max difference 0.0 of 8 vectors (0.0 allowed): ok" in checks
