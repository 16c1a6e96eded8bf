"""Say whether a file's outputs are the Keras model's. Knows arrays and limits, nothing of files and builds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from benchmarks.models.architecture import Arrays

WORST_SHARE = 1e-3  # float32: the largest difference, as a share of the output's spread
CONCORDANCE = {"float16": 0.995, "dynamic": 0.995, "int8": 0.98}
AGREEMENT = 0.95  # int8, classes: the same class wins


@dataclass(frozen=True)
class Judgement:
    """What one output was measured at. share and concordance as `measure` says; agreement is None for no classes."""

    output: str
    share: float
    concordance: float
    agreement: float | None
    right: bool
    why: str = ""  # what is wrong, where numbers do not say it


def judge(scheme: str, reference: Arrays, got: Arrays, classes: Collection[str] = ()) -> list[Judgement]:
    """Return a judgement for each output [N, ...] of the reference; got has again/<name>, too."""
    return [_judge(scheme, name, reference[name], got, name in classes) for name in sorted(reference)]


def worst(judgements: list[Judgement]) -> Judgement:
    """Return the judgement that decides: a wrong one before a right one, then the least concordant."""
    return min(judgements, key=lambda one: (one.right, one.concordance))


def _judge(scheme: str, name: str, exact: np.ndarray, got: Arrays, classes: bool) -> Judgement:
    if name not in got:
        return _wrong(name, f"the file has no output '{name}': {', '.join(n for n in sorted(got) if '/' not in n)}")
    values, again = got[name], got[f"again/{name}"]
    if values.size != exact.size:
        return _wrong(name, f"shape {list(values.shape)} for {list(exact.shape)}")
    values = values.reshape(exact.shape)
    if not np.isfinite(values).all():
        return _wrong(name, "NaN or infinity")
    share, concordance = measure(exact, values)
    agreement = float(np.mean(_winner(exact) == _winner(values))) if classes else None
    if _differs(scheme, exact, values[:1], again.reshape(values[:1].shape)):
        return Judgement(name, share, concordance, agreement, False, "another output to the same sample, asked again")
    return Judgement(name, share, concordance, agreement, _is_right(scheme, share, concordance, agreement))


def measure(exact: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Return the largest difference as a share of exact's spread, and Lin's concordance correlation of both.

    Concordance is Pearson's correlation, lowered where scale or mean differ: outputs that are all shifted or halved
    correlate perfectly and are wrong. Source: Lin, Biometrics 45 (1989): 2 cov / (var + var + (mean - mean)^2).
    """
    a, b = exact.astype(np.float64).ravel(), values.astype(np.float64).ravel()
    spread = float(a.max() - a.min())
    worst_difference = float(np.abs(a - b).max())
    if not spread:
        return (0.0 if worst_difference < 1e-6 else float("inf")), float(worst_difference < 1e-6)
    covariance = float(np.mean((a - a.mean()) * (b - b.mean())))
    return worst_difference / spread, 2 * covariance / float(a.var() + b.var() + (a.mean() - b.mean()) ** 2)


def _is_right(scheme: str, share: float, concordance: float, agreement: float | None) -> bool:
    if scheme == "float32":
        return share <= WORST_SHARE
    agrees = scheme == "int8" and agreement is not None and agreement >= AGREEMENT
    return agrees or concordance >= CONCORDANCE[scheme]


def _differs(scheme: str, exact: np.ndarray, first: np.ndarray, again: np.ndarray) -> bool:
    """Say whether a file keeps state: the same kernels give the same numbers, whatever the scheme."""
    spread = float(exact.max() - exact.min()) or 1.0
    return float(np.abs(first - again).max()) > (1e-5 if scheme == "float32" else 1e-3) * spread


def _winner(scores: np.ndarray) -> np.ndarray:
    return scores > 0.5 if scores.shape[-1] == 1 else np.argmax(scores, axis=-1)


def _wrong(name: str, why: str) -> Judgement:
    return Judgement(name, float("inf"), 0.0, None, False, why)
