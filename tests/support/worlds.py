"""Small worlds for tests: run the kit as a user would, and write recipes with their files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from kit.shared.job import Result, SignatureSpec

SUPPORT = Path(__file__).parent
ROOT = SUPPORT.parent.parent
DIGITS = ROOT / "examples" / "digits"
RARE = {"litert:1.0.1", "litert:1.1.2"}


def on(runtimes: Iterable[str]) -> list[Any]:
    """Return runtimes as parameters of a test: those that few apps still link with `inv test --all` alone."""
    return [pytest.param(name, marks=pytest.mark.slow) if name in RARE else name for name in runtimes]


def run_kit(
    *arguments: str, cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `kit` as a process of its own and wait for it."""
    return subprocess.run(
        [sys.executable, "-m", "kit", *arguments],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def write_recipe(folder: Path, **changes: str) -> Path:
    """Write the digits example's recipe into folder, its files by absolute path, with some values replaced.

    A change's key is "table.key" with "_" for ".", as in model_path="'other.keras'"; its value is TOML, "" removes it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables: dict[str, dict[str, str]] = {
        "model": {"path": f"'{DIGITS / 'digits.keras'}'", "id": "'digits'"},
        "toolchain": {"tensorflow": "'2.19.1'"},
        "quantize": {"scheme": "'int8'", "io": "'uint8'", "representative": f"'{DIGITS / 'samples.npz'}'"},
        "inputs": {"name": "'image'", "kind": "'image'", "mean": "[0.0]", "std": "[255.0]"},
        "outputs": {"name": "'digit'", "kind": "'classes'", "labels": f"'{DIGITS / 'labels.txt'}'"},
        "checks": {"data": f"'{DIGITS / 'test.npz'}'"},
    }
    for place, value in changes.items():
        table, _, key = place.partition("_")
        tables[table].pop(key, None)
        if value:
            tables[table][key] = value
    lines = []
    for table, content in tables.items():
        lines.append(f"[[{table}]]" if table in {"inputs", "outputs"} else f"[{table}]")
        lines += [f"{key} = {value}" for key, value in content.items()]
    path = folder / "recipe.toml"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def workers_below(folder: Path) -> list[str]:
    """Return the command lines of the running workers whose job folder is below folder."""
    # -ww: without it a listing may be cut to 80 columns, as it is under pytest, and no folder is ever found in it.
    argv = ["ps", "-eww", "-o", "args"]
    listing = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if "-m kit.worker" in line and str(folder) in line]


def bare_result(signature: SignatureSpec, samples: int, measured_on: str = "checks") -> Result:
    """Return what a worker says of a model with one signature, and of nothing else."""
    return Result(
        signature=signature,
        others=(),
        kept=(),
        train=None,
        variables=(),
        flex=(),
        notes=(),
        drawn=(),
        samples=samples,
        measured_on=measured_on,
        parameters=10,
        loader="keras 3.15.1",
        tensorflow="2.19.1",
        machine="x86_64",
        portable=True,
    )
