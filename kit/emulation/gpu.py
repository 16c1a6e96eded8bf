"""Run a bundle on LiteRT's GPU accelerator over a software driver: a process for each precision, watched to its end.

A driver that crashes or hangs is a finding, not a traceback: nothing of it runs in this process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.bundle.layout import HARNESS, Bundle
from kit.bundle.manifest import read_intact
from kit.emulation.gpu_report import PRECISIONS, GpuReport, GpuRun
from kit.emulation.run import with_own_harness
from kit.emulation.scripts import alone, last_line
from kit.errors import EngineError, RecipeError
from kit.files import temporary_folder
from kit.gpu.driver import Driver, find_driver
from kit.lifetime.tied import tied
from kit.tflite.reader import read_tflite
from kit.toolchains.toolchain import find_runtime
from kit.toolchains.venv import runtime_venv

Notify = Callable[[str], None]
GPU_RUNTIME = "litert:2.3.0"  # the one whose wheel has a GPU accelerator for a desktop
SILENCE = 600.0  # seconds without a call's end: shaders of a large model take minutes on a busy machine
_SCRIPT = Path(__file__).with_name("gpu_script.py")
_COLD = "Failed to lock custom tensor buffer"  # what a first run without compiled programs may end with
_LOOK = 0.1  # seconds


@dataclass(frozen=True)
class _Place:
    """Where a run happens: the bundle's data with the kit's own harness, a Python, and the driver."""

    folder: Path
    scratch: Path
    python: Path
    driver: Driver
    producers: Mapping[int, str]


def run_gpu(
    bundle: Path, files: Sequence[str], notify: Notify, *, signature: str = "", precisions: Sequence[str] = PRECISIONS
) -> GpuReport:
    """Return what the GPU accelerator makes of a bundle: of its golden vectors, of drawn inputs, and of files.

    signature: the key of the one that files go through; "" for the main one. Raises CheckError where a file of the
    bundle is not as it was built, EngineError where the driver cannot be had here.
    """
    manifest = read_intact(bundle)
    with with_own_harness(bundle, manifest) as folder:
        own = Bundle(folder, manifest.id)
        words = [signature, *(str(Path(file)) for file in files)]
        driver, runs = run_own(own, words, notify, precisions)
    package = f"ai-edge-litert {find_runtime(GPU_RUNTIME).version}"
    return GpuReport(manifest.id, manifest.version, manifest.runtime, package, driver.name, runs)


def run_own(
    bundle: Bundle, words: Sequence[str], notify: Notify, precisions: Sequence[str] = PRECISIONS
) -> tuple[Driver, tuple[GpuRun, ...]]:
    """Return the driver, and what came of a bundle whose harness is the kit's own, in each precision.

    words: a signature's key and files, as of run_gpu. Raises EngineError where the driver cannot be had here.
    """
    runtime, driver = find_runtime(GPU_RUNTIME), find_driver(notify)
    python = runtime_venv(runtime, runtime.lock(images="pillow" in _names(bundle.folder)), notify)
    with temporary_folder("dropkit-gpu-") as scratch:
        place = _Place(bundle.folder, scratch, python, driver, _producers(bundle.model))
        return driver, tuple(_run(place, precision, words, notify) for precision in precisions)


def _names(folder: Path) -> str:
    return (folder / HARNESS.parent / "requirements.txt").read_text("utf-8").lower()


def _producers(model: Path) -> dict[int, str]:
    """Return the name of the operator that makes each tensor of the model's first graph, by the tensor's index."""
    graph = read_tflite(model).subgraphs[0]
    return {tensor: operator.name for operator in graph.operators for tensor in operator.outputs}


def _run(place: _Place, precision: str, words: Sequence[str], notify: Notify) -> GpuRun:
    """Run one precision, and once more where LiteRT fails as it does before its programs are compiled."""
    notify(f"GPU, {precision}")
    first, cold = _attempt(place, precision, words)
    return _attempt(place, precision, words)[0] if cold else first


def _attempt(place: _Place, precision: str, words: Sequence[str]) -> tuple[GpuRun, bool]:
    """Return what came of a process, and whether it failed as a first one may. Raises EngineError."""
    result, log = place.scratch / f"{precision}.json", place.scratch / f"{precision}.log"
    calls = place.scratch / "calls"
    result.unlink(missing_ok=True)
    argv = tied([str(place.python), str(_SCRIPT), str(place.folder), precision, str(result), *words])
    environment = {**alone(), **place.driver.environment()}
    # stdout to a file: LiteRT writes to it, too, and a pipe that is not read would stop it.
    with (
        log.open("wb") as said,
        calls.open("wb") as out,
        subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=said, env=environment) as process,
    ):
        try:
            hung = _watch(process, calls)
        finally:
            process.kill()
    text = log.read_text("utf-8", "replace")
    if hung:
        return GpuRun(precision, ended=f"hung: nothing came for {SILENCE:.0f} s"), False
    if process.returncode < 0:
        return GpuRun(precision, ended=f"ended the process with {signal.Signals(-process.returncode).name}"), False
    try:
        raw = json.loads(result.read_text("utf-8"))
        if "error" in raw:
            why, hint = str(raw["error"]), str(raw["hint"])
            kind = RecipeError if raw["code"] == RecipeError.code else EngineError
            raise kind(f"the bundle cannot be run on the GPU: {why}", hint or "run `kit doctor`")
        return GpuRun.from_json(precision, raw, text, place.producers), _COLD in f"{raw.get('refused', '')}{text}"
    except (OSError, ValueError, TypeError, KeyError) as error:
        last = last_line(text)
        raise EngineError(f"the GPU gave no result: {last or 'without a word'}", "run `kit doctor`") from error


def _watch(process: subprocess.Popen[bytes], calls: Path) -> bool:
    """Wait for a process's end; say whether it hung: it began no call for SILENCE seconds."""
    since, had = time.monotonic(), 0
    while True:
        try:
            process.wait(_LOOK)
            return False
        except subprocess.TimeoutExpired:
            size = os.stat(calls).st_size  # noqa: PTH116 - many times a second
            if size != had:
                since, had = time.monotonic(), size
            elif time.monotonic() - since > SILENCE:
                return True
