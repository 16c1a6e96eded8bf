"""The generated Kotlin against the bare C library, in one process of the JVM: time and bytes of a call."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from kit.android.proof.jvm import runtime_properties
from kit.android.proof.kotlin_compiler import compile_kotlin, desktop_classpath, desktop_jar
from kit.android.proof.kotlin_sources import find_bindings
from kit.android.proof.tools import find_jar, find_java, kotlin
from kit.process import Command, run, tail

PROGRAM = Path(__file__).parent / "android.kt"


@dataclass(frozen=True)
class Frame:
    """One call in the steady state. Bytes are those that the JVM's thread allocated."""

    bare_ns: float  # write, run and read through the C functions
    kotlin_ns: float  # the generated class on the same bytes
    own_bytes: float  # of the generated class, without what the API's own read returns
    image_bytes: float  # the same, from a Bitmap
    read_bytes: float  # the array that TensorBuffer.readX() returns: the API's, on every call


def measure_frame(bundle: Path) -> Frame:
    """Compile the digits bundle's Kotlin and measure a call of it."""
    bindings = find_bindings(bundle)
    with TemporaryDirectory() as folder:
        classes = Path(folder) / "classes"
        jars = [desktop_jar(print), find_jar("jna"), kotlin(print).stdlib, kotlin(print).coroutines]
        compile_kotlin([*bindings.sources, PROGRAM], desktop_classpath(print), classes, print)
        argv = [
            *(str(find_java()), "-XX:+UseSerialGC", "-cp", os.pathsep.join(map(str, [classes, *jars]))),
            *(*runtime_properties(print), f"-Ddropkit.assets={bindings.assets[0]}"),
            *("AndroidKt", str(bindings.assets[0] / "digits/model.tflite")),
        ]
        lines: list[str] = []
        log = Path(folder) / "log"
        ended = run(Command(argv, os.environ, Path(folder)), log=log, on_line=lines.append, timeout=300)
        if ended.status:
            raise SystemExit(f"{ended.cause}\n{tail(log)}")
    measured = dict(line.split(" ", 1) for line in lines)
    return Frame(*(float(measured[name]) for name in ("bare", "kotlin", "own", "image", "read")))
