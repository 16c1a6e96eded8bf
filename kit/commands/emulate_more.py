"""What `emulate` does besides running one interpreter: all runtimes, and outputs held against the truth."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from kit.commands.command import print_json
from kit.errors import RecipeError


def emulate_all_runtimes(bundle: Path, threads: int, others: Sequence[str], *, json: bool) -> None:
    """Print what every pinned runtime makes of a bundle. others: options that are given, and do not go with it.

    Raises CheckError where the app's own runtime does not run it as it was built.
    """
    if others:
        what = " and ".join(others)
        raise RecipeError(
            f"--runtime all runs the golden vectors on every runtime, and {what} does not go with it",
            f"leave {what} out, or name one runtime",
        )
    from kit.bundle.manifest import unchanged
    from kit.emulation.all_runtimes import run_all_runtimes
    from kit.emulation.runtimes_report import judge_runtimes, table
    from kit.progress import Reporter

    reporter = Reporter()

    def advance(what: str, done: int, total: int) -> None:
        """Begin a stage."""
        reporter.stage(f"{done + 1}/{total} {what}")

    try:
        with unchanged(bundle):
            report = run_all_runtimes(bundle, threads, reporter.note, advance)
    finally:
        reporter.close()
    print_json(report.to_json()) if json else sys.stdout.writelines(f"{line}\n" for line in table(report))
    judge_runtimes(report)


def emulate_with_labels(bundle: Path, truth: Path, runtime: str, arguments: Sequence[str], *, allow_code: bool) -> None:
    """Run a bundle on files, and print its metrics against the truth. arguments: the harness's own, files behind --.

    Raises RecipeError where the truth cannot be read, or does not fit the outputs.
    """
    if arguments[-1] == "--":
        raise RecipeError(f"--labels {truth} is the truth of files, and there are none", "give files: -- FILES")
    if not truth.exists():
        raise RecipeError(f"--labels {truth}: there is no such file or folder", "check the name")
    from kit.bundle.manifest import unchanged
    from kit.progress import Reporter
    from kit.scoring.run import Asked, run_scored

    with unchanged(bundle):
        found = run_scored(bundle, truth, Asked(runtime, arguments, allow_code), Reporter().note)
    if "--json" in arguments:
        print_json(found.document)
    else:
        sys.stdout.write(found.text)
        # Lines for programs stay alone on stdout.
        stream: TextIO = sys.stderr if {"--jsonl", "--csv"} & set(arguments) else sys.stdout
        stream.writelines(f"{score.line}\n" for score in found.scores)
    if found.code:
        raise SystemExit(found.code)
