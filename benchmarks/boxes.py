"""The app's boxes of a YOLO-like head in Kotlin, suppression and all, beside the model's own call in the same JVM."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.cost.meter import spend
from benchmarks.cost.rows import HERE
from kit.android.proof.jvm import runtime_properties
from kit.android.proof.kotlin_compiler import compile_kotlin, desktop_classpath, desktop_jar
from kit.android.proof.kotlin_sources import find_bindings
from kit.android.proof.tools import find_jar, find_java, kotlin
from kit.process import Command, run, tail

PROGRAM = Path(__file__).parent / "boxes.kt"
GOAL = 0.1
CANDIDATES = 8_400
RECIPE = """
[model]
path = "{model}"
id = "yolo"
[toolchain]
tensorflow = "{tensorflow}"
[[inputs]]
name = "image"
kind = "image"
mean = [0]
std = [255]
[[outputs]]
name = "found"
kind = "boxes"
units = "pixels"
"""


def box_rows(python: Path, tensorflow: str, models: Path, folder: Path) -> list[str]:
    """Return the rows of the table. models: where the model is kept; folder: an empty one."""
    model = models / "yolo" / "model.keras"
    if not model.is_file():
        spend([str(python), str(HERE / "models.py"), str(models), "yolo"])
    folder.mkdir()
    (folder / "yolo.toml").write_text(RECIPE.format(model=model, tensorflow=tensorflow), "utf-8")
    argv = ["build", str(folder / "yolo.toml"), "--engine", "local", "--out", str(folder / "out")]
    spend([sys.executable, "-m", "kit", *argv])
    measured = _measure(folder / "out" / "yolo", folder)
    call, rows = float(measured["model"][0]), []
    for good in (400, CANDIDATES):
        took, kept = float(measured[str(good)][0]), measured[str(good)][1]
        ratio = took / call
        what = f"{kept} boxes of {CANDIDATES:,}, {good:,} above the threshold, in Kotlin / a YOLO-like model of 640x640"
        times = f"{took / 1e6:.2f} / {call / 1e6:.0f} ms"
        rows.append(f"| {what} | {ratio:.2g} | {times} | {GOAL} | {'holds' if ratio <= GOAL else 'MISSES'} |")
    return rows


def _measure(bundle: Path, folder: Path) -> Mapping[str, list[str]]:
    """Return the words of each line that the program prints, by the first."""
    bindings = find_bindings(bundle)
    classes = folder / "classes"
    compile_kotlin([*bindings.sources, PROGRAM], desktop_classpath(print), classes, print)
    jars = [classes, desktop_jar(print), find_jar("jna"), kotlin(print).stdlib, kotlin(print).coroutines]
    argv = [
        *(str(find_java()), "-XX:+UseSerialGC", "-cp", os.pathsep.join(map(str, jars))),
        *(*runtime_properties(print), f"-Ddropkit.assets={os.pathsep.join(map(str, bindings.assets))}", "BoxesKt"),
    ]
    lines: list[str] = []
    ended = run(Command(argv, os.environ, folder), log=folder / "log", on_line=lines.append, timeout=300)
    if ended.status:
        raise SystemExit(f"{ended.cause}\n{tail(folder / 'log')}")
    return {words[0]: words[1:] for words in (line.split() for line in lines)}
