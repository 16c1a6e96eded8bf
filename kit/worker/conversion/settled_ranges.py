"""The calibrator's ranges on the grid of kit.shared.range_grid, between what it measures and what quantizes with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.python.optimize import calibrator  # the public module does not have it

from kit.shared.range_grid import Grid


@contextmanager
def on_grid(grid: Grid) -> Iterator[None]:
    """Put the ranges of every calibration in the block on a grid."""
    original = calibrator.Calibrator.calibrate

    def calibrate(self: Any, dataset: Callable[[], Iterator[Any]]) -> bytes:
        """Return the .tflite of a calibration. dataset: calls, arrays of the inputs' shapes and dtypes each."""
        return settled(bytes(original(self, dataset)), grid)

    calibrator.Calibrator.calibrate = calibrate
    try:
        yield
    finally:
        calibrator.Calibrator.calibrate = original


def settled(content: bytes, grid: Grid) -> bytes:
    """Return a .tflite with each measured range on the grid. What goes into it is no sum, and its range stays."""
    edited = bytearray(content)
    found = list(_ranges(schema.Model.GetRootAs(edited, 0)))
    grid.exact |= {_pair(low, high) for name, taken, low, high in found if taken}
    for name, _, low, high in found:
        low[0], high[0] = grid.settled(name, *_pair(low, high))
    return bytes(edited)


def _ranges(model: Any) -> Iterator[tuple[str, bool, np.ndarray, np.ndarray]]:
    """Yield each range of a whole tensor: its name "graph/tensor" by number, whether the graph takes it as an input,
    and both ends, float32 [1], which can be written."""
    for at in range(model.SubgraphsLength()):
        graph = model.Subgraphs(at)
        inputs = {graph.Inputs(i) for i in range(graph.InputsLength())}
        for number in range(graph.TensorsLength()):
            quantization = graph.Tensors(number).Quantization()
            if quantization is not None and quantization.MinLength() == quantization.MaxLength() == 1:
                yield f"{at}/{number}", number in inputs, quantization.MinAsNumpy(), quantization.MaxAsNumpy()


def _pair(low: np.ndarray, high: np.ndarray) -> tuple[float, float]:
    """Return both ends of a range. low, high: float32 [1]."""
    return float(low[0]), float(high[0])
