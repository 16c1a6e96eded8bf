"""Which samples calibrate and which check: by a fixed seed, class by class, equal content on one side only."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

MOST_CALIBRATION, MOST_CHECKS = 200, 2000
FEWEST = 40  # samples that are worth a split: auto needs 20 to check on
SEED = 7


def split(contents: Sequence[Hashable], classes: Sequence[Hashable]) -> tuple[list[int], list[int]]:
    """Return the rows that calibrate, a third and at most 200, and those that check, at most 2,000; both sorted.

    contents: what is equal is the same sample, and stays on one side. classes: of each sample, of which both sides get
    their share; all the same where they are not known.
    """
    import numpy as np

    order = [int(row) for row in np.random.default_rng(SEED).permutation(len(contents))]
    groups: dict[Hashable, list[int]] = {}
    for row in order:
        groups.setdefault(contents[row], []).append(row)
    by_class: dict[Hashable, list[list[int]]] = {}
    for rows in groups.values():
        by_class.setdefault(classes[rows[0]], []).append(rows)
    share = min(1 / 3, MOST_CALIBRATION / max(len(contents), 1))
    calibration: list[int] = []
    checks: list[int] = []
    for members in by_class.values():
        taken = round(len(members) * share)
        calibration += [row for rows in members[:taken] for row in rows]
        checks += [row for rows in members[taken:] for row in rows]
    if len(checks) > MOST_CHECKS:
        checks = [checks[int(at)] for at in np.linspace(0, len(checks) - 1, MOST_CHECKS)]
    return sorted(calibration), sorted(checks)
