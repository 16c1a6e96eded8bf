"""Accelerators that are verified before they are used: the generated class on a JVM with the real LiteRT library.

No NPU is here. But LiteRT counts one where the chip is known and a folder for its libraries is named, and then runs the
model on the CPU in silence: so everything but the hardware is real.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from android_world import quiet

from kit.android.proof.jvm import runtime_properties
from kit.android.proof.kotlin_compiler import compile_kotlin, desktop_classpath, desktop_jar
from kit.android.proof.kotlin_sources import find_bindings
from kit.android.proof.tools import find_jar, find_java, kotlin
from kit.bundle.golden_bin import golden_bytes, read_golden
from kit.bundle.layout import MAIN_ASSETS
from kit.shared.seeded import seeded

pytestmark = pytest.mark.usefixtures("android_tools")

PROGRAM = """
package com.example.digits

import android.graphics.Bitmap
import com.example.digits.dropkit.Accelerator
import com.example.digits.dropkit.Candidate
import com.example.digits.dropkit.GpuPrecision
import com.example.digits.dropkit.Verification
import com.example.digits.dropkit.seeded
import com.example.digits.dropkit.sha256
import dropkit.desktop.DesktopContext
import java.io.File

fun main(args: Array<String>) {
    val context = DesktopContext("dropkit.assets")
    when (args[0]) {
        "create" -> Digits.create(context, precision = GpuPrecision.valueOf(args[1])).use { model ->
            model.attempts.forEach { println("$it") }
            check(model.classify(Bitmap.createBitmap(8, 8, Bitmap.Config.ARGB_8888)).digit.size == 10)
        }
        // What a driver does that crashes: the process ends while the accelerator is tried.
        "crash" -> Digits.create(context, listOf(Accelerator.CPU)).use { model ->
            val file = context.assets.open(Digits.MODEL).use { sha256(it.readBytes()) }
            val npu = Candidate(Accelerator.NPU, GpuPrecision.DEFAULT, file)
            Verification(context, model.spec, "litert:2.3.0").verified(npu) {
                Runtime.getRuntime().halt(9)
                error("alive")
            }
        }
        "seeded" -> File(args[1]).writeBytes(
            args.drop(2).map { it.split(",") }.fold(ByteArray(0)) { all, (dtype, count, low, high, seed) ->
                all + seeded(dtype, count.toInt(), low.toDouble(), high.toDouble(), seed.toLong())
            }
        )
    }
}
"""


@dataclass(frozen=True)
class App:
    """The digits' class on a JVM, and the phone that it finds itself on."""

    classes: Path
    assets: Path
    cache: Path
    libraries: Path  # of the app
    chip: str = "Qualcomm"
    system: str = "one"

    def java(self, *words: str) -> subprocess.CompletedProcess[str]:
        tool = kotlin(quiet)
        jars = [self.classes, desktop_jar(quiet), find_jar("jna"), tool.stdlib, tool.coroutines]
        named = {
            "assets": self.assets, "cache": self.cache, "libraries": self.libraries, "chip": self.chip,
            "fingerprint": self.system,
        }  # fmt: skip
        argv = [
            *(str(find_java()), "-Xshare:auto", "-XX:TieredStopAtLevel=1", *runtime_properties(quiet)),
            *(f"-Ddropkit.{name}={value}" for name, value in named.items()),
            *("-cp", os.pathsep.join(map(str, jars)), "com.example.digits.ProgramKt", *words),
        ]
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)

    def attempts(self, precision: str = "DEFAULT") -> dict[str, str]:
        """Return what became of each accelerator, the last one runs."""
        done = self.java("create", precision)
        assert done.returncode == 0, done.stderr
        return dict(line.split(": ", 1) for line in done.stdout.splitlines() if line[:3] in {"NPU", "GPU", "CPU"})

    @property
    def verdict(self) -> Path:
        return self.cache / "dropkit" / "digits" / "npu-default"


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory, digits_bundle: Path) -> Path:
    """Give the digits' class and the program, compiled once."""
    folder = tmp_path_factory.mktemp("accelerators")
    (folder / "Program.kt").write_text(PROGRAM, "utf-8")
    sources = [*find_bindings(digits_bundle).sources, folder / "Program.kt"]
    compile_kotlin(sources, desktop_classpath(quiet), folder / "classes", quiet)
    return folder / "classes"


@pytest.fixture
def app(tmp_path: Path, classes: Path, digits_bundle: Path) -> App:
    """Give the app on a phone whose chip has an NPU that LiteRT knows, with a library for it."""
    shutil.copytree(digits_bundle / MAIN_ASSETS, tmp_path / "assets")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libLiteRtDispatch_Qualcomm.so").write_bytes(b"")
    return App(classes, tmp_path / "assets", tmp_path / "cache", tmp_path / "lib")


def change_expected(app: App, names: Sequence[str], by: int) -> None:
    """Move the expected values of outputs by as many steps."""
    path = app.assets / "digits/expected.bin"
    sections = read_golden(path.read_bytes())
    for name in names:
        sections[name] = sections[name] + np.array(by, sections[name].dtype)
    path.write_bytes(golden_bytes(sections))


def test_a_sound_accelerator_is_tried_once_and_its_verdict_is_kept(app: App) -> None:
    assert app.attempts() == {"NPU": "runs"}
    key, verdict = app.verdict.read_text().split("\n")
    assert verdict == "passed"
    app.verdict.write_text(f"{key}\nplanted")
    kept = app.attempts()
    assert kept["NPU"] == "planted (found at an earlier start)" and kept["CPU"] == "runs"
    assert replace(app, system="another").attempts() == {"NPU": "runs"}  # an update of the OS: tried again
    assert app.verdict.read_text().split("\n")[0] != key


def test_an_accelerator_whose_outputs_are_wrong_is_passed_over_and_named(app: App) -> None:
    change_expected(app, ["serving_default/expected/digit"], by=40)
    first = app.attempts()
    assert "its outputs are wrong: 'digit' is up to " in first["NPU"] and first["CPU"] == "runs"
    assert app.attempts()["NPU"] == f"{first['NPU']} (found at an earlier start)"


def test_an_accelerator_that_ended_the_app_is_passed_over_at_the_next_start(app: App) -> None:
    assert app.java("crash").returncode == 9
    later = app.attempts()
    assert later["NPU"].startswith("the app ended while it was tried") and later["CPU"] == "runs"


def test_without_a_driver_a_gpu_is_named_as_absent(app: App) -> None:
    found = replace(app, chip="unknown").attempts()
    assert found["GPU"] == "there is none on this device, or no library for it in the app"
    assert not app.verdict.parent.exists()  # and nothing was tried


def test_an_npu_that_litert_does_not_know_is_named_as_not_supported(app: App) -> None:
    assert replace(app, chip="unknown").attempts()["NPU"].startswith("not supported: LiteRT knows no NPU")


def test_a_folder_without_a_library_for_the_npu_is_named_as_not_supported(app: App) -> None:
    # LiteRT itself counts an NPU there, and runs the model on the CPU.
    (app.libraries / "libLiteRtDispatch_Qualcomm.so").rename(app.libraries / "libother.so")
    found = app.attempts()
    assert found["NPU"].startswith("not supported: no library for it (libLiteRtDispatch*.so)")
    assert found["CPU"] == "runs"


def test_without_the_expected_outputs_no_accelerator_is_used(app: App) -> None:
    (app.assets / "digits/expected.bin").unlink()
    found = app.attempts()
    assert found["NPU"] == "it cannot be verified: digits/expected.bin is not among the app's assets"
    assert found["CPU"] == "runs"


def test_a_cache_folder_that_cannot_be_written_keeps_nothing_and_refuses_nothing(app: App) -> None:
    app.cache.write_text("no folder")
    assert app.attempts() == {"NPU": "runs"}


def test_kotlin_and_python_draw_the_same_bits(app: App, tmp_path: Path) -> None:
    limits = {
        "float32": (-4.0, 4.0), "int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "int32": (3, 9_999),
        "int64": (-(2**53), 2**53), "bool": (0, 1),
    }  # fmt: skip
    cases = [(dtype, 1000, low, high, seed) for dtype, (low, high) in limits.items() for seed in (0, 2**33 + 5)]
    cases += [("float32", 500, 0.0, 2.0**128, 1), ("float32", 500, -(2.0**-126), 2.0**-126, 2), ("int32", 9, 7, 7, 3)]
    out = tmp_path / "drawn"
    done = app.java("seeded", str(out), *(",".join(map(str, case)) for case in cases))
    assert done.returncode == 0, done.stderr
    ours = b"".join(seeded(*case).astype(np.dtype(case[0]).newbyteorder("<")).tobytes() for case in cases)
    assert hashlib.sha256(out.read_bytes()).hexdigest() == hashlib.sha256(ours).hexdigest()
