"""What an emulated arm64 CPU makes of bundles: rows of docs/emulation.md.

Run as python -m benchmarks.arm64_table BUNDLE... $CPU names another CPU than the default one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from kit.arm64.machine import DEFAULT_CPU
from kit.bundle.layout import only_bundle
from kit.bundle.manifest import read_manifest
from kit.emulation.arm64 import ArmRequest, run_arm64
from kit.emulation.arm64_report import ArmReport
from kit.errors import KitError
from kit.progress import Reporter
from kit.tflite.cost import cost_of
from kit.tflite.reader import read_tflite


def row(bundle: Path, report: ArmReport) -> str:
    """Return a bundle's row: scheme, what was found of each output, and how slow it was."""
    found = "; ".join(check.sentence + ("" if check.passed else ": FAIL") for check in report.checks)
    units = cost_of(read_tflite(only_bundle(bundle).model)).units
    took = f"{report.call_seconds:.3g} s, {report.slowdown:.0f} times"
    return f"| {report.bundle} | {found} | {took} | {units / 1e6:.3g} | {report.calls}, {report.seconds} s |"


def main(bundles: list[str]) -> None:
    """Print a row for each bundle as it comes; what cannot be run is a row, too."""
    print("| bundle | golden vectors | a call | million units | calls, in all |\n|---|---|---|---|---|")
    reporter = Reporter(quiet=True)
    for path in map(Path, bundles):
        try:
            request = ArmRequest(os.environ.get("CPU", DEFAULT_CPU))
            print(row(path, run_arm64(path, request, reporter.note, reporter.advance)), flush=True)
        except KitError as error:
            print(f"| {read_manifest(path).id} | {error.message} | | | |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
