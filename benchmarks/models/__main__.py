"""Run the table and write docs/models.md: `python -m benchmarks.models`, which is `inv bench --models`."""

from __future__ import annotations

import argparse
import fnmatch
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.models.architecture import SCHEMES, Architecture, architectures
from benchmarks.models.page import PAGE, page
from benchmarks.models.runner import ROOT, Outcome, example_digest, keep, kept, kit_digest, run
from kit.files import write_whole

WORK = ROOT / "build" / "bench-models"


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for, write the page; exit with 1 where a file is wrong without a word or something crashed."""
    options = _options(arguments)
    work = Path(options.work).resolve()
    work.mkdir(parents=True, exist_ok=True)
    rows = [row for row in architectures().values() if _picked(row, options.only)]
    if not rows:
        raise SystemExit(f"--only {options.only}: no architecture is called so: {', '.join(architectures())}")
    for row in rows:
        for scheme in options.schemes.split(","):
            before = kept(row, scheme, work)
            if options.all or not _holds(before, row):
                outcome = run(row, scheme, options.tensorflow, work)
                keep(outcome, row, scheme, work)
                print(f"{row.id:24} {scheme:8} {line_of(outcome)}", flush=True)
    return _finish(work, write=not options.tensorflow)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="inv bench --models")
    parser.add_argument("--only", default="")
    parser.add_argument("--schemes", default=",".join(SCHEMES))
    parser.add_argument("--tensorflow", default="")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--work", default=str(WORK))
    options = parser.parse_args(arguments)
    if options.tensorflow and options.work == str(WORK):
        options.work = f"{WORK}-{options.tensorflow}"  # the page is about one toolchain
    return options


def _picked(row: Architecture, patterns: str) -> bool:
    """Say whether a row is meant: patterns hold its id, or its family, with commas between them; "" is every row."""
    names = (row.id, row.family)
    return not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns.split(",") for name in names)


def _holds(before: Outcome | None, row: Architecture) -> bool:
    """Say whether a kept outcome need not be made again: it was right, and the model is the same."""
    return before is not None and before.status == "right" and before.example == example_digest(row)


def line_of(outcome: Outcome) -> str:
    """Return an outcome as one line."""
    numbers = f"{outcome.output}: share {outcome.share:.2g}, concordance {outcome.concordance:.4f}"
    if outcome.status == "right":
        return f"right    {outcome.size} B, {numbers}"
    if outcome.status == "noted":
        return f"noted: {outcome.hint} | {numbers}"
    if outcome.status == "wrong":
        return f"WRONG, and built: {outcome.message or numbers}, agreement {outcome.agreement}"
    remedy = f" | {outcome.remedy}: {outcome.remedy_status} {outcome.remedy_message}" if outcome.remedy else ""
    return f"{outcome.status} {outcome.code}: {outcome.message[:300]} | next: {outcome.hint[:200]}{remedy}"


def _finish(work: Path, *, write: bool) -> int:
    rows = list(architectures().values())
    outcomes = {(row.id, scheme): kept(row, scheme, work) for row in rows for scheme in SCHEMES}
    found = {key: outcome for key, outcome in outcomes.items() if outcome is not None}
    if write:
        write_whole(PAGE, page(rows, found, work / "models").encode())
        print(f"{PAGE} is written: {len(found)} of {len(outcomes)} builds are in it")
    stale = sum(outcome.kit != kit_digest() for outcome in found.values())
    if stale:
        print(f"{stale} of them were made by other code of the kit: --all makes everything again")
    return int(any(outcome.status not in {"right", "noted", "refused"} for outcome in found.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
