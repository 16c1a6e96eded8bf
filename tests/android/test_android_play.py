"""A bundle for Google Play services: what it is run on here, and the message that an app gets without their runtime."""

from __future__ import annotations

from pathlib import Path

import pytest
from android_world import proved, quiet, rerun_kotlin
from worlds import DIGITS, run_kit

from kit.android.install.app_module import drop
from kit.android.proof.alternate_api import render_other
from kit.android.proof.kotlin_compiler import compile_kotlin, desktop_classpath
from kit.bundle.layout import Bundle
from kit.bundle.manifest import read_manifest

PROGRAM = """
import com.example.digits.Digits
import dropkit.desktop.DesktopContext

fun main() {
    try {
        Digits.create(DesktopContext("dropkit.assets")).use { println("${it.attempts} ${it.selfTest().passed}") }
    } catch (error: IllegalStateException) {
        println(error.message)
    }
}
"""


def recipe(folder: Path, runtime: str) -> Path:
    """Write the digits' recipe for a runtime."""
    text = (DIGITS / "recipe.toml").read_text("utf-8").replace('runtime = "litert:2.3.0"', f'runtime = "{runtime}"')
    for name in ("digits.keras", "samples.npz", "labels.txt", "test.npz"):
        text = text.replace(f'"{name}"', f"'{DIGITS / name}'")
    path = folder / "recipe.toml"
    path.write_text(text, "utf-8")
    return path


@pytest.fixture(scope="module")
def program(digits_bundle: Path, tmp_path_factory: pytest.TempPathFactory, android_tools: None) -> Path:
    """Give the folder of a program that makes the digits' model from Play services and runs its self-test."""
    folder = tmp_path_factory.mktemp("play")
    bindings = render_other(
        Bundle(digits_bundle, "digits"), read_manifest(digits_bundle), "play-services", folder / "bindings"
    )
    source = folder / "Program.kt"
    source.write_text(PROGRAM, "utf-8")
    compile_kotlin([bindings / "src/main/kotlin", source], desktop_classpath(quiet), folder / "classes", quiet)
    return folder


@pytest.mark.parametrize(
    ("play", "message"),
    [
        ("", "[XNNPACK: runs] true"),
        ("absent", "Google Play services give no TensorFlow Lite: the module is not available; update Google Play"),
        ("silent", "Google Play services gave no TensorFlow Lite within 60 seconds; update Google Play services, or"),
    ],
)
def test_the_app_is_shown_why_play_services_do_not_run_the_model(
    program: Path, digits_bundle: Path, play: str, message: str
) -> None:
    assets = ":".join(str(digits_bundle / "src" / part / "assets") for part in ("main", "debug"))
    properties = {"dropkit.assets": assets} | ({"dropkit.play": play} if play else {})
    assert rerun_kotlin(program, properties=properties).startswith(message)


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_bundle_for_play_services_is_run_on_what_stands_for_them_and_proved(
    tmp_path: Path, android_tools: None, whole: bool
) -> None:
    built = run_kit("build", str(recipe(tmp_path, "play:16.5.0")), "--engine", "local", "--out", str(tmp_path / "dist"))
    assert built.returncode == 0, built.stderr
    lines = [" ".join(line.split()) for line in built.stdout.splitlines()]
    assert "on litert:1.4.0 golden vectors pass: digit max difference 0 steps; it stands for play:16.5.0" in lines
    bundle = tmp_path / "dist" / "digits"
    proof = proved(bundle, whole=whole)
    assert proof.api == "play-services"
    assert {step.name: step.detail for step in proof.steps if step.verdict != "pass"} == {}
    (operators,) = (step.detail for step in proof.steps if step.name == "operators")
    assert operators.endswith("each in a version that tflite:2.14.0 has")
    module = tmp_path / "app"
    module.mkdir()
    (module / "build.gradle").write_text("plugins { id 'com.android.application' }\n")
    drop(bundle, module)
    gradle = (module / "dropkit.gradle").read_text()
    assert 'implementation "com.google.android.gms:play-services-tflite-java:16.5.0"' in gradle


@pytest.mark.parametrize(
    ("runtime", "message"), [("play:16.4.0", "cannot run a model by its names"), ("play:new", "is no runtime")]
)
def test_a_runtime_of_play_services_that_cannot_be_is_refused_before_anything_is_converted(
    tmp_path: Path, runtime: str, message: str
) -> None:
    built = run_kit("build", str(recipe(tmp_path, runtime)), "--engine", "local", "--out", str(tmp_path / "dist"))
    assert built.returncode == 2
    assert message in built.stderr
    assert "convert" not in built.stdout + built.stderr
    assert not (tmp_path / "dist" / "digits").exists()
