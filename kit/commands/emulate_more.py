"""What `emulate` does besides running one interpreter: all runtimes, and outputs held against the truth."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from kit.commands.command import print_json
from kit.commands.emulate_elsewhere import refuse_beside
from kit.errors import RecipeError

_WORST = 10  # samples that --compare prints


@dataclass(frozen=True)
class Beside:
    """The options that --profile and --compare share with others. against: the float32 bundle or .tflite."""

    signature: str
    runtime: str
    threads: int
    against: Sequence[str]


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


def emulate_profile(bundle: Path, given: Collection[str], asked: Beside, files: Sequence[str], *, json: bool) -> None:
    """Print where a call spends its time and makes its error, operator by operator.

    given: the names of the other options that are given. Raises RecipeError for what does not go together, and what
    kit.profiling.run raises.
    """
    against = asked.against
    refuse_beside("--profile", given, {"json", "signature", "threads", "against", "golden"})
    if len(against) > 1:
        raise RecipeError("--profile has one float file beside it, and --against names several", "name one of them")
    if bundle.is_file() and not files:
        from kit.emulation.bare import refuse_golden

        refuse_golden(bundle, ())
    from kit.bundle.manifest import unchanged
    from kit.profiling.report import lines_of
    from kit.profiling.run import ProfileRequest, run_profile
    from kit.progress import Reporter

    exact = Path(against[0]) if against else None
    request = ProfileRequest(tuple(files), asked.signature, asked.threads or 1, exact)
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


def emulate_compare(bundle: Path, given: Collection[str], asked: Beside, files: Sequence[str], *, json: bool) -> None:
    """Print a bundle's outputs beside the float model's, worst samples first.

    given: the names of the other options that are given. Raises RecipeError for what does not go together, and what
    kit.scoring.beside_float raises.
    """
    against = asked.against
    refuse_beside("--compare", given, {"json", "signature", "runtime", "against"})
    _refuse_unlike(against, files)
    from kit.bundle.manifest import unchanged
    from kit.progress import Reporter
    from kit.scoring.beside_float import CompareRequest, compare, lines_of, to_json

    request = CompareRequest(Path(against[0]), tuple(files), asked.signature, asked.runtime)
    with unchanged(bundle):
        found = compare(bundle, request, Reporter().note)
    print_json(to_json(found)) if json else sys.stdout.writelines(f"{line}\n" for line in lines_of(found, _WORST))
    if found.code:
        raise SystemExit(found.code)


def _refuse_unlike(against: Sequence[str], files: Sequence[str]) -> None:
    """Refuse a comparison without a float file or without files, and what is read once alone. Raises RecipeError."""
    if len(against) > 1:
        raise RecipeError("--compare has one float model beside it, and --against names several", "name one of them")
    if not against:
        raise RecipeError(
            "--compare has no float model beside it",
            "build it: kit build RECIPE --scheme float32 --out float, then --against float/ID",
        )
    if not files:
        raise RecipeError("--compare runs files through both models, and there are none", "give files: -- FILES")
    if "-" in files:
        raise RecipeError("--compare runs files twice, and stdin is read once", "save it as a file, and name that")


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
