"""What every runtime, an emulated arm64 CPU and the GPU estimate make of bundles: the table of docs/emulation.md.

Run as python -m benchmarks.emulated BUNDLE... A bundle that cannot be run somewhere is a cell that says why. Rows of
other bundles stay in the table.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.page_part import PagePart
from kit.arm64.machine import DEFAULT_CPU
from kit.bundle.manifest import read_manifest
from kit.emulation.all_runtimes import run_all_runtimes
from kit.emulation.arm64 import ArmRequest, run_arm64
from kit.emulation.gpu import run_gpu
from kit.emulation.gpu_report import GpuRun
from kit.emulation.output_check import OutputCheck
from kit.emulation.runtimes_report import RUNS, RuntimeRow, RuntimesReport
from kit.errors import KitError
from kit.progress import Reporter

PART = PagePart(
    Path(__file__).parent.parent / "docs" / "emulation.md",
    "<!-- real models: python -m benchmarks.emulated -->",
    "<!-- end of real models -->",
)
HEAD = f"| bundle | runtimes | arm64, {DEFAULT_CPU} | GPU, float32 | GPU, float16 |"
QUIET = Reporter(quiet=True)


def main(bundles: list[str]) -> None:
    """Print a row for each bundle as it comes, and write the table."""
    rows = {line.split(",")[0]: line for line in PART.read().splitlines()[2:]}
    for path in map(Path, bundles):
        manifest = read_manifest(path)
        name = f"{manifest.id}, `{manifest.model.scheme}`"
        cells = [_cell(part, path) for part in (_runtimes, _arm64)]
        row = f"| {name} | {' | '.join([*cells, *_gpu(path)])} |"
        rows[row.split(",", maxsplit=1)[0]] = row
        print(row, flush=True)
    PART.write("\n".join([HEAD, "|---|---|---|---|---|", *rows.values()]))


def _cell(part: Callable[[Path], str], path: Path) -> str:
    try:
        return part(path)
    except KitError as error:
        return f"refused: {error.message}"


def _runtimes(path: Path) -> str:
    report = run_all_runtimes(path, 0, QUIET.note, lambda *_: None)
    names = list(dict.fromkeys(row.runtime for row in report.rows))
    works = report.works_on
    lead = "all" if len(works) == len(names) else ", ".join(works) or "none"
    return "; ".join([lead, *_others(report, names)])


def _others(report: RuntimesReport, names: list[str]) -> Iterator[str]:
    """Yield what is not as built, by its words: "litert:1.1.2, litert:1.2.0 fail: DEPTHWISE_CONV_2D ..."."""
    said: dict[str, list[str]] = {}
    for name in names:
        for row in report.rows:
            if row.verdict == RUNS:
                continue
            where = name if row.kernels == "default" else f"{name} (reference kernels)"
            places = said.setdefault(f"fail: {row.error}" if row.error else _off(row), [])
            if row.runtime == name and where not in places:
                places.append(where)
    for words, places in said.items():
        yield f"{', '.join(places)} {words}"


def _off(row: RuntimeRow) -> str:
    """Say how a row is off, by the output that is so most: less than the double of what is allowed, or far more."""
    shares = {each: math.inf if each.worst is None else each.worst / each.allowed for each in row.outputs}
    worst = max(shares, key=lambda each: shares[each])
    if shares[worst] < 1:
        return "not the same when asked again"
    return f"off in {worst.output}, {'less than twice what' if shares[worst] < 2 else 'far more than'} is allowed"


def _arm64(path: Path) -> str:
    report = run_arm64(path, ArmRequest(DEFAULT_CPU), QUIET.note, lambda *_: None)
    golden = [check for check in report.checks if check.inputs == "golden vectors"]
    return f"{_checks(golden)}; a call {report.call_seconds * 1000:.3g} ms, {report.slowdown:.0f} times"


def _gpu(path: Path) -> list[str]:
    """Return the cells of both precisions."""
    try:
        return [_gpu_run(run) for run in run_gpu(path, [], QUIET.note).runs]
    except KitError as error:
        return [f"refused: {error.message}"] * 2


def _gpu_run(run: GpuRun) -> str:
    if not run.checks:
        return run.fault
    return _checks([check for check in run.checks if check.inputs == "golden vectors"])


def _checks(checks: Sequence[OutputCheck]) -> str:
    return "; ".join(check.sentence + ("" if check.passed else ": **off**") for check in checks)


if __name__ == "__main__":
    main(sys.argv[1:])
