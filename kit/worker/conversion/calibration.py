"""What int8 is calibrated on: single calls, and for open axes calls of several sizes.

TensorFlow's calibrator takes the first call's sizes for all. What a larger or smaller input gives (a mean over more
numbers, a border that counts for less) has other ranges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tensorflow.lite.python.optimize import calibrator  # the public module does not have it

from kit.shared.calls import Feeds, calls
from kit.shared.lazy import chained
from kit.shared.range_grid import Grid
from kit.shared.rows import Arrays
from kit.worker.evaluation.sizes import Size, fitted
from kit.worker.source.contract import Contract

EACH = 32  # calls at each further size


@dataclass(frozen=True)
class Calibration:
    """What ranges are measured on, and how they are rounded.

    calls: by signature, arrays by input name, of its shape and dtype; rows: what the converter is to see of them, call
    after call, (signature, such arrays).
    """

    calls: Mapping[str, Sequence[Feeds]] = field(default_factory=dict)
    rows: Sequence[tuple[str, Mapping[str, np.ndarray]]] = ()
    grid: Grid = field(default_factory=Grid)


def calibration_calls(contract: Contract, samples: Arrays, sizes: Sequence[Size]) -> Sequence[Feeds]:
    """Return the calls that samples make, then some of them again at each further size.

    samples: [N, ...] by input name, in its dtype; a call has [rows, ...] of each, or [...] where it has no batch axis.
    """
    parts = [calls(contract.inputs, samples)]
    for size in sizes:
        if size:
            few = {name: array[: EACH * max(contract.batch or 1, 1)] for name, array in samples.items()}
            parts.append(calls(contract.inputs, fitted(few, contract, size)))
    return chained(parts)


@contextmanager
def resizing() -> Iterator[None]:
    """Let the calibrator follow the sizes of the calls, during the block."""
    original = calibrator.Calibrator._feed_tensors

    def feed(self: Any, dataset: Callable[[], Iterator[Any]], resize_input: bool) -> Any:
        return original(self, lambda: _followed(self, dataset()), resize_input)

    calibrator.Calibrator._feed_tensors = feed
    try:
        yield
    finally:
        calibrator.Calibrator._feed_tensors = original


def _followed(self: Any, rows: Iterator[Any]) -> Iterator[Any]:
    """Yield the rows; where one's shapes are others than the last one's, tell the calibrator before."""
    last: dict[str | None, list[list[int]]] = {}
    for row in rows:
        key, feeds = row if isinstance(row, tuple) else (None, row)
        shapes = [list(array.shape) for array in feeds.values()]
        if last.get(key, shapes) != shapes:
            arrays = self._create_input_array_from_dict(key, feeds)
            ordered = [list(array.shape) for array in arrays]
            self._calibrator.Prepare(ordered, *([] if key is None else [key]))
        last[key] = shapes
        yield row
