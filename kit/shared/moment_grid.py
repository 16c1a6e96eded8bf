"""Mean squares of activations on a grid: the noise of float sums does not reach the weights that are scaled by them.

What is rounded is the root of a channel's mean square. The mean of squares is a norm, so noise of n in each value moves
the root by n at most. It is rounded to the nearest of 2 steps an octave (1, 1.5, 2, 3, 4 ...), and is no less than a
256th of the largest channel's. Coarse as that is, it adds 1 to 2 % to the squared error of a layer in four bits (in the
mean of 60 random ones; one step an octave adds 5 %). Standard library only, as kit.shared.range_grid, which says where
the noise is from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from kit.shared.range_grid import NOISE, Grid

_BITS = 2  # of a number, its leading one included
_LEAST = 2.0**-8  # of the largest channel's


def settled_roots(grid: Grid, name: str, roots: Sequence[float], reach: float) -> list[float]:
    """Return the roots of a tensor's channels on the grid.

    grid: takes what another build recorded, and notes what is unsure; name: the tensor's; roots: of the mean squares,
    one a channel; reach: the largest magnitude of the tensor's values, 0 where they are no sums.
    """
    noise = NOISE * reach
    least = _LEAST * _settled(grid, f"{name}/largest", max(roots), (noise, 0.0))
    return [_settled(grid, f"{name}/{channel}", root, (noise, least)) for channel, root in enumerate(roots)]


def _settled(grid: Grid, name: str, root: float, limits: tuple[float, float]) -> float:
    """Return one root on the grid. limits: its noise, and the least that it may be."""
    noise, least = limits
    found = {max(least, _nearest(max(0.0, each))) for each in (root - noise, root, root + noise)}
    return grid.chosen(name, max(least, _nearest(root)), found)


def _nearest(root: float) -> float:
    """Return a number rounded to a few bits: each step is exact, and so the same on every CPU."""
    fraction, exponent = math.frexp(root)
    return math.ldexp(math.floor(math.ldexp(fraction, _BITS) + 0.5), exponent - _BITS)
