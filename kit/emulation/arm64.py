"""Run a bundle's harness on an emulated arm64 machine, and beside it on this one. Knows processes, no numbers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kit.arm64.machine import download_bytes, find_machine, is_here, refuse_other_machines, refuse_unknown_cpu
from kit.arm64.site import arm64_site, site_folder
from kit.bundle.arrays import made_arrays
from kit.bundle.layout import Bundle
from kit.bundle.manifest import read_intact
from kit.emulation.arm64_report import ArmReport, ScriptReport, file_checks, golden_checks
from kit.emulation.run import crashed, lock_of, with_own_harness
from kit.emulation.scripts import Scripts, last_line
from kit.errors import EngineError, RecipeError
from kit.files import temporary_folder
from kit.tflite.cost import cost_of
from kit.tflite.reader import read_tflite
from kit.toolchains.lockfile import Lock
from kit.toolchains.space import RUNTIME_BYTES
from kit.toolchains.toolchain import Runtime, find_runtime
from kit.toolchains.venv import runtime_venv

Notify = Callable[[str], None]
Advance = Callable[[int, int], None]
_SCRIPT = Path(__file__).with_name("arm64_script.py")
NO_WHEEL = ("litert:1.0.1",)
_WHEELS = 40_000_000  # bytes that a runtime's packages for arm64 are, about: the largest
# What an emulated machine does in a second of one core of an ordinary desktop, measured: for a sentence alone.
_START, _CALL, _UNITS = 7.0, 0.002, 50e6  # seconds; seconds; units of kit.tflite.cost


@dataclass(frozen=True)
class ArmRequest:
    """What is to be run, and on what."""

    cpu: str  # one of kit.arm64.machine.CPUS
    runtime: str = ""  # a name; "" for the one that the bundle was built for
    signature: str = ""  # the key of the one that files go through; "" for the main one
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Ran:
    """What the script wrote."""

    report: ScriptReport
    samples: tuple[dict[str, np.ndarray], ...]  # of each its outputs by name


@dataclass(frozen=True)
class _Place:
    """Where a run happens: the bundle's data with the kit's own harness, on a runtime."""

    bundle: Bundle
    runtime: Runtime
    words: tuple[str, ...]  # the script's own: a signature's key and files


def run_arm64(bundle: Path, asked: ArmRequest, notify: Notify, advance: Advance) -> ArmReport:
    """Return what an emulated arm64 CPU makes of a bundle's golden vectors and of files.

    Raises CheckError where a file of the bundle is not as it was built, EngineError where the emulator cannot be had
    here, RecipeError for a CPU or a signature that is none.
    """
    refuse_unknown_cpu(asked.cpu)
    refuse_other_machines()
    manifest = read_intact(bundle)
    with with_own_harness(bundle, manifest) as folder:
        named = find_runtime(asked.runtime or manifest.runtime)
        if named.name in NO_WHEEL:
            raise RecipeError(
                f"{named.name} was never published for Linux on arm64", "name a newer runtime: --runtime litert:1.1.2"
            )
        own = (asked.signature, *(str(Path(file)) for file in asked.files))
        place = _Place(Bundle(folder, manifest.id), named, own)
        lock = lock_of(folder, named)
        _say_sizes(named, lock, notify)
        machine = find_machine(notify)
        site = arm64_site(named.folder.name, lock, RUNTIME_BYTES, notify)
        python = runtime_venv(named, lock, notify)
        here = _run(place, Scripts(), python, [], 0)
        calls = here.report.calls
        notify(_slow(place.bundle, calls))
        advance(0, calls)
        begin = time.monotonic()
        words = machine.words(asked.cpu, [], site)
        there = _run(place, Scripts(advance=advance), machine.emulator, words, calls)
        seconds = time.monotonic() - begin
    found = there.report
    checks = [*golden_checks(found.replay)]
    if there.samples:
        checks += file_checks(found.bounds, asked.signature, there.samples, here.samples)
    return ArmReport(
        bundle=manifest.id,
        version=manifest.version,
        app=manifest.runtime,
        package=found.package,
        cpu=asked.cpu,
        emulator=machine.name,
        calls=calls,
        seconds=round(seconds, 1),
        call_seconds=found.seconds,
        slowdown=round(found.seconds / max(here.report.seconds, 1e-9), 1),
        verdict=found.replay.verdict,
        faults=tuple(found.replay.faults()),
        checks=tuple(checks),
        errors=found.errors,
    )


def _run(place: _Place, scripts: Scripts, program: Path, before: Sequence[str], calls: int) -> _Ran:
    """Run the script by a program with arguments before it. Raises what kind of error the bundle is at fault with."""
    name = place.runtime.name
    with temporary_folder("dropkit-arm64-") as out:
        done = scripts.run(program, [*before, _SCRIPT, place.bundle.folder, out, str(calls), *place.words])
        if done.returncode < 0:
            error = crashed(place.bundle.folder, name, done.returncode)
            raise EngineError(f"{error.message}{' on arm64' if before else ''}", error.hint)
        try:
            raw = json.loads((out / "report.json").read_text("utf-8"))
            report = None if "error" in raw else ScriptReport.from_json(raw)
        except (OSError, ValueError, TypeError, KeyError) as missing:
            last = last_line(done.stderr)
            raise EngineError(f"{name} gave no result: {last or 'without a word'}", "run `kit doctor`") from missing
        if report is None:
            kind = RecipeError if raw["code"] == RecipeError.code else EngineError
            raise kind(f"the bundle cannot be run on {name}: {raw['error']}", str(raw["hint"]))
        arrays = made_arrays(out / "outputs.npz")
    samples: list[dict[str, np.ndarray]] = [{} for _ in report.sources]
    for key, array in arrays.items():
        number, _, output = key.partition("/")
        samples[int(number)][output] = array
    return _Ran(report, tuple(samples))


def _say_sizes(runtime: Runtime, lock: Lock, notify: Notify) -> None:
    """Say what will be fetched, before anything is."""
    parts = [] if is_here() else [f"{download_bytes() / 1e6:.0f} MB of Debian packages (qemu, and a Debian for it)"]
    if not site_folder(runtime.folder.name, lock).exists():
        parts.append(f"about {_WHEELS / 1e6:.0f} MB of {runtime.name} for arm64")
    if parts:
        notify(f"emulating arm64 needs {' and '.join(parts)}, once")


def _slow(bundle: Bundle, calls: int) -> str:
    """Say that it is slow, and how slow it will be: from what a call costs by kit.tflite.cost."""
    seconds = _START + calls * (_CALL + cost_of(read_tflite(bundle.model)).units / _UNITS)
    words = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
    return f"every instruction is emulated, 30 to 800 times slower than here: about {words} for {calls} calls"
