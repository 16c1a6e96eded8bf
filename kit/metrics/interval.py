"""The 95 % confidence interval of the difference that conversion makes, of paired samples. The same in each run.

A share of right samples: Agresti and Min's adjusted interval for the difference of paired proportions (Simple improved
confidence intervals for comparing matched proportions, Statistics in Medicine 24, 2005), which stays wide on few
samples also where all are equal. Any other metric: the paired bootstrap's standard error (Efron and Tibshirani, An
Introduction to the Bootstrap, 1993, chapter 6) times Student's t around the difference, with a fixed seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kit.metrics.scorer import Scorer, UndefinedError
from kit.shared.own_metrics import RESAMPLES

if TYPE_CHECKING:
    import numpy as np

NORMAL = 1.959963984540054  # the 97.5 % quantile of the normal distribution
FEWEST, MOST, WORK = 10, 400, 4_000_000  # resamples, and numbers that all of them together are made of
FEW = 10  # samples: of fewer no resample says anything
SEED = 7


def interval(before: Scorer, after: Scorer, difference: float) -> tuple[float, float] | None:
    """Return the interval of before - after, whose value is difference; None where samples are too few for one."""
    if before.hits is not None and after.hits is not None:
        return paired_shares(before.hits, after.hits)
    half = _bootstrap(before, after)
    return None if half is None else (difference - half, difference + half)


def resampled(difference: float, differences: Sequence[float]) -> tuple[float, float] | None:
    """Return the interval around a difference from those of resamples, None where half of RESAMPLES has none."""
    import numpy as np

    if 2 * len(differences) <= RESAMPLES:
        return None
    half = student(len(differences) - 1) * float(np.std(differences, ddof=1))
    return difference - half, difference + half


def paired_shares(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Return the interval of the difference of two shares: Agresti and Min. before, after: bool [n], what is right."""
    import numpy as np

    lost = int(np.count_nonzero(before & ~after)) + 0.5
    won = int(np.count_nonzero(~before & after)) + 0.5
    count = len(before) + 2
    middle = (lost - won) / count
    deviation = math.sqrt(lost + won - (lost - won) ** 2 / count) / count
    return max(-1.0, middle - NORMAL * deviation), min(1.0, middle + NORMAL * deviation)


def resamples(work: int) -> int:
    """Return how many resamples are taken: 10 to 400, the fewer the more numbers each is made of."""
    return max(FEWEST, min(MOST, WORK // max(work, 1)))


def student(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5."""
    z = NORMAL
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / freedom + second / freedom**2


def _bootstrap(before: Scorer, after: Scorer) -> float | None:
    """Return half of the interval of before - after, from resamples; those without a value are left out."""
    import numpy as np

    if before.samples < FEW:
        return None
    rng, found = np.random.default_rng(SEED), []
    wanted = resamples(max(before.work, after.work))
    for _ in range(wanted):
        rows = np.sort(rng.integers(0, before.samples, before.samples))
        try:
            found.append(before.value(rows) - after.value(rows))
        except UndefinedError:
            continue
    return student(len(found) - 1) * float(np.std(found, ddof=1)) if 2 * len(found) > wanted else None
