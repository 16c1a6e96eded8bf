"""Is an accuracy better than guessing? The one-sided binomial test, of the standard library alone."""

from __future__ import annotations

import math

LARGE = 20_000  # from so many trials on the normal distribution stands in


def tail(hits: int, trials: int, p: float) -> float:
    """Return the probability of at least `hits` of `trials` where each hits with probability p."""
    if hits <= 0 or p >= 1:
        return 1.0
    if p <= 0:
        return 0.0
    if trials > LARGE:
        deviation = math.sqrt(trials * p * (1 - p))
        return 0.5 * math.erfc((hits - 0.5 - trials * p) / deviation / math.sqrt(2))
    odds, whole = (math.log(p), math.log1p(-p)), math.lgamma(trials + 1)
    terms = (
        whole - math.lgamma(n + 1) - math.lgamma(trials - n + 1) + n * odds[0] + (trials - n) * odds[1]
        for n in range(hits, trials + 1)
    )
    return min(1.0, math.fsum(math.exp(term) for term in terms))


def is_decidable(p: float, trials: int, level: float) -> bool:
    """Say whether all hits of so many trials would be beyond chance at this level."""
    return p**trials <= level
