"""Run every benchmark and print a table; exit with 1 where a ratio is above its bound."""

from __future__ import annotations

import compileall
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.android import measure_frame
from kit.android.proof.step import MissingToolError
from kit.toolchains.toolchain import find_toolchain
from kit.toolchains.venv import toolchain_venv

ROOT = Path(__file__).parent.parent
DIGITS = ROOT / "examples" / "digits"
ROUNDS = 5


@dataclass(frozen=True)
class Ratio:
    """One thing's time over another's, medians of interleaved rounds, and the bound that we hold ourselves to."""

    name: str
    value: float
    bound: float


def main() -> int:
    """Measure, print, judge."""
    python = toolchain_venv(find_toolchain("2.19.1"), print)
    # As Python itself would do on first use, where PYTHONDONTWRITEBYTECODE does not forbid it.
    compileall.compile_dir(ROOT / "kit", quiet=1)
    compileall.compile_path(quiet=1)
    with TemporaryDirectory() as folder:
        ratios = measure(python, Path(folder))
        ratios += on_a_phone(Path(folder) / "warm" / "digits")
    print(f"{'benchmark':58} {'ratio':>8} {'bound':>8}")
    for ratio in ratios:
        verdict = "ok" if ratio.value <= ratio.bound else "ABOVE"
        print(f"{ratio.name:58} {ratio.value:8.3f} {ratio.bound:8.3f}  {verdict}")
    return int(any(ratio.value > ratio.bound for ratio in ratios))


def measure(python: Path, folder: Path) -> list[Ratio]:
    """Interleave the commands, so that a busy machine is busy for all of them."""
    bare, cold, unchanged = [], [], []
    build = [sys.executable, "-m", "kit", "build", str(DIGITS), "--engine", "local", "--out"]
    run([*build, str(folder / "warm")])
    for number in range(ROUNDS):
        bare.append(timed(lambda: run([str(python), str(ROOT / "benchmarks" / "bare.py"), str(DIGITS)], BARE)))
        out = str(folder / str(number))
        cold.append(timed(lambda out=out: run([*build, out])))  # type: ignore[misc]
        unchanged.append(timed(lambda out=out: run([*build, out])))  # type: ignore[misc]
        print(f"round {number + 1}: bare {bare[-1]:.2f} s, cold {cold[-1]:.2f} s, unchanged {unchanged[-1]:.2f} s")
    middle = statistics.median
    return [
        Ratio("cold build / bare script in the same venv", middle(cold) / middle(bare), 1.25),
        Ratio("unchanged build / cold build", middle(unchanged) / middle(cold), 1 / 20),
    ]


def on_a_phone(bundle: Path) -> list[Ratio]:
    """Measure the generated Kotlin; nothing where a tool for it is missing."""
    try:
        frame = measure_frame(bundle)
    except MissingToolError as missing:
        print(f"left out: {missing}")
        return []
    print(f"one call: {frame.bare_ns / 1000:.1f} us bare, {frame.kotlin_ns / 1000:.1f} us in Kotlin; ", end="")
    print(f"LiteRT's own read makes {frame.read_bytes:.0f} B, which are not counted as ours")
    return [
        Ratio("a call of the Kotlin / the bare C library, same JVM", frame.kotlin_ns / frame.bare_ns, 1.1),
        Ratio("bytes that a call of the Kotlin makes", frame.own_bytes, 0),
        Ratio("bytes that a call with an image makes", frame.image_bytes, 0),
    ]


BARE = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}


def run(argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
    """Run a command that must succeed."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)}\n{done.stdout}\n{done.stderr}")


def timed(action: Callable[[], None]) -> float:
    """Return the seconds of wall time that an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
