"""The fixed Kotlin of templates/android/runtime alone: compiled by the real compiler, run on a JVM on cases."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from android_world import quiet
from worlds import ROOT, SUPPORT

from kit.android.codegen.runtime_files import DECODER_FILES, DECODERS_NEED
from kit.android.proof.class_archive import class_archive
from kit.android.proof.tools import find_java, kotlin

RUNTIME = ROOT / "templates" / "android" / "runtime"
ALONE = ("AudioInput.kt", "AudioStream.kt", "RateConverter.kt", "TextInput.kt")
FILES = [str(RUNTIME / name) for name in (*DECODERS_NEED, *DECODER_FILES.values(), *ALONE)]
SSD, SCORES, YOLO, MASK, HEATMAP, COORDINATES, EMBEDDING = range(7)


@dataclass(frozen=True)
class Case:
    """A call of one decoder, as tests/support/android/Runtime.kt reads it."""

    kind: int
    ints: Sequence[int]
    doubles: Sequence[float]
    arrays: Sequence[np.ndarray]  # float32, of any shape

    def packed(self) -> bytes:
        """Return it in big-endian bytes."""
        parts = [struct.pack(f">2i{len(self.ints)}i", self.kind, len(self.ints), *self.ints)]
        parts.append(struct.pack(f">i{len(self.doubles)}d", len(self.doubles), *self.doubles))
        parts.append(struct.pack(">i", len(self.arrays)))
        for array in self.arrays:
            parts += [struct.pack(">i", array.size), np.asarray(array, np.float32).astype(">f4").tobytes()]
        return b"".join(parts)


@dataclass(frozen=True)
class Given:
    """What a decoder gave: float32 by their bits, with one NaN, and whole numbers."""

    floats: np.ndarray
    ints: np.ndarray


def bits(values: np.ndarray) -> np.ndarray:
    """Return the bits of float32 values, int32 [n]; every NaN as the JVM's."""
    flat = np.ascontiguousarray(values, np.float32).reshape(-1)
    return np.where(np.isnan(flat), np.int32(0x7FC00000), flat.view(np.int32))


COMPILER = "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"


def compile_runtime(folder: Path) -> None:
    """Compile the files, explicit API mode strict and warnings as errors, and the test's program on top of them."""
    tool, classes = kotlin(quiet), folder / "classes"
    path = os.pathsep.join(map(str, tool.compiler))
    common = ["-no-reflect", "-no-stdlib", "-jvm-target", "17", "-Werror", "-module-name", "runtime"]
    program = [str(SUPPORT / "android" / name) for name in ("Runtime.kt", "RuntimeAudio.kt", "RuntimeText.kt")]
    for more in (
        ["-Xexplicit-api=strict", "-cp", str(tool.stdlib), "-d", str(classes), *FILES],
        [f"-Xfriend-paths={classes}", "-cp", f"{classes}:{tool.stdlib}", "-d", str(folder / "program"), *program],
    ):
        with class_archive(find_java(), tool.compiler) as archive:
            compiler = [str(find_java()), "-Xmx1g", "-XX:+UseSerialGC", *archive, "-cp", path, COMPILER]
            done = subprocess.run([*compiler, *common, *more], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def on_the_jvm(folder: Path, mode: str, cases: Sequence[Case]) -> str:
    """Run the program on cases and return what it printed; what it wrote is for `given`."""
    (folder / "in").write_bytes(struct.pack(">i", len(cases)) + b"".join(case.packed() for case in cases))
    return run_program(folder, "RuntimeKt", mode)


def run_program(folder: Path, program: str, *modes: str) -> str:
    """Run one of the programs on the file "in", which it turns into the file "out"; return what it printed."""
    path = os.pathsep.join(map(str, [folder / "classes", folder / "program", kotlin(quiet).stdlib]))
    argv = [str(find_java()), "-cp", path, f"dropkit.{program}", *modes, str(folder / "in"), str(folder / "out")]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def given(folder: Path, cases: Sequence[Case]) -> list[Given]:
    """Return what the decoder of each case gives."""
    on_the_jvm(folder, "run", cases)
    content, place, found = (folder / "out").read_bytes(), 0, []
    for _ in cases:
        parts = []
        for _ in range(2):
            (count,) = struct.unpack_from(">i", content, place)
            parts.append(np.frombuffer(content, ">i4", count, place + 4).astype(np.int32))
            place += 4 + 4 * count
        found.append(Given(*parts))
    assert place == len(content)
    return found
