"""What int8 does to each kind of operator: convert small graphs, run them, compare with float, write the table.

Run as `inv bench --operators`: it writes the table into docs/quantization.md. With --tensorflow V it prints the table
of another version. As a module it also takes names of cases (KIND/CONTEXT), and keeps to those.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.page_part import PagePart
from kit.toolchains.toolchain import find_runtime, find_toolchain
from kit.toolchains.venv import runtime_venv, toolchain_venv

ROOT = Path(__file__).parent.parent
VERSION, RUNTIME = "2.19.1", "litert:2.3.0"
PART = PagePart(
    ROOT / "docs" / "quantization.md",
    "<!-- operators: written by inv bench --operators -->",
    "<!-- end of operators -->",
)
RIGHT = 0.05  # the largest error, as a share of the output's range, beyond what 8 bits must cost

ENV = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


@dataclass(frozen=True)
class Found:
    """One case: the file's error beyond what 8 bits must cost, or why there is none."""

    case: str
    costs: tuple[float, ...]  # by output, the error in float where all that goes in and out is rounded to 8 bits
    errors: tuple[float, ...]  # by output, the larger of TensorFlow's own interpreter's and LiteRT's; () where refused
    fault: str  # what refused it

    @property
    def right(self) -> bool:
        """Say whether 8 bits do not cost more than they must."""
        return not self.fault and self.worst[0] <= RIGHT + 1.5 * self.worst[1]

    @property
    def worst(self) -> tuple[float, float]:
        """Return the error and the cost of the output that is furthest off."""
        pairs = zip(self.errors, self.costs, strict=False)
        return max(pairs, key=lambda pair: pair[0] - 1.5 * pair[1], default=(0.0, max(self.costs, default=0.0)))


def survey(version: str, names: Sequence[str], *, mend: bool) -> dict[str, Found]:
    """Convert and run cases, all where none is named; return what was found by case."""
    python = toolchain_venv(find_toolchain(version), print)
    runtime = find_runtime(RUNTIME)
    litert = runtime_venv(runtime, runtime.lock(images=False), print)
    graphs, runs = (str(ROOT / "benchmarks" / f"operator_{part}.py") for part in ("graphs", "runs"))
    with TemporaryDirectory(prefix="dropkit-bench-") as folder:
        if not names:
            argv = [str(python), graphs, folder]
            names = json.loads(subprocess.run(argv, capture_output=True, env=ENV, check=True).stdout)
        made = _each([str(python), graphs, folder, *([] if mend else ["--plain"])], names)
        good = [name for name in names if "fault" not in made[name]]
        ran = [_each([str(interpreter), runs, folder], good) for interpreter in (python, litert)]
    return {name: _found(made[name], [run[name] for run in ran if name in run]) for name in names}


def _each(argv: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Run a script on cases and return what it prints of each; where one ends the process, go on behind it."""
    found: dict[str, dict[str, Any]] = {}
    while left := [name for name in names if name not in found]:
        done = subprocess.run([*argv, *left], env=ENV, capture_output=True, text=True, check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"case"')]
        found |= {line["case"]: line for line in lines}
        left = [name for name in names if name not in found]
        if left and done.returncode >= 0:
            raise SystemExit(f"{argv[1]} {left[0]}\n{done.stderr[-3000:]}")
        if left:
            found[left[0]] = {"case": left[0], "fault": f"ends the process: signal {-done.returncode}"}
    return found


def _found(made: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> Found:
    faults = [line["fault"] for line in (made, *runs) if "fault" in line]
    errors = () if faults else tuple(max(pair) for pair in zip(*(run["error"] for run in runs), strict=True))
    return Found(made["case"], tuple(made.get("cost", ())), errors, "; ".join(dict.fromkeys(faults)))


# What the kit does about an operator, by the first word of its kind.
DONE = {
    "CAST": "ids stay whole numbers (int8_graph)",
    "DIV": "divides in float, by no zero (int8_file)",
    "MATRIX_DIAG": "computes in float (int8_file)",
    "MATRIX_SET_DIAG": "QUANTIZE before it (int8_file)",
    "MAXIMUM": "a scale of its own for what it takes; max(x, a x) becomes LEAKY_RELU (int8_graph)",
    "MINIMUM": "a scale of its own for what it takes (int8_graph)",
    "ONE_HOT": "on and off value in the output's scale, or in float (int8_file)",
    "BINCOUNT": "as ONE_HOT",
    "REVERSE_V2": "QUANTIZE behind it (int8_file)",
    "SCATTER_ND": "computes in float (int8_file)",
    "SELECT": "a scale of its own for what it takes (int8_graph)",
    "SELECT_V2": "a scale of its own for what it takes (int8_graph)",
    "SOFTMAX": "a mask as small as the scores allow (int8_graph)",
    "TENSOR_SCATTER_UPDATE": "as SCATTER_ND",
}


def table(version: str, names: Sequence[str] = ()) -> Iterator[str]:
    """Yield the table's lines: what is wrong without the kit's changes, a row for each kind, and with them."""
    before = survey(version, names, mend=False)
    kinds = list(dict.fromkeys(name.partition("/")[0] for name, found in before.items() if not found.right))
    after = survey(version, [name for name in before if name.partition("/")[0] in kinds], mend=True) if kinds else {}
    yield f"| TensorFlow {version} | wrong in | error | what 8 bits cost | with the kit | what it does |"
    yield "|---|---|---|---|---|---|"
    for kind in kinds:
        cases = [name for name in after if name.partition("/")[0] == kind]
        wrong = [before[name] for name in cases if not before[name].right]
        contexts = ", ".join(found.case.partition("/")[2] for found in wrong)
        worst = max(wrong, key=lambda found: found.worst[0])
        left = [after[name] for name in cases if not after[name].right]
        left_wrong = ", ".join(f"{found.case.partition('/')[2]}: {_shown(found)}" for found in left)
        now = left_wrong or _shown(after[worst.case])
        yield f"| {kind} | {contexts} | {_shown(worst)} | {worst.worst[1]:.3f} | {now} | {_done(kind)} |"
    right = len({name.partition("/")[0] for name in before}) - len(kinds)
    yield ""
    yield f"{len(before)} cases; the other {right} kinds are right in all of theirs."


def _shown(found: Found) -> str:
    return found.fault[:80] or f"{found.worst[0]:.3f}"


def _done(kind: str) -> str:
    return DONE.get(kind.replace(",", "").partition(" ")[0], "nothing")


def main(version: str, names: Sequence[str]) -> None:
    """Measure, and write the page's table where it is the page's version and whole."""
    lines = "\n".join(table(version, names)) + "\n"
    print(lines)
    if version == VERSION and not names:
        PART.write(lines)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else VERSION, sys.argv[2:])
