"""The generated class on LiteRT's GPU accelerator over a software driver: each start a JVM, as on a phone.

The class verifies a GPU before it uses it. What it passes over is named, and runs on the CPU; what it lets pass has to
be right on the golden vectors, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kit.android.proof.jvm import Compiled, fresh, java_argv, java_environment, read_record, runtime_properties
from kit.android.proof.kotlin_sources import Bindings
from kit.android.proof.step import MissingToolError, Notify
from kit.bundle.arrays import made_arrays
from kit.bundle.layout import HARNESS, Bundle
from kit.bundle.signature import SignatureEntry, TensorEntry, read_signature
from kit.errors import CheckError, EngineError
from kit.gpu.driver import Driver, find_driver
from kit.process import Command, run, tail
from kit.shared.accelerators import allowed_off
from kit.shared.job import GOLDEN

if TYPE_CHECKING:
    import numpy as np

GPU = "the class on a GPU"
GPU_RUNNER = "GpuRunner.kt"
PRECISIONS = {"float32": "FP32", "float16": "DEFAULT"}  # as the class calls them
_LIMIT = 600.0  # seconds for one start, with its shaders compiled
_RUNS = "runs"


@dataclass(frozen=True)
class _Start:
    """A start of the app: what became of each accelerator, and the outputs of its self-test."""

    precision: str  # of the GPU: "float16"
    attempts: Mapping[str, str]
    outputs: Sequence[tuple[str, int, bytes]]


def gpu_golden(
    compiled: Compiled, bindings: Bindings, bundle: Bundle, wanted: Mapping[str, np.ndarray], notify: Notify
) -> str:
    """Return in words what the class does with a GPU, in both precisions.

    wanted: what the CPU gives on the golden vectors, [calls, *shape of one call] raw, as harness_outputs has it. Raises
    CheckError where the class uses a GPU whose outputs are off on the golden vectors, MissingToolError where there is
    no driver here.
    """
    try:
        driver = find_driver(notify)
    except EngineError as error:
        raise MissingToolError(error.message, error.hint) from error
    scratch = fresh(compiled.tests.parent / "gpu")
    return "; ".join(
        f"{precision}: {_words(_start(compiled, bindings, driver, scratch, precision, notify), bundle, wanted)}"
        for precision in PRECISIONS
    )


def _start(
    compiled: Compiled, bindings: Bindings, driver: Driver, scratch: Path, precision: str, notify: Notify
) -> _Start:
    """Start the app, and once more where its driver ended it: the class then passes the GPU over. Raises CheckError."""
    record, log, lines = scratch / "outputs.bin", scratch / "jvm.log", list[str]()
    properties = runtime_properties(notify)
    (library,) = (Path(line.partition("=")[2]) for line in properties if line.startswith("-Ddropkit.litert="))
    argv = java_argv(compiled, scratch, bindings.assets, notify, [*properties, f"-Ddropkit.cache={scratch / 'cache'}"])
    argv += ["dropkit.proof.GpuRunnerKt", str(record), PRECISIONS[precision]]
    environment = {**java_environment(), **driver.environment([library.parent])}
    for _ in range(2):
        lines.clear()
        ended = run(Command(argv, environment, scratch), log=log, on_line=lines.append, timeout=_LIMIT)
        if not ended.status:
            attempts = (line.removeprefix("attempt ").split(": ", 1) for line in lines if line.startswith("attempt "))
            return _Start(precision, dict(attempts), read_record(record))
    raise CheckError(f"the JVM ended twice with a GPU: {ended.cause}\n  {tail(log, 8)}", "run it again")


def _words(start: _Start, bundle: Bundle, wanted: Mapping[str, np.ndarray]) -> str:
    """Say what came of a GPU. Raises CheckError. wanted: as of gpu_golden, each output's shape and dtype."""
    gpu = start.attempts.get("GPU", "not tried")
    if gpu != _RUNS:
        return f"passed over: {gpu}; the CPU {start.attempts.get('CPU', 'was not tried')}"
    drifts = made_arrays(bundle.folder / HARNESS.parent / GOLDEN)
    found = [_check(start, entry, prefix, wanted, drifts) for entry, prefix in _signatures(bundle, wanted)]
    _, words = max((each for checks in found for each in checks), default=(0.0, "there are none"))
    return f"verified, and runs; on the golden vectors {words}"


def _signatures(bundle: Bundle, wanted: Mapping[str, np.ndarray]) -> list[tuple[SignatureEntry, str]]:
    """Return the signatures that have golden vectors, each with its prefix in golden.npz.

    wanted: as of gpu_golden, each output's shape and dtype.
    """
    known = {name.partition("/output/")[0] for name in wanted}
    return [pair for pair in read_signature(bundle.signature).with_prefixes() if pair[0].key in known]


def _check(
    start: _Start,
    entry: SignatureEntry,
    prefix: str,
    wanted: Mapping[str, np.ndarray],
    drifts: Mapping[str, np.ndarray],
) -> list[tuple[float, str]]:
    """Return for each output how much of what is allowed it is off, and its words. Raises CheckError beyond that.

    wanted: as of gpu_golden, [calls, *shape] in the output's dtype; drifts: arrays of golden.npz, drift/ float64 [].
    """
    found = []
    for output in entry.outputs:
        if output.dtype != "float32" and output.scale is None:
            continue  # a class, or an index: where it is another one, the values that it is of are near each other
        off, largest = _distance(start, f"{entry.key}/output/{output.name}", output, wanted)
        steps = output.dtype != "float32"
        allowed = allowed_off(largest, float(drifts.get(f"{prefix}drift/{output.name}", 0.0)), quantized=steps)
        words = f"'{output.name}' is up to {off:.3g}{' steps' if steps else ''} off the CPU's, {allowed:.3g} allowed"
        if math.isinf(off):
            words = f"'{output.name}' is NaN or infinite, and finite on the CPU"
        if not off <= allowed:
            raise CheckError(
                f"in {start.precision} the class lets the GPU pass, and on the golden vectors {words}: its drawn "
                "inputs do not show it",
                "let the app ask for float32 or the CPU: `kit emulate BUNDLE --accelerator gpu` shows what is sound",
            )
        found.append((off / allowed, words))
    return found


def _distance(start: _Start, name: str, output: TensorEntry, wanted: Mapping[str, np.ndarray]) -> tuple[float, float]:
    """Return how far an output is off at most, infinite where it is not finite, and its largest value.

    Both in steps where it is quantized. wanted: as of gpu_golden, [calls, *shape] in the output's dtype.
    """
    import numpy as np

    off, largest = 0.0, 0.0
    for section, vector, raw in start.outputs:
        if section != name or vector >= len(wanted[name]):
            continue
        theirs = wanted[name][vector]
        ours = np.frombuffer(raw, theirs.dtype).reshape(theirs.shape).astype(np.float64)
        finite = np.isfinite(theirs)
        distance = np.abs(ours - theirs)[finite]
        off = max(off, float(np.where(np.isnan(distance), np.inf, distance).max(initial=0.0)))
        largest = max(largest, float(np.abs(theirs[finite] - float(output.zero_point or 0)).max(initial=0.0)))
    return off, largest
