"""A phone with the app of one bundle: its class on a JVM with the real LiteRT library, each start a process.

A chip that LiteRT knows and a folder for its libraries are all that LiteRT wants to count an NPU.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from android_world import quiet

from kit.android.proof.jvm import runtime_properties
from kit.android.proof.kotlin_compiler import compile_kotlin, desktop_classpath, desktop_jar
from kit.android.proof.kotlin_sources import find_bindings
from kit.android.proof.tools import find_jar, find_java, kotlin
from kit.bundle.layout import DEBUG_ASSETS, MAIN_ASSETS, only_bundle
from kit.gpu.driver import Driver

PROGRAM = """
package com.example.PACKAGE

import com.example.PACKAGE.dropkit.Accelerator
import com.example.PACKAGE.dropkit.Candidate
import com.example.PACKAGE.dropkit.GpuPrecision
import com.example.PACKAGE.dropkit.Verification
import com.example.PACKAGE.dropkit.seeded
import com.example.PACKAGE.dropkit.sha256
import dropkit.desktop.DesktopContext
import java.io.File

fun main(args: Array<String>) {
    val context = DesktopContext("dropkit.assets")
    when (args[0]) {
        "create" -> CLASS.create(context, precision = GpuPrecision.valueOf(args[1])).use { model ->
            model.attempts.forEach { println("$it") }
            println("${model.selfTest()}")
        }
        // What a driver does that crashes: the process ends while the accelerator is tried.
        "crash" -> CLASS.create(context, listOf(Accelerator.CPU)).use { model ->
            val file = context.assets.open(CLASS.MODEL).use { sha256(it.readBytes()) }
            val npu = Candidate(Accelerator.NPU, GpuPrecision.DEFAULT, file)
            Verification(context, model.spec, model.source, "litert:2.3.0").verified(npu) {
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
    """A bundle's class on a JVM, and the phone that it finds itself on."""

    bundle: Path
    classes: Path
    assets: Path  # of the app, a copy that a test may change
    cache: Path
    libraries: Path  # of the app
    chip: str = "Qualcomm"
    system: str = "one"
    environment: Mapping[str, str] = field(default_factory=dict)

    def java(self, *words: str) -> subprocess.CompletedProcess[str]:
        tool = kotlin(quiet)
        jars = [self.classes, desktop_jar(quiet), find_jar("jna"), tool.stdlib, tool.coroutines]
        named = {
            "assets": os.pathsep.join(map(str, [self.assets, self.bundle / DEBUG_ASSETS])),
            "cache": self.cache,
            "libraries": self.libraries,
            "chip": self.chip,
            "fingerprint": self.system,
        }
        argv = [
            *(str(find_java()), "-Xshare:auto", "-XX:TieredStopAtLevel=1", *runtime_properties(quiet)),
            *(f"-Ddropkit.{name}={value}" for name, value in named.items()),
            f"-Djava.io.tmpdir={self.assets.parent}",  # where the desktop's context has an app's files
            *("-cp", os.pathsep.join(map(str, jars)), f"com.example.{self.id}.ProgramKt", *words),
        ]
        environment = {**os.environ, **self.environment}
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300, env=environment)

    def attempts(self, precision: str = "DEFAULT") -> dict[str, str]:
        """Return what became of each accelerator, the last one runs."""
        done = self.java("create", precision)
        assert done.returncode == 0, done.stderr
        return dict(line.split(": ", 1) for line in done.stdout.splitlines() if line[:3] in {"NPU", "GPU", "CPU"})

    @property
    def id(self) -> str:
        return only_bundle(self.bundle).id

    def verdict(self, name: str) -> Path:
        """Return the file with what is known of an accelerator: "npu-default"."""
        return self.cache / "dropkit" / self.id / name


def compile_app(bundle: Path, folder: Path) -> Path:
    """Compile a bundle's class and the program into a folder of classes, and return it."""
    bindings = find_bindings(bundle)
    text = PROGRAM.replace("PACKAGE", bindings.id).replace("CLASS", bindings.model)
    (folder / "Program.kt").write_text(text, "utf-8")
    classes = folder / "classes"
    compile_kotlin([*bindings.sources, folder / "Program.kt"], desktop_classpath(quiet), classes, quiet)
    return classes


def install(bundle: Path, classes: Path, folder: Path) -> App:
    """Return the app on a phone whose chip has an NPU that LiteRT knows, with a library for it; folder is empty."""
    shutil.copytree(bundle / MAIN_ASSETS, folder / "assets")
    (folder / "lib").mkdir()
    (folder / "lib/libLiteRtDispatch_Qualcomm.so").write_bytes(b"")
    return App(bundle, classes, folder / "assets", folder / "cache", folder / "lib")


def on_gpu(app: App, driver: Driver) -> App:
    """Return the app on a phone that has a GPU, which a driver computes in software, and no NPU."""
    (library,) = (line.partition("=")[2] for line in runtime_properties(quiet) if line.startswith("-Ddropkit.litert="))
    return replace(app, chip="unknown", environment=driver.environment([Path(library).parent]))
