"""The generated Kotlin against the bare C library, in one process of the JVM: a call, a start. And a proof's time."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.cost.meter import spend
from benchmarks.cost.rows import line
from kit.android.proof.jvm import runtime_properties
from kit.android.proof.kotlin_compiler import compile_kotlin, desktop_classpath, desktop_jar
from kit.android.proof.kotlin_sources import Bindings, find_bindings
from kit.android.proof.tools import find_jar, find_java, kotlin
from kit.process import Command, run, tail

HERE = Path(__file__).parent
NPU = "libLiteRtDispatch_Qualcomm.so"  # all that LiteRT wants to count an NPU, beside a chip that it knows


@dataclass(frozen=True)
class Frame:
    """One call in the steady state. Bytes are those that the JVM's thread allocated."""

    bare_ns: float  # write, run and read through the C functions
    kotlin_ns: float  # the generated class on the same bytes
    own_bytes: float  # of the generated class, without what the API's own read returns
    image_bytes: float  # the same, from a Bitmap
    read_bytes: float  # the array that TensorBuffer.readX() returns: the API's, on every call


def android_rows(digits: Path, large: Path, rounds: int) -> list[str]:
    """Return the rows of the app's side. digits: the digits' bundle; large: a detector's of 10 MB."""
    frames = _frames(digits, rounds)
    print(f"LiteRT's own read makes {frames[0].read_bytes:.0f} B, which are not counted as ours")
    rows = [
        line("a call of the Kotlin / the bare C library, same JVM", [f.kotlin_ns / f.bare_ns for f in frames], 1.05),
        line("bytes that a call of the Kotlin makes", [f.own_bytes for f in frames], 0),
        line("bytes that a call with an image makes", [f.image_bytes for f in frames], 0),
    ]
    for name, bundle in (("digits", digits), ("a model of 10 MB", large)):
        rows.append(line(f"create of {name}, verdict kept / without verification", _starts(bundle, rounds), 1.1))
    argv = [sys.executable, "-m", "kit", "android", str(digits)]
    spent = [spend(argv).cpu for _ in range(max(1, rounds // 3))]
    return [*rows, line("CPU seconds of a proof of the digits", spent, 60)]


def _frames(bundle: Path, rounds: int) -> list[Frame]:
    """Measure calls of the digits, each round in a JVM of its own."""
    bindings = find_bindings(bundle)
    text = (HERE / "android.kt").read_text("utf-8")
    model = bindings.assets[0] / "digits/model.tflite"
    names = ("bare", "kotlin", "own", "image", "read")
    frames = [Frame(*map(found.__getitem__, names)) for found in _measured(bindings, text, [str(model)], rounds)]
    for frame in frames:
        print(f"a call: {frame.bare_ns / 1000:.2f} us bare, {frame.kotlin_ns / 1000:.2f} us in Kotlin")
    return frames


def _starts(bundle: Path, rounds: int) -> list[float]:
    """Return how much longer `create` takes with a verdict that is kept, as a ratio for each round."""
    bindings = find_bindings(bundle)
    text = (HERE / "create.kt").read_text("utf-8")
    text = text.replace("BUNDLE_ID", bindings.id).replace("BUNDLE_CLASS", bindings.model)
    starts = _measured(bindings, text, [], rounds)
    for found in starts:
        bare, kept = found["bare"] / 1e6, found["kept"] / 1e6
        print(f"create of {bindings.id}: {bare:.2f} ms without verification, {kept:.2f} ms with a kept verdict")
    return [found["kept"] / found["bare"] for found in starts]


def _measured(bindings: Bindings, text: str, words: Sequence[str], rounds: int) -> list[dict[str, float]]:
    """Compile a program with a bundle's Kotlin, run it on a phone with an NPU; return the numbers that it prints."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        source, classes, libraries = folder / "Program.kt", folder / "classes", folder / "lib"
        source.write_text(text, "utf-8")
        libraries.mkdir()
        (libraries / NPU).touch()
        # As one module: a program may look at what is internal.
        compile_kotlin([*bindings.sources, source], desktop_classpath(print), classes, print)
        jars = [desktop_jar(print), find_jar("jna"), kotlin(print).stdlib, kotlin(print).coroutines]
        named = {"assets": bindings.assets[0], "cache": folder / "cache", "libraries": libraries, "chip": "Qualcomm"}
        argv = [
            *(str(find_java()), "-XX:+UseSerialGC", "-cp", os.pathsep.join(map(str, [classes, *jars]))),
            *runtime_properties(print),
            *(f"-Ddropkit.{name}={value}" for name, value in named.items()),
            *("ProgramKt", *words),
        ]
        return [_numbers(argv, folder) for _ in range(rounds)]


def _numbers(argv: Sequence[str], folder: Path) -> dict[str, float]:
    """Run a program that prints names and numbers, one of each in a line."""
    lines: list[str] = []
    ended = run(Command(argv, os.environ, folder), log=folder / "log", on_line=lines.append, timeout=300)
    if ended.status:
        raise SystemExit(f"{ended.cause}\n{tail(folder / 'log')}")
    return {name: float(value) for name, value in (printed.split(" ", 1) for printed in lines)}
