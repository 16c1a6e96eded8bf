"""What `emulate` does besides running one interpreter: all runtimes, and outputs held against the truth."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TextIO

from kit.commands.command import print_json
from kit.commands.emulate_elsewhere import refuse_beside
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


def emulate_profile(
    bundle: Path, given: Collection[str], asked: tuple[str, int, Sequence[str]], files: Sequence[str], *, json: bool
) -> None:
    """Print where a call spends its time and makes its error, operator by operator.

    given: the names of the other options that are given; asked: of --signature, --threads and --against. Raises
    RecipeError for what does not go together, and what kit.profiling.run raises.
    """
    signature, threads, against = asked
    refuse_beside("--profile", given, {"json", "signature", "threads", "against", "golden"})
    if threads < 0:
        raise RecipeError(f"--threads {threads} is not a number of threads", "give 1 or more, or leave it out")
    if len(against) > 1:
        raise RecipeError("--profile has one float file beside it, and --against names several", "name one")
    if bundle.is_file() and not files:
        refuse_golden(bundle, ())
    from kit.bundle.manifest import unchanged
    from kit.profiling.report import lines_of
    from kit.profiling.run import ProfileRequest, run_profile
    from kit.progress import Reporter

    exact = Path(against[0]) if against else None
    request = ProfileRequest(tuple(files), signature, threads or 1, exact)
    reporter = Reporter()
    try:
        with unchanged(bundle):
            found = run_profile(bundle, request, reporter.note)
    finally:
        reporter.close()
    print_json(found.to_json()) if json else sys.stdout.writelines(f"{line}\n" for line in lines_of(found))
    sys.stderr.writelines(f"emulate: {error.error}; {error.hint}\n" for error in found.errors)
    if found.errors:
        raise SystemExit(2)


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
