"""The app's pre-processing of frames in Kotlin, beside Pillow's own resize of the same frame: time of a call."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from kit.android.codegen.runtime_files import FRAME_FILES
from kit.android.proof.kotlin_compiler import compile_kotlin, desktop_jar
from kit.android.proof.tools import find_java, kotlin

RUNTIME = Path(__file__).parent.parent / "templates" / "android" / "runtime"
PROGRAM = Path(__file__).parent / "frames.kt"
SIZES = ((640, 480), (1280, 720), (1920, 1080))
SOURCES = ("bitmap", "yuv", "rgba")
SIDE = 224
GOAL = 1.3
ROUND = 0.3  # seconds of Pillow in a round


@dataclass(frozen=True)
class FrameTime:
    """One call on a frame, reduced to 224 x 224 RGB: the best of all rounds, as a busy machine adds to the others."""

    source: str
    size: tuple[int, int]
    rotation: int
    kotlin_ms: float
    pillow_ms: float  # resize alone, of an RGB image that is there

    @property
    def what(self) -> str:
        """The source and its size."""
        return f"a {self.source} of {self.size[0]}x{self.size[1]}{' turned' if self.rotation else ''}"

    @property
    def ratio(self) -> float:
        """Kotlin's time by Pillow's."""
        return self.kotlin_ms / self.pillow_ms


def measure_frames(rounds: int = 5) -> list[FrameTime]:
    """Compile the runtime's files and measure each source in each size, upright and turned, by turns with Pillow."""
    with TemporaryDirectory() as folder:
        classes = Path(folder) / "classes"
        compile_kotlin([*(RUNTIME / name for name in FRAME_FILES), PROGRAM], [desktop_jar(print)], classes, print)
        classpath = os.pathsep.join(map(str, [classes, desktop_jar(print), kotlin(print).stdlib]))
        argv = [str(find_java()), "-XX:+UseSerialGC", "-cp", classpath, "dropkit.FramesKt"]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as jvm:
            return [
                _measure(jvm, source, size, rotation, rounds)
                for size in SIZES
                for source in SOURCES
                for rotation in (0, 90)
            ]


def _measure(jvm: subprocess.Popen[str], source: str, size: tuple[int, int], rotation: int, rounds: int) -> FrameTime:
    line = f"{source} {size[0]} {size[1]} {rotation}"
    _ask(jvm, line)  # compiled by the JVM
    pairs = [(_ask(jvm, line), _pillow(size)) for _ in range(rounds)]
    return FrameTime(source, size, rotation, *(min(times) for times in zip(*pairs, strict=True)))


def _ask(jvm: subprocess.Popen[str], line: str) -> float:
    """Return the best time of a call in milliseconds."""
    if jvm.stdin is None or jvm.stdout is None:
        raise SystemExit("the JVM has no pipes")
    jvm.stdin.write(f"{line}\n")
    jvm.stdin.flush()
    return int(jvm.stdout.readline().split()[0]) / 1e6


def _pillow(size: tuple[int, int]) -> float:
    """Return the best time of Pillow's resize in milliseconds."""
    pixels = np.random.default_rng(7).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image, best, end = Image.fromarray(pixels), float("inf"), time.perf_counter() + ROUND
    while time.perf_counter() < end:
        start = time.perf_counter()
        image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        best = min(best, time.perf_counter() - start)
    return best * 1000


def frame_rows(rounds: int) -> list[str]:
    """Return the rows of the table, of each source in each size."""
    return [
        f"| {frame.what} to {SIDE}x{SIDE} in Kotlin / Pillow's resize | {frame.ratio:.2f} |"
        f" {frame.kotlin_ms:.2f} / {frame.pillow_ms:.2f} ms | {GOAL} | {'holds' if frame.ratio <= GOAL else 'MISSES'} |"
        for frame in measure_frames(rounds)
    ]
