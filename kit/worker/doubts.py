"""A word of warning where a quantized file's outputs are far from the float model's. Refuses nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from kit.worker.job import Job, SignatureSpec
from kit.worker.measure import top1
from kit.worker.product import real

NEAR = 0.98  # concordance of an output with the float model's, below which there is a word
SAME = 0.95  # and for classes the share of samples with the same top-1, at which there is none all the same
_ELSE = {"int8": '"dynamic" or "float16" calculate in float', "dynamic": '"float16" keeps the weights more exactly'}


def doubts(
    job: Job,
    signature: SignatureSpec,
    floats: Mapping[str, np.ndarray],
    answers: Mapping[str, np.ndarray],
    drawn: Collection[str],
) -> list[str]:
    """Return a sentence for each output that is far from the float model's. floats, answers: [N, ...] by name.

    drawn: outputs that are another in each call.
    """
    wishes = {wish.name: wish for wish in job.outputs}
    notes = []
    for spec in signature.outputs:
        exact, got = floats[spec.name], real(answers[spec.name], spec)
        near = concordance(got, exact)
        if spec.name in drawn or near >= NEAR:
            continue
        told = f"concordance {near:.2f}"
        wish = wishes.get(spec.name)
        if wish is not None and wish.classes:
            same = float(np.mean(top1(exact, wish.activation) == top1(got, wish.activation)))
            told += f", the same top-1 on {same:.0%}"
            if same >= SAME:
                continue
        way = _ELSE.get(job.scheme)
        notes.append(
            f"output '{spec.name}' is far from the float model's: {told} (1 is the same)"
            + (f"; scheme = {way}" if way else "")
        )
    return notes


def concordance(got: np.ndarray, exact: np.ndarray) -> float:
    """Return Lin's concordance of two arrays of one shape: their correlation, lowered where scale or mean differ."""
    one, other = np.ravel(got).astype(np.float64), np.ravel(exact).astype(np.float64)
    spread = one.var() + other.var() + (one.mean() - other.mean()) ** 2
    if one.size < 2 or spread == 0:
        return 1.0
    return float(2 * np.mean((one - one.mean()) * (other - other.mean())) / spread)
