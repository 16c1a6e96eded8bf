"""For those who work on dropkit, in a checkout: test, check, fmt, bench, fuzz."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kit.commands.command import command
from kit.errors import RecipeError

if TYPE_CHECKING:
    from invoke.context import Context

# By files, in as many processes as there are cores. More than four would need the memory of as many TensorFlows.
_SPREAD = ("-n", "auto", "--maxprocesses", "4", "--dist", "loadscope", "--no-loadscope-reorder")


@command
def test(ctx: Context, all: bool = False, k: str = "", debug: bool = False) -> None:
    """Run the tests (in a checkout). --all runs the slow ones, too; -k picks by name."""
    which = ([] if all else ["-m", "not slow"]) + (["-k", k] if k else [])
    _workshop([sys.executable, "-m", "pytest", *_SPREAD, *which])


@command
def check(ctx: Context, debug: bool = False) -> None:
    """Lint and type-check (in a checkout)."""
    _workshop(
        [sys.executable, "-m", "ruff", "check"],
        [sys.executable, "-m", "ruff", "format", "--check"],
        [sys.executable, "-m", "mypy"],
    )


@command
def fmt(ctx: Context, debug: bool = False) -> None:
    """Format the code (in a checkout)."""
    _workshop(
        [sys.executable, "-m", "ruff", "check", "--fix-only", "--quiet"],
        [sys.executable, "-m", "ruff", "format"],
    )


@command
def bench(
    ctx: Context,
    reproducibility: bool = False,
    operators: bool = False,
    recurrent: bool = False,
    quantization: bool = False,
    models: bool = False,
    tensorflow: str = "",
    only: str = "",
    schemes: str = "",
    all: bool = False,
    faults: int = 0,
    rounds: int = 7,
    debug: bool = False,
) -> None:
    """Measure the kit against bare scripts, as ratios within one run, for docs/performance.md (in a checkout).

    --rounds N runs each command N times; --only PATTERN picks a group (digits, "mobilenet*", kotlin, frames ...), and
    writes no page. All of it takes about an hour.

    --reproducibility builds under changed circumstances instead, writes the table of docs/reproducibility.md, and
    takes about an hour; --operators compares each operator in int8 with float, writes the table of
    docs/quantization.md, and takes ten minutes. Both print another version's table with --tensorflow V. --recurrent
    measures recurrent layers in int8 by their length, and writes the table of docs/recurrent.md. --quantization builds
    trained models with scheme "auto", and writes the table of all candidates into docs/quantization.md.

    --models builds every architecture in every scheme instead, judges each file, and writes docs/models.md. It takes
    some hours and can be interrupted: what was right is not built again, but with --all. --only PATTERN ("lstm*",
    "*_k2", "audio") picks rows, --schemes float32,int8 schemes; with --tensorflow V it prints that version's results
    and writes no page.

    --faults N kills the kit, its workers and its containers N times in each stage of each command, fills disks, counts
    lost bundles and strays, and writes the tables of docs/reliability.md: about two minutes for each of N. It can be
    interrupted: a stage that was counted is not counted again, but with --all.
    """
    if faults:
        _workshop([sys.executable, "-m", "benchmarks.faults", str(faults), *(["--all"] if all else [])])
        return
    if models:
        words = {"--tensorflow": tensorflow, "--only": only, "--schemes": schemes}
        options = [word for name, value in words.items() if value for word in (name, value)]
        _workshop([sys.executable, "-m", "benchmarks.models", *options, *(["--all"] if all else [])])
        return
    if recurrent:
        _workshop([sys.executable, "-m", "benchmarks.recurrent"])
        return
    if quantization:
        _workshop([sys.executable, "-m", "benchmarks.quantization", *([only] if only else [])])
        return
    page = "benchmarks.reproducibility" if reproducibility else "benchmarks.operators" if operators else ""
    if page:
        _workshop([sys.executable, "-m", page, *([tensorflow] if tensorflow else [])])
        return
    options = ["--rounds", str(rounds), *(["--only", only] if only else [])]
    _workshop([sys.executable, "-m", "benchmarks", *options])


@command
def fuzz(
    ctx: Context, runs: int = 1_000_000, seconds: int = 60, only: str = "", jobs: int = 1, debug: bool = False
) -> None:
    """Give every reader of foreign files inputs that coverage guides (in a checkout).

    Each reader gets --runs inputs, or --seconds of time, whichever ends first. --only tflite,recipe picks readers,
    --jobs N runs so many at once. Prints executions, coverage and findings; ends with 1 where there is a finding, and
    keeps its input.
    """
    words = {"--runs": str(runs), "--seconds": str(seconds), "--only": only, "--jobs": str(jobs)}
    options = [word for name, value in words.items() if value for word in (name, value)]
    fuzzer = ["python", str(Path("tests", "fuzz", "run.py")), *options]
    _workshop([sys.executable, "-m", "uv", "run", "--group", "fuzz", *fuzzer])


@command
def errors(ctx: Context, debug: bool = False) -> None:
    """Write docs/errors.md, every refusal with its next step, from the source (in a checkout)."""
    from kit.files import write_whole
    from kit.refusals.page import error_page
    from kit.render import templates

    package = Path(__file__).parent.parent
    target = package.parent / "docs" / "errors.md"
    if not target.parent.is_dir():
        raise RecipeError(_CHECKOUT, "clone the repository, and run it there")
    write_whole(target, error_page(package, templates() / "bundle/emulate/harness").encode())
    sys.stdout.write(f"{target}\n")


_CHECKOUT = "this command is for a checkout of dropkit, and this is an installed one"


def _workshop(*commands: list[str]) -> None:
    """Run commands that need the project's own files, at its root; stop at the first that fails."""
    import subprocess

    root = Path(__file__).parent.parent.parent
    if not (root / "pyproject.toml").exists():
        raise RecipeError(_CHECKOUT, "clone the repository, and run it there")
    for argv in commands:
        code = subprocess.run(argv, cwd=root, check=False).returncode
        if code:
            raise SystemExit(code)
