"""Inputs at the edges of what a model may be fed: zeros, the lowest, the highest, one hot pixel, a mix of extremes.

The runtime's script makes them of the golden inputs, and what the runtime gives for them is kept beside the golden
vectors. The same numbers on every machine. Knows numpy alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kit.shared.seeded import range_of, seed_of, seeded

MOST = 4  # vectors of each signature: as many more inputs are in golden.bin


@dataclass(frozen=True)
class EdgeInput:
    """An input as it is fed. zero: what stands for 0. values: of all golden vectors, [N, ...] in its dtype."""

    shape: tuple[int, ...]  # of one call
    values: np.ndarray
    zero: int = 0
    quantized: bool = False
    image: bool = False

    def limits(self) -> tuple[float, float]:
        """Return the lowest and the highest value: of its type where all are allowed, else of the golden vectors.

        Ids for instance: a model may know no others.
        """
        if self.values.dtype.kind != "f":
            return range_of(self.values, whole=self.quantized or self.image)
        finite = self.values[np.isfinite(self.values)].astype(np.float64)
        return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)

    def edges(self, position: int) -> tuple[np.ndarray, ...]:
        """Return [*shape] in its dtype of each kind of edge. position: of the input among all, for the seed."""
        low, high = self.limits()
        dtype = self.values.dtype
        zeros, lowest, highest = (np.full(self.shape, v, dtype) for v in (min(max(self.zero, low), high), low, high))
        hot = zeros.copy()
        middle = tuple(size // 2 for size in self.shape)
        hot[(slice(None), *middle[1:3]) if self.image and len(middle) == 4 else middle] = high
        chosen = seeded("bool", math.prod(self.shape), 0.0, 1.0, seed_of(0, position)).reshape(self.shape)
        return zeros, lowest, highest, hot, np.where(chosen, highest, lowest)


def edge_vectors(inputs: Mapping[str, EdgeInput]) -> Sequence[dict[str, np.ndarray]]:
    """Return at most MOST calls' worth of inputs, by name [*shape of a call] in their dtypes: no two are the same."""
    each = {name: one.edges(position) for position, (name, one) in enumerate(inputs.items()) if one.values.size}
    if len(each) != len(inputs) or not inputs:
        return []
    found: dict[bytes, dict[str, np.ndarray]] = {}
    for arrays in zip(*each.values(), strict=True):
        found.setdefault(b"".join(array.tobytes() for array in arrays), dict(zip(each, arrays, strict=True)))
    return list(found.values())[:MOST]
