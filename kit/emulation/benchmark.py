"""Benchmarks of bundles on one runtime: how a process starts on each, how long calls take, and each beside the first.

Cold starts are processes of their own, by turns; calls are bare calls of the interpreter, interleaved in one process
(kit.emulation.latency). What the harness adds to a call is measured apart, and is no part of the calls' time.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from kit.bundle.latency import Latency
from kit.bundle.layout import HARNESS, only_bundle
from kit.bundle.manifest import read_intact
from kit.bundle.signature import read_signature
from kit.emulation.latency import Order, TimedCalls, TimedFile, latencies, time_files
from kit.emulation.run import crashed, lock_of, with_own_harness
from kit.emulation.scripts import alone, last_line
from kit.errors import CheckError, EngineError, RecipeError
from kit.shared.values import from_json
from kit.toolchains.toolchain import Runtime, find_runtime
from kit.toolchains.venv import runtime_venv

STARTS = 5  # processes for each bundle
SECONDS = 2.0  # of calls for each bundle; and a quarter of it through the harness
HINT = "a desktop's milliseconds are not a phone's: a ratio is a hint, a time is none"
BENCHMARK_SCRIPT = Path(__file__).with_name("benchmark_script.py")


@dataclass(frozen=True)
class ColdStart:
    """From the start of a process to its first outputs, in milliseconds: medians of several processes.

    python: until Python runs and has imported the runtime; load: of the model; feed: of the input's file; first: the
    first call.
    """

    total_ms: float
    low_ms: float
    high_ms: float
    python_ms: float
    load_ms: float
    feed_ms: float
    first_ms: float
    processes: int


@dataclass(frozen=True)
class Measured:
    """One bundle. harness_ms: what the harness adds to a call; memory: bytes at the peak, beyond the runtime's import.

    memory is None where the system does not say; latency: beside the first bundle, None of the first itself.
    """

    path: str
    bundle: str
    version: str
    cold_start: ColdStart
    median_ms: float
    p95_ms: float
    calls_per_second: float
    harness_ms: float
    memory: int | None
    latency: Latency | None = None


@dataclass(frozen=True)
class Benchmark:
    """Bundles on one runtime."""

    runtime: str
    threads: int
    bundles: tuple[Measured, ...]
    hint: str = HINT


@dataclass(frozen=True)
class _Laid:
    """A bundle with the kit's own harness laid beside it, in folder."""

    path: Path
    id: str
    version: str
    folder: Path
    file: TimedFile


@dataclass(frozen=True)
class _Start:
    """What one process says of its start: see benchmark_script. Seconds of the machine's monotonic clock."""

    runs: float
    imported: float
    loaded: float
    fed: float
    called: float
    memory: int | None = None
    harness: float | None = None
    began: float = 0.0  # when this process started it


def run_benchmark(bundles: Sequence[Path], runtime: str, threads: int, notify: Callable[[str], None]) -> Benchmark:
    """Measure bundles on one runtime; by default the one that all of them are for.

    Raises RecipeError where they are for several and none is named, CheckError where a file of one is not as it was
    built or the runtime cannot run it, EngineError where the interpreter crashed.
    """
    manifests = [read_intact(bundle) for bundle in bundles]
    chosen = find_runtime(runtime or _only(bundles, [manifest.runtime for manifest in manifests]))
    with ExitStack() as stack:
        laid = []
        for path, manifest in zip(bundles, manifests, strict=True):
            folder = stack.enter_context(with_own_harness(path, manifest))
            laid.append(_Laid(path, manifest.id, manifest.version, folder, _timed_file(path)))
        pythons = [runtime_venv(chosen, lock_of(bundle.folder, chosen), notify) for bundle in laid]
        starts: list[list[_Start]] = [[] for _ in laid]
        for number in range(STARTS):
            seconds = SECONDS / 4 if number == STARTS - 1 else 0.0
            for bundle, python, own in zip(laid, pythons, starts, strict=True):
                own.append(_start(bundle, python, chosen, threads, seconds))
        timed = time_files(pythons[0], Order(tuple(each.file for each in laid), SECONDS, threads, singly=True))
        beside = latencies([str(each.path) for each in laid], timed)
    first, *others = [_measured(*row) for row in zip(laid, starts, timed, beside, strict=True)]
    return Benchmark(chosen.name, threads, (replace(first, latency=None), *others))


def lines(measured: Benchmark) -> Iterator[str]:
    """Yield what a reader sees: a block for each bundle, then what to make of it."""
    threads = f"{measured.threads} thread{'s' * (measured.threads > 1)}"
    yield f"{measured.runtime}, {threads}, on this machine: calls one after another, bundles by turns"
    for bundle in measured.bundles:
        start = bundle.cold_start
        yield f"{bundle.path}: {bundle.bundle} {bundle.version}"
        if bundle.latency is not None:
            ratio = (
                f"{bundle.latency.ratio:#.3g} ({bundle.latency.low:#.3g} to {bundle.latency.high:#.3g}, 95 % interval)"
            )
            yield f"  ratio        {ratio} of {bundle.latency.of}"
        calls = f"median {bundle.median_ms:.4g} ms, p95 {bundle.p95_ms:.4g} ms, {bundle.calls_per_second:,.0f} a second"
        yield f"  calls        {calls}, without what a harness adds"
        more = f"{bundle.harness_ms:.3g} ms more: copies, names and checks, in Python"
        yield f"  harness      {more if bundle.harness_ms > 0 else 'too little to measure'}"
        total = f"{start.total_ms:.0f} ms ({start.low_ms:.0f} to {start.high_ms:.0f}, {start.processes} processes)"
        yield f"  cold start   {total}, its file in the system's cache:"
        parts = f"Python and imports {start.python_ms:.0f}, load {start.load_ms:.2f}, input {start.feed_ms:.2f}"
        yield f"               {parts}, first call {start.first_ms:.2f}"
        peak = None if bundle.memory is None else f"{bundle.memory / 1e6:.1f} MB beyond Python and the runtime's import"
        yield f"  peak memory  {peak or 'the system does not say'}"
    yield f"{measured.hint}"


def _only(bundles: Sequence[Path], runtimes: Sequence[str]) -> str:
    """Return the runtime of all bundles. Raises RecipeError where they are for several."""
    for bundle, runtime in zip(bundles, runtimes, strict=True):
        if runtime != runtimes[0]:
            raise RecipeError(
                f"{bundle} is for {runtime}, and {bundles[0]} for {runtimes[0]}: a ratio of files is of one runtime",
                f"name one for all: --runtime {runtimes[0]}",
            )
    return runtimes[0]


def _timed_file(path: Path) -> TimedFile:
    bundle = only_bundle(path)
    signature = read_signature(bundle.signature)
    assign = signature.variables.assign if signature.variables else ""
    return TimedFile(str(bundle.model.resolve()), str(bundle.golden_npz.resolve()), signature.main.key, assign)


def _start(bundle: _Laid, python: Path, runtime: Runtime, threads: int, seconds: float) -> _Start:
    """Start a process on a bundle; return what it says. Raises CheckError or EngineError where it does not run."""
    argv = [str(python), str(BENCHMARK_SCRIPT), str(bundle.folder / HARNESS.parent), str(threads), str(seconds)]
    began = time.monotonic()
    # Not tied to this process: that is one more start of Python, and would be in the time. It ends by itself soon.
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=alone())
    if done.returncode < 0:
        raise crashed(bundle.path, runtime.name, done.returncode)
    try:
        said = json.loads(done.stdout)
        if done.returncode == 0:
            return replace(from_json(_Start, said), began=began)
        error, hint, code = said["error"], said["hint"], said["code"]
    except (ValueError, KeyError, TypeError) as wrong:
        last = last_line(done.stderr)
        raise EngineError(f"{runtime.name} gave no result: {last or 'without a word'}", "run `kit doctor`") from wrong
    kind = EngineError if code == EngineError.code else CheckError
    raise kind(f"{runtime.name} cannot run {bundle.path}: {error}", hint)


def _measured(laid: _Laid, starts: Sequence[_Start], timed: TimedCalls, latency: Latency | None) -> Measured:
    """Return what one bundle's processes and calls come to. Raises EngineError where its calls were not timed."""
    if timed.error or latency is None:
        why = timed.error or "the first bundle does not run"
        raise EngineError(f"{laid.path}: its calls could not be timed: {why}", "run `kit doctor`")
    median, p95, mean = timed.single
    memory = [start.memory for start in starts if start.memory is not None]
    harness = next(start.harness for start in starts if start.harness is not None)
    bare = statistics.median(timed.blocks)
    return Measured(
        str(laid.path),
        laid.id,
        laid.version,
        _cold_start(starts),
        _ms(median),
        _ms(p95),
        round(1 / mean, 1),
        _ms(harness - bare),
        max(memory, default=None),
        latency,
    )


def _cold_start(starts: Sequence[_Start]) -> ColdStart:
    """Return the medians of all processes; of the total its ends, too."""
    totals = [_ms(start.called - start.began) for start in starts]
    parts = [
        [_ms(span) for span in (s.imported - s.began, s.loaded - s.imported, s.fed - s.loaded, s.called - s.fed)]
        for s in starts
    ]
    python, load, feed, first = (statistics.median(part) for part in zip(*parts, strict=True))
    ends = min(totals), max(totals)
    return ColdStart(statistics.median(totals), *ends, python, load, feed, first, len(starts))


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 5)
