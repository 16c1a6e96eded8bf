"""The range of every tensor over the calibration data: its extremes on a grid, as litert-quantizer takes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kit.quantizer.inside.tensors import Tensors
from kit.shared.calls import Feeds
from kit.shared.range_grid import Grid

# What bfloat16 has for infinity, in masks: no range of anything that is meant as a number.
LARGEST = 3e38

Ranges = dict[str, dict[str, np.ndarray]]  # by tensor: "min" and "max", float32, each of one value


def measure(content: bytes, calls: Mapping[str, Iterable[Feeds]]) -> Ranges:
    """Return the range of each float tensor that the calls calculate. calls: by signature, each by input name
    [...] in its dtype."""
    tensors = Tensors.of(content)
    found: dict[str, tuple[np.float32, np.float32]] = {}
    for signature, rows in calls.items():
        for call in rows:
            for name, value in tensors.values(signature, call):
                if value.dtype != np.float32 or not value.size:
                    continue
                low, high = _extremes(value)
                if name in found:
                    low, high = min(low, found[name][0]), max(high, found[name][1])
                found[name] = (low, high)
    return _of(found)


def settled(ranges: Ranges, grid: Grid, given: Collection[str]) -> Ranges:
    """Return the ranges with their ends on the grid, but those of tensors that are given.

    ranges: float32 [1] each.
    """
    ends = {name: (float(each["min"][0]), float(each["max"][0])) for name, each in ranges.items()}
    grid.exact |= {ends[name] for name in given if name in ends}
    return _of({name: pair if name in given else grid.settled(name, *pair) for name, pair in ends.items()})


def given(content: bytes) -> set[str]:
    """Return the names of the tensors that no operator calculates: inputs and constants, which are no sums."""
    model = schema.Model.GetRootAs(content, 0)
    found: set[str] = set()
    for graph in map(model.Subgraphs, range(model.SubgraphsLength())):
        operators = map(graph.Operators, range(graph.OperatorsLength()))
        made = {each.Outputs(i) for each in operators for i in range(each.OutputsLength())}
        found |= {graph.Tensors(at).Name().decode() for at in range(graph.TensorsLength()) if at not in made}
    return found


def kept(place: Path, make: Callable[[], Ranges]) -> Ranges:
    """Return the ranges that a file keeps, float32 [1] each, made and kept where it is not there."""
    if not place.exists():
        made = {name: [float(each["min"][0]), float(each["max"][0])] for name, each in make().items()}
        keep(place, made)
    return _of(json.loads(place.read_text("utf-8")))


def keep(place: Path, value: Any) -> None:
    """Write a value as JSON, whole or not at all: half of it would fail every later request."""
    partial = place.with_suffix(".partial")
    partial.write_text(json.dumps(value), "utf-8")
    partial.replace(place)


def _of(ends: Mapping[str, Sequence[float | np.float32]]) -> Ranges:
    """Return ranges, float32 [1] each, of the least and the largest number by tensor."""
    return {
        name: {"min": np.array([low], np.float32), "max": np.array([high], np.float32)}
        for name, (low, high) in ends.items()
    }


def _extremes(value: np.ndarray) -> tuple[np.float32, np.float32]:
    """Return the lowest and the highest number of float32 values of any shape; 0 where there is none."""
    low, high = value.min(), value.max()
    if low > -LARGEST and high < LARGEST:  # the usual case, without a copy; NaN is no less
        return low, high
    counted = value[np.abs(value) < LARGEST]
    return (counted.min(), counted.max()) if counted.size else (np.float32(0), np.float32(0))
