"""Samples on the app's runtime, by one process and by two: time of the calls alone, and memory by number of samples."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.cost.meter import spend
from benchmarks.cost.rows import HERE, line, recipe_text
from kit.bundle.manifest import read_manifest
from kit.emulation.run import RUN_SAMPLES
from kit.shared.job import EVALUATED, GOLDEN, RESULT, Result, SignatureSpec, dump
from kit.shared.npz import save_npz
from kit.toolchains.toolchain import find_runtime
from kit.toolchains.venv import runtime_venv

TIMED, FEW, MANY = 20_000, 2_000, 200_000  # samples
SHARE, FLAT = 0.55, 1.05  # goals: of one process's time, and of the memory for few samples


def evaluation_rows(python: Path, models: Path, folder: Path, rounds: int) -> list[str]:
    """Return the rows of the table. python: of the toolchain; models: where the model is kept; folder: an empty one."""
    place = models / "small"
    if not (place / "model.keras").is_file():
        spend([str(python), str(HERE / "models.py"), str(models), "small"])
    recipe = place / "float32.toml"
    recipe.write_text(recipe_text("small", "float32", 0, 0), "utf-8")
    spend([sys.executable, "-m", "kit", "build", str(recipe), "--engine", "local", "--out", str(folder / "dist")])
    bundle = folder / "dist" / "small"
    words = job(folder / "timed", bundle, TIMED)
    times = [(loop(words, 1), loop(words, 2)) for _ in range(rounds)]
    for number, (one, two) in enumerate(times, 1):
        print(f"evaluation, round {number}: {one:.2f} s by one process, {two:.2f} s by two", flush=True)
    ratios = [two / one for one, two in times]
    few, many = (spend([*job(folder / str(count), bundle, count), "1"]).memory for count in (FEW, MANY))
    held = MANY * 10 * 4 / 1e6
    print(f"evaluation: {few:.0f} MB for {FEW:,} samples, {many:.0f} MB for {MANY:,}, whose outputs are {held:.0f} MB")
    return [
        line(f"{TIMED:,} samples by two processes / by one: time of the calls", ratios, SHARE),
        line(f"{MANY:,} samples / {FEW:,}: peak memory, but for the outputs", [(many - held) / few], FLAT),
    ]


def job(folder: Path, bundle: Path, count: int) -> list[str]:
    """Write a job that feeds so many random samples; return the script's words, but for how many processes."""
    folder.mkdir()
    manifest = read_manifest(bundle)
    (tensor,) = manifest.signature.inputs
    samples = np.random.default_rng(count).random((count, *tensor.shape[1:]), np.float32)
    save_npz(folder / EVALUATED, {f"input/{tensor.name}": samples})
    (folder / GOLDEN).write_bytes((bundle / "emulate" / GOLDEN).read_bytes())
    signature = SignatureSpec("serving_default", (), ())
    result = Result(signature, (), (), None, (), (), (), (), count, "checks", 0, "", "", "", portable=True)
    (folder / RESULT).write_text(dump(result), "utf-8")
    runtime = find_runtime(manifest.runtime)
    python = runtime_venv(runtime, runtime.lock(images=False), print)
    words = (python, RUN_SAMPLES, bundle, folder, folder, folder / "outputs.npz", manifest.model.sha256)
    return [str(word) for word in words]


def loop(words: list[str], processes: int) -> float:
    """Return the seconds from the first calls of a script to its end, without the start of Python and the model."""
    process = subprocess.Popen([*words, str(processes)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    begin = time.perf_counter()
    last = json.loads(process.stdout.read().splitlines()[-1])
    if process.wait() or last["processes"] != processes:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}, and said {last}")
    return time.perf_counter() - begin
