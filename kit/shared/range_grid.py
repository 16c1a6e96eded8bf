"""Ranges on a grid: the last bits of float sums, which another CPU adds up in another order, do not reach the file.

A range is measured as the least and the largest value of a tensor over the calibration data. Its ends are rounded to
the nearest multiple of a power of two, a 183rd to a 366th of the larger end: less than half a step of int8. An end that
lies as near to the middle between two multiples as the noise of float sums may be rounded the other way elsewhere: what
it came to is recorded, and a later build that is given the record takes the same. The noise was measured, see
docs/reproducibility.md. Standard library only: worker and quantizer share it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

# Of the larger end: what the ends of a range may differ by from one CPU to another. Measured: 6.4e-7 at most.
NOISE = 1e-6
_BITS = 7
# The unit changes where the larger end is 1.43 times a power of two: at no number that models like (1, 6, 255).
_TURN = 0.7

Pair = tuple[float, float]


@dataclass
class Grid:
    """The grid of one build.

    recorded: ends that another build of the same model found unsure, by name; exact: ranges that are no sums, such as
    an input's, and stay as they are. unsure: this build's, as they were rounded, by name.
    """

    recorded: Mapping[str, float] = field(default_factory=dict)
    exact: set[Pair] = field(default_factory=set)
    unsure: dict[str, float] = field(default_factory=dict)

    def settled(self, name: str, low: float, high: float) -> Pair:
        """Return a range with both ends on the grid. name: the tensor's, the same in each build of the model."""
        reach = max(abs(low), abs(high))
        if not reach or not math.isfinite(reach) or (low, high) in self.exact:
            return low, high
        least, most = (self._end(f"{name}/{end}", value, reach) for end, value in (("min", low), ("max", high)))
        # Two ends in one step of the grid: a range has to have a length.
        return least, most if most > least or low == high else least + _unit(reach)

    def chosen(self, name: str, taken: float, found: Collection[float]) -> float:
        """Return what a value is rounded to: what was recorded, where the noise leaves a choice.

        taken: the nearest; found: all that the noise may make of it.
        """
        if len(found) > 1:
            if self.recorded.get(name) in found:
                taken = self.recorded[name]
            self.unsure[name] = taken
        return taken

    def _end(self, name: str, value: float, reach: float) -> float:
        noise = NOISE * reach
        units = {_unit(reach - noise), _unit(reach + noise)}
        found = {_nearest(each, unit) for each in (value - noise, value + noise) for unit in units} if value else {0.0}
        return self.chosen(name, _nearest(value, _unit(reach)), found)


def _unit(reach: float) -> float:
    """Return the step of the grid for a range whose larger end is reach: a power of two."""
    return 2.0 ** (math.floor(math.log2(_TURN * reach)) - _BITS)


def _nearest(value: float, unit: float) -> float:
    return math.floor(value / unit + 0.5) * unit
