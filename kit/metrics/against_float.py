"""Metrics that need no truth: the file's outputs against the float model's, float32 [N, ...] each, of one shape."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kit.metrics.scorer import UndefinedError, refuse_broken

if TYPE_CHECKING:
    import numpy as np

EXACT = 200.0  # dB: beyond what float32 can hold, for outputs that are the same


def measure(name: str, exact: np.ndarray, got: np.ndarray) -> float:
    """Return a metric of exact, the float model's outputs, and of got, the file's: float32 [N, ...] each.

    agreement is of classes, int64 [N, ...]. Raises UndefinedError.
    """
    refuse_broken(exact)
    refuse_broken(got)
    return {"snr": snr, "max_error": max_error, "cosine": cosine, "agreement": agreement}[name](exact, got)


def agreement(exact: np.ndarray, got: np.ndarray) -> float:
    """Return the share of equal classes, as accuracy_score does. exact, got: int64 [N, ...]."""
    import numpy as np

    return float(np.mean(exact == got))


def snr(exact: np.ndarray, got: np.ndarray) -> float:
    """Return the signal-to-noise ratio in dB: 10 log10(sum of exact^2 / sum of (got - exact)^2), at most 200.

    exact, got: float32 of one shape. Raises UndefinedError where exact is 0 everywhere and got is not.
    """
    import numpy as np

    one, other = exact.astype(np.float64), got.astype(np.float64)
    noise, signal = float(np.sum((other - one) ** 2)), float(np.sum(one**2))
    if noise == 0:
        return EXACT
    if signal == 0:
        raise UndefinedError("the float model's output is 0 for all samples")
    return min(EXACT, 10 * math.log10(signal / noise))


def max_error(exact: np.ndarray, got: np.ndarray) -> float:
    """Return the largest absolute difference in standard deviations of exact.

    exact, got: float32 of one shape. Raises UndefinedError where exact is constant and got is not the same.
    """
    import numpy as np

    one = exact.astype(np.float64)
    worst, spread = float(np.abs(got - one).max(initial=0.0)), float(one.std())
    if worst == 0:
        return 0.0
    if spread == 0:
        raise UndefinedError("the float model's output is the same for all samples")
    return worst / spread


def cosine(exact: np.ndarray, got: np.ndarray) -> float:
    """Return the mean cosine of the samples' vectors; with one of zeros it is 0. exact, got: float32 [N, ...]."""
    import numpy as np

    from kit.shared.postprocess import cosine as of_two

    pairs = zip(exact.reshape(len(exact), -1), got.reshape(len(got), -1), strict=True)
    return float(np.mean([of_two(one, other) for one, other in pairs]))
