"""How much of a call LiteRT's profiler finds in its operators: rows of docs/emulation.md.

Run as python -m benchmarks.profile_table BUNDLE... It ends with 1 where a call of LEAST milliseconds or more is further
than BOUND from the sum of its operators.
"""

from __future__ import annotations

import sys
from pathlib import Path

from kit.bundle.manifest import read_manifest
from kit.profiling.report import Profile
from kit.profiling.run import ProfileRequest, run_profile
from kit.progress import Reporter

BOUND, LEAST = 0.2, 0.1  # of shorter calls, whole microseconds and LiteRT's own work are too large a part


def row(profile: Profile, scheme: str) -> str:
    """Return a bundle's row."""
    share = profile.operator_milliseconds / profile.milliseconds
    built_in = sorted({each.name for each in profile.operators if each.why})
    return f"| {profile.model}, {scheme} | {profile.milliseconds:.3g} ms | {share:.0%} | {', '.join(built_in)} |"


def main(bundles: list[str]) -> int:
    """Print a row for each bundle as it comes; return the exit code."""
    print("| bundle | a call | in its operators | built in |\n|---|---|---|---|")
    reporter, off = Reporter(quiet=True), False
    for path in map(Path, bundles):
        profile = run_profile(path, ProfileRequest(), reporter.note)
        print(row(profile, read_manifest(path).model.scheme), flush=True)
        share = profile.operator_milliseconds / profile.milliseconds
        off = off or (profile.milliseconds >= LEAST and abs(1 - share) > BOUND)
    return int(off)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
