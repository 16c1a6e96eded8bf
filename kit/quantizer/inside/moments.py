"""What OSCAR goes by: of each channel that a dense layer is fed, the mean square over the calibration data."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from litert_quantizer.utils.tfl_flatbuffer_utils import get_op_scope

from kit.quantizer.inside.ranges import LARGEST, keep
from kit.quantizer.inside.tensors import Tensors
from kit.shared.calls import Feeds
from kit.shared.moment_grid import settled_roots
from kit.shared.range_grid import Grid

Roots = dict[str, tuple[list[float], float]]  # by tensor: the root of each channel's mean square, the largest magnitude
Moments = dict[str, dict[str, np.ndarray | int]]  # as litert-quantizer has it: "mu2" float64 [channels], "num_samples"


def dense_inputs(model: Any) -> dict[str, str]:
    """Return the name of what each dense layer of a float file (a ModelT) is fed, by its scope: of those OSCAR takes.

    It takes weights that are constants of one layer, of which each column is a channel of the layer's input.
    """
    used = Counter(tensor.buffer for graph in model.subgraphs for tensor in graph.tensors)
    found = {}
    for graph in model.subgraphs:
        readers = Counter(at for operator in graph.operators for at in operator.inputs)
        for operator in graph.operators:
            if model.operatorCodes[operator.opcodeIndex].builtinCode != schema.BuiltinOperator.FULLY_CONNECTED:
                continue
            given, weights = (graph.tensors[at] for at in operator.inputs[:2])
            constant = model.buffers[weights.buffer].data is not None and model.buffers[given.buffer].data is None
            alone = used[weights.buffer] == 1 and readers[operator.inputs[1]] == 1
            floats = given.type == weights.type == schema.TensorType.FLOAT32
            if constant and alone and floats and len(given.shape) and given.shape[-1] == weights.shape[-1]:
                found[get_op_scope(operator, graph.tensors)] = given.name.decode()
    return found


def measure_roots(content: bytes, calls: Mapping[str, Iterable[Feeds]], names: Collection[str]) -> Roots:
    """Return what some tensors come to, of those that the calls calculate. calls: by signature, each by input name
    [...] in its dtype."""
    tensors = Tensors.of(content)
    sums: dict[str, np.ndarray] = {}
    counts, reach = Counter[str](), dict[str, float]()
    for signature, rows in calls.items():
        for call in rows:
            for name, value in tensors.values(signature, call, names):
                if value.ndim and value.size:
                    counted = np.where(np.abs(value) < LARGEST, value, np.float32(0)).astype(np.float64)
                    counted = counted.reshape(-1, value.shape[-1])
                    sums[name] = sums.get(name, 0.0) + np.sum(counted * counted, axis=0)
                    counts[name] += len(counted)
                    reach[name] = max(reach.get(name, 0.0), float(np.abs(counted).max()))
    roots = {name: [math.sqrt(each / counts[name]) for each in total.tolist()] for name, total in sums.items()}
    return {name: (roots[name], reach[name]) for name in roots if reach[name]}


def kept_roots(place: Path, make: Callable[[], Roots]) -> Roots:
    """Return what a file keeps, made and kept where it is not there."""
    if not place.exists():
        keep(place, make())
    return {name: (roots, reach) for name, (roots, reach) in json.loads(place.read_text("utf-8")).items()}


def settled_moments(roots: Roots, grid: Grid, given: Collection[str]) -> Moments:
    """Return the mean squares on the grid, float64 [channels] each; the tensors that are given are no sums."""
    settled = {
        name: np.array(settled_roots(grid, name, each, 0.0 if name in given else reach))
        for name, (each, reach) in roots.items()
    }
    return {name: {"mu2": each * each, "num_samples": 1} for name, each in settled.items()}
