"""Apps with an older Kotlin: they compile against the AAR with what its POM gives them, and run."""

from __future__ import annotations

import os
import re
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from android_world import quiet

from kit.android.proof import jvm
from kit.android.proof.aar import pom_text, write_maven
from kit.android.proof.jvm import AS_LIBRARY, runtime_properties
from kit.android.proof.kotlin_compiler import compile_kotlin, desktop_classpath, desktop_jar
from kit.android.proof.kotlin_sources import Bindings, find_bindings
from kit.android.proof.run import How, prove
from kit.android.proof.step import Step
from kit.android.proof.tools import OLDER_COMPILERS, Kotlin, find_jar, find_java, kotlin

LITERT = "com.google.ai.edge.litert:litert:2.3.0"
APP = """
import android.content.Context
import android.graphics.Bitmap
import com.example.digits.Digits
import com.example.digits.dropkit.ModelSource
import com.google.ai.edge.litert.Accelerator
import dropkit.desktop.DesktopContext

suspend fun later(digits: Digits, image: Bitmap): Digits.Outputs = digits.awaitClassify(image, rotationDegrees = 90)

fun create(context: Context): Digits = Digits.create(context, listOf(Accelerator.CPU), source = ModelSource.ASSETS)

fun main() {
    val image = Bitmap.createBitmap(IntArray(64), 8, 8, Bitmap.Config.ARGB_8888)
    create(DesktopContext("dropkit.assets")).use { digits ->
        val seen: Digits.Outputs = digits.classify(image)
        for (score in seen.digitTop(3)) println("${score.label.text} ${score.score <= 1f}")
        println("${digits.attempts} ${digits.source} ${digits.selfTest().passed}")
    }
}
"""


def pom(bindings: Bindings) -> dict[str, tuple[str, str]]:
    """Return version and scope of each dependency by its artifact."""
    parts = r"<artifactId>(.*?)</artifactId>\s*<version>(.*?)</version>\s*<scope>(.*?)</scope>"
    return {name: (version, scope) for name, version, scope in re.findall(parts, pom_text(bindings, "1.0.0", LITERT))}


def test_the_pom_forces_no_newer_standard_library_and_gives_what_signatures_name(digits_bundle: Path) -> None:
    needs = pom(find_bindings(digits_bundle))
    assert needs["kotlin-stdlib"] == ("2.1.0", "compile")
    assert needs["litert"] == ("2.3.0", "compile")
    assert needs["kotlinx-coroutines-core"] == ("1.8.0", "runtime")


def _compile(tool: Kotlin, sources: Sequence[Path], classpath: Sequence[Path], out: Path, *options: str) -> str:
    """Compile as an app's own Kotlin does, with its standard library; return what is wrong, "" where nothing is."""
    argv = [str(find_java()), "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    argv += ["-cp", os.pathsep.join(map(str, tool.compiler)), "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"]
    argv += ["-no-reflect", "-no-stdlib", "-jvm-target", "17", "-Werror", "-d", str(out), *options]
    argv += ["-cp", os.pathsep.join(map(str, [*classpath, tool.stdlib])), *map(str, sources)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr) if done.returncode else ""


def _library(bindings: Bindings, folder: Path, options: Sequence[str]) -> Path:
    """Compile a bundle's classes and pack its AAR; return the classes.jar out of that."""
    compile_kotlin(bindings.sources, desktop_classpath(quiet), folder / "main", quiet, options=options)
    aar = write_maven(folder / "m2", bindings, folder / "main", "1.0.0", LITERT)
    with zipfile.ZipFile(aar) as archive:
        archive.extract("classes.jar", folder)
    return folder / "classes.jar"


@pytest.fixture(scope="module")
def bindings(digits_bundle: Path, android_tools: None) -> Bindings:
    """Give the digits' own Kotlin."""
    return find_bindings(digits_bundle)


@pytest.fixture(scope="module")
def library(bindings: Bindings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the classes of the AAR as `kit android` makes it."""
    return _library(bindings, tmp_path_factory.mktemp("library"), AS_LIBRARY)


@pytest.mark.slow
@pytest.mark.parametrize("version", OLDER_COMPILERS)
def test_an_app_of_an_older_kotlin_compiles_against_the_aar_and_runs(
    library: Path, bindings: Bindings, tmp_path: Path, version: str
) -> None:
    tool, source = kotlin(quiet, version), tmp_path / "App.kt"
    source.write_text(APP, "utf-8")
    # Without coroutines: they are "runtime" in the POM.
    assert _compile(tool, [source], [library, desktop_jar(quiet)], tmp_path / "app") == ""
    jars = [tmp_path / "app", library, desktop_jar(quiet), find_jar("jna"), tool.stdlib, tool.coroutines]
    argv = [str(find_java()), "-XX:TieredStopAtLevel=1", *runtime_properties(quiet)]
    argv += [f"-Ddropkit.assets={os.pathsep.join(map(str, bindings.assets))}"]
    argv += ["-cp", os.pathsep.join(map(str, jars)), "AppKt"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[CPU: runs] the app's assets true", done.stderr


@pytest.mark.slow
def test_without_the_older_language_version_an_older_kotlin_reads_no_class(bindings: Bindings, tmp_path: Path) -> None:
    newest = _library(bindings, tmp_path, ["-Xexplicit-api=strict"])
    source = tmp_path / "App.kt"
    source.write_text(APP, "utf-8")
    said = _compile(kotlin(quiet, "2.1.21"), [source], [newest, desktop_jar(quiet)], tmp_path / "app")
    assert "was compiled with an incompatible version of Kotlin" in said


@pytest.mark.slow
def test_the_proof_compiles_an_app_with_each_older_kotlin_where_it_is_asked(
    digits_bundle: Path, android_tools: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def library() -> Step:
        proof = prove(digits_bundle, quiet, checks=(), keep=False, how=How(older_kotlin=True))
        return next(step for step in proof.steps if step.name == "library (AAR)")

    assert library().detail.endswith(f"also with Kotlin {' and '.join(OLDER_COMPILERS)}")
    monkeypatch.setattr(jvm, "AS_LIBRARY", AS_LIBRARY[:1])  # compiled as its own Kotlin would
    failed = library()
    assert failed.verdict == "fail" and failed.detail.startswith("an app of Kotlin 2.1.21: Kotlin does not compile")


@pytest.mark.slow
@pytest.mark.parametrize("version", OLDER_COMPILERS)
def test_the_source_itself_compiles_with_an_older_kotlin(bindings: Bindings, tmp_path: Path, version: str) -> None:
    tool = kotlin(quiet, version)
    path = [*desktop_classpath(quiet), tool.coroutines]
    assert _compile(tool, bindings.sources, path, tmp_path / "classes", "-Xexplicit-api=strict") == ""
