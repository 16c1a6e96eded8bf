"""What single calls of a signature take of many samples, made one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kit.shared.job import TensorSpec
from kit.shared.lazy import Lazy
from kit.shared.rows import Arrays

Feeds = dict[str, np.ndarray]  # by input name: [rows, ...], or [...] without a batch, in its dtype


def calls(inputs: Sequence[TensorSpec], samples: Arrays) -> Lazy[Feeds]:
    """Cut samples [N, ...] by input name, in its dtype, into what one call takes: [rows, ...], or [...] without a
    batch.

    N fits a fixed batch: data.py sees to it.
    """
    step = next((max(spec.shape[0], 1) for spec in inputs if spec.batched), 1)
    count = len(next(iter(samples.values())))

    def call(number: int) -> Feeds:
        """Return what one call takes, [rows, ...] or [...] by input name, in its dtype."""
        at = number * step
        return {
            spec.name: _own(samples[spec.name][at : at + step] if spec.batched else samples[spec.name][at])
            for spec in inputs
        }

    return Lazy(-(-count // step), call)


def _own(array: np.ndarray) -> np.ndarray:
    """Return an array of any shape and dtype as TensorFlow takes it: what is mapped from a file may begin anywhere."""
    return np.require(array, requirements="A")
