"""A bundle's golden vectors on every pinned runtime, with each kind of kernels and several numbers of threads.

A process for each runtime and kind of kernels: an interpreter that crashes takes nothing else with it. As many run side
by side as there are cores.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kit.bundle.layout import HARNESS, Bundle
from kit.bundle.manifest import read_intact
from kit.emulation.run import crashed, lock_of, with_own_harness
from kit.emulation.runtimes_report import RuntimeRow, RuntimesReport
from kit.emulation.scripts import Scripts, last_line, side_by_side, usable_cores
from kit.errors import EngineError
from kit.files import json_text, writable, write_whole
from kit.toolchains.operator_support import misfits, versions_needed
from kit.toolchains.toolchain import find_runtime, runtimes
from kit.toolchains.venv import runtime_venv

KERNELS = ("default", "reference")
ENDING = ".emulate.json"  # of the file beside a bundle
_SCRIPT = Path(__file__).with_name("runtimes_script.py")
_NO_OPERATOR = re.compile(r"Didn't find op for builtin opcode '(\w+)' version '(\d+)'")
_NOT_PREPARED = re.compile(r"Node number \d+ \((\w+)\) failed to (?:prepare|invoke)")

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Asked:
    """What is run. advance: takes what runs now, how many runs are done, and how many there are."""

    runtimes: tuple[str, ...]
    kernels: tuple[str, ...]
    threads: tuple[int, ...]
    notify: Callable[[str], None]
    advance: Tell


def run_all_runtimes(bundle: Path, threads: int, notify: Callable[[str], None], advance: Tell) -> RuntimesReport:
    """Return what every pinned runtime makes of a bundle, and write it beside the bundle, as <id>.emulate.json.

    threads: up to how many, 0 for one on each core. Raises CheckError where a file of the bundle is not as it was
    built.
    """
    manifest = read_intact(bundle)
    asked = Asked(tuple(runtimes()), KERNELS, numbers_to(threads or usable_cores()), notify, advance)
    with with_own_harness(bundle, manifest) as folder:
        rows = tuple(run_rows(Bundle(folder, manifest.id), asked))
    report = RuntimesReport(manifest.id, manifest.version, manifest.runtime, platform.machine(), rows)
    beside = bundle.resolve().with_name(f"{bundle.resolve().name}{ENDING}")
    with writable(beside.parent):
        write_whole(beside, json_text(report.to_json()).encode())
    return report


def numbers_to(most: int) -> tuple[int, ...]:
    """Return 1, 2, 4 and so on below a number of threads, and that number."""
    return (*(1 << power for power in range(16) if 1 << power < most), most)


def run_rows(bundle: Bundle, asked: Asked) -> Iterator[RuntimeRow]:
    """Yield a row for each runtime, kind of kernels and number of threads, of a bundle whose harness is the kit's.

    Reference kernels know no threads: they run on the first number of them alone.
    """
    needed = versions_needed(bundle.model)
    runs = [_Run(name, kernels, asked.threads if kernels == "default" else asked.threads[:1])
            for name in asked.runtimes for kernels in asked.kernels]  # fmt: skip
    scripts = Scripts()

    def rows_of(run: _Run) -> list[RuntimeRow]:
        """Return the rows of one process."""
        return list(_rows(bundle, run, scripts, asked.notify, needed))

    with side_by_side(scripts, usable_cores()) as pool:
        waiting = [pool.submit(rows_of, run) for run in runs]
        for done, (run, rows) in enumerate(zip(runs, waiting, strict=True)):
            asked.advance(f"{run.runtime}, {run.kernels} kernels", done, len(runs))
            yield from rows.result()


@dataclass(frozen=True)
class _Run:
    """What one process runs."""

    runtime: str
    kernels: str
    threads: tuple[int, ...]


def _rows(
    bundle: Bundle, run: _Run, scripts: Scripts, notify: Callable[[str], None], needed: Mapping[str, int]
) -> Iterator[RuntimeRow]:
    """Yield the rows of one process: as many as it printed, and the reason for those that it did not."""
    name, kernels = run.runtime, run.kernels
    runtime = find_runtime(name)
    try:
        python = runtime_venv(runtime, lock_of(bundle.folder, runtime), notify)
    except EngineError as error:
        yield from (RuntimeRow(name, kernels, count, error=f"it is not here: {error}") for count in run.threads)
        return
    argv: list[str | Path] = [_SCRIPT, bundle.folder / HARNESS.parent, kernels, *map(str, run.threads)]
    done = scripts.run(python, argv)
    made = [RuntimeRow.from_json(name, kernels, json.loads(line)) for line in done.stdout.splitlines()]
    for row in made:
        yield replace(row, error=fault(row.error, name, needed)) if row.error else row
    for count in run.threads[len(made) :]:
        yield RuntimeRow(name, kernels, count, error=_ended(bundle.folder, name, done.returncode, done.stderr))


def fault(error: str, runtime: str, needed: Mapping[str, int]) -> str:
    """Return what keeps a runtime from running a model: the operator and its version, where that is it.

    error: in the runtime's words; needed: the highest version of each operator in the file.
    """
    if lacking := misfits(needed, runtime):
        return "; ".join(f"it needs {each}" for each in lacking)
    if found := _NO_OPERATOR.search(error):
        return f"these kernels lack {found[1]} v{found[2]}"
    if prepared := _NOT_PREPARED.search(error):
        return f"{prepared[1]} v{needed.get(prepared[1], 1)} fails: {error.rpartition(': ')[2]}"
    return error


def _ended(bundle: Path, runtime: str, code: int, said: str) -> str:
    """Return why a process ended before its last row."""
    if code < 0:
        return crashed(bundle, runtime, code).message
    return f"it ended without a result: {last_line(said) or 'without a word'}"
