"""What int8 does to each kind of operator: convert small graphs, run them, compare with float, write the table.

Run as `inv bench --operators`: it writes docs/quantization.md's table. With --tensorflow V it prints that version's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kit.toolchain import find_runtime, find_toolchain
from kit.venv import runtime_venv, toolchain_venv

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "quantization.md"
VERSION = "2.19.1"
BEGIN, END = "<!-- inv bench --operators -->", "<!-- end -->"
RIGHT = 0.05  # the largest error, as a share of the output's range, beyond what 8 bits must cost

Found = dict[str, dict[str, Any]]


ENV = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


def each(argv: Sequence[str], names: Sequence[str]) -> Found:
    """Run a script on the named cases and return what it prints of each; where it dies, go on behind that case."""
    found: Found = {}
    while left := [name for name in names if name not in found]:
        done = subprocess.run([*argv, *left], env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        lines = [json.loads(line) for line in done.stdout.decode().splitlines() if line.startswith('{"case"')]
        found |= {line["case"]: line for line in lines}
        left = [name for name in names if name not in found]
        if left and done.returncode >= 0:
            raise SystemExit(f"{' '.join(argv)} {left[0]}\n{done.stderr.decode()[-3000:]}")
        if left:
            found[left[0]] = {"case": left[0], "failed": f"ends the process: signal {-done.returncode}"}
    return found


def survey(version: str, folder: Path, *, mend: bool, names: Sequence[str] = ()) -> Found:
    """Convert and run every case, or the named ones; return cost, and errors on both interpreters, by case."""
    python = toolchain_venv(find_toolchain(version), print)
    runtime = find_runtime("litert:2.3.0")
    litert = runtime_venv(runtime, runtime.lock(pictures=False), print)
    graphs, runs = (str(ROOT / "benchmarks" / f"operator_{part}.py") for part in ("graphs", "runs"))
    if not names:
        names = json.loads(subprocess.run([str(python), graphs, str(folder)], capture_output=True, env=ENV, check=True).stdout)
    made = each([str(python), graphs, str(folder), *([] if mend else ["--plain"])], names)
    good = [name for name in names if not {"refused", "failed"} & set(made[name])]
    here, there = (each([str(each_python), runs, str(folder)], good) for each_python in (python, litert))
    return {
        name: made[name] | ({"own": here[name], "litert": there[name]} if name in good else {}) for name in names
    }


def faults(case: dict[str, Any]) -> str:
    """Return what is wrong with a case: "" where it is right."""
    if "refused" in case or "failed" in case:
        return "refused: " + case.get("refused", case.get("failed", ""))
    runs = [case["litert"], case["own"]]
    if any("failed" in run for run in runs):
        return " / ".join(run.get("failed", "runs") for run in runs)
    worst = max(error - cost for run in runs for error, cost in zip(run["error"], case["cost"], strict=True))
    if worst <= RIGHT:
        return ""
    return " / ".join(",".join(f"{error:.3f}" for error in run["error"]) for run in runs)


def main(version: str, mend: bool, names: Sequence[str]) -> None:
    with TemporaryDirectory(prefix="dropkit-bench-") as folder:
        found = survey(version, Path(folder), mend=mend, names=names)
    for name, case in found.items():
        fault = faults(case)
        if fault:
            print(name, "|", [round(c, 3) for c in case.get("cost", [])], "|", fault, "|", case.get("own", {}).get("operators"))
    print(len(found), "cases")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] != "plain", sys.argv[3:])
