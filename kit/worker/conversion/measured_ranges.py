"""Ranges for the parts of a model that quantization-aware training left out, measured on the calibration.

TensorFlow's converter quantizes either by the ranges in the graph or by a calibration; both at once gave other numbers.
So what an int8 file leaves in float gets a range in the graph, by the least and largest number of the calibration.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from kit.shared.job import JobError
from kit.shared.range_grid import Grid
from kit.worker.conversion.converter import Origin
from kit.worker.graph.fake_quant import kept_readers, left_in_float, roundings
from kit.worker.graph.freeze import Frozen
from kit.worker.graph.needed import base, data, unordered, upstream
from kit.worker.graph.stand_ins import constant_node, placed
from kit.worker.source.contract import Contract


def with_ranges(
    frozen: Frozen, left: Sequence[Sequence[str]], calls: Sequence[Sequence[np.ndarray]], grid: Grid
) -> Frozen:
    """Return the graph with a range for each tensor that was left in float.

    left: the nodes that each of them was made of; calls: what single calls take, in the order of frozen.inputs, of
    their shapes and dtypes; grid: what the ranges are rounded to.
    """
    graph = frozen.graph
    found = [node for names in left if (node := _last(graph, names)) and not _has_range(graph, node)]
    wanted = list(dict.fromkeys(found))
    if not wanted or not calls:
        return frozen
    ranges = {name: grid.settled(name, *ends) for name, ends in _measured(frozen, wanted, calls).items()}
    outputs = tuple(f"{base(name)}/range:0" if base(name) in ranges else name for name in frozen.outputs)
    return replace(frozen, graph=_ranged(graph, ranges), outputs=outputs)


def unlearned(content: bytes, contract: Contract, frozen: Frozen, origin: Origin) -> list[list[str]]:
    """Return the nodes of each tensor that a signature of an int8 file leaves in float, but those of kept variables."""
    nodes = {node.name: node for node in frozen.graph.node}
    ends = [_past(nodes, base(name)) or base(name) for name in frozen.outputs]
    outputs = {spec.name: name for spec, name in zip(contract.outputs, ends, strict=True)}
    kept = {origin.layer_of(name) for name in kept_readers(frozen)}
    left = left_in_float(content, contract.key, outputs)
    return [names for names in left if not set(origin.layers_of(names)) & kept]


def untrained(left: Sequence[Sequence[Sequence[str]]], graphs: Sequence[Frozen], origin: Origin) -> JobError:
    """Return the refusal of a model that was trained for int8 in parts and has no calibration."""
    layers = in_float(left, graphs, origin)
    return JobError(
        "recipe",
        "[quantize] scheme 'int8': the model was trained for it in parts, and no range was learned of what "
        f"{', '.join(layers[:20])} {'gives' if len(layers) == 1 else 'give'}",
        "give data to measure those on: [quantize] representative = 'samples.npz'; or train the whole model for 8 "
        "bits: tfmot.quantization.keras.quantize_model",
    )


def in_float(left: Sequence[Sequence[Sequence[str]]], graphs: Sequence[Frozen], origin: Origin) -> list[str]:
    """Return the layers that are left in float: those of which nothing was learned, where there are any."""
    names = [name for each in left for tensor in each for name in tensor]
    learned = {origin.layer_of(name) for frozen in graphs for name in roundings(frozen.graph)}
    layers = origin.layers_of(names)
    return [name for name in layers if name not in learned] or layers or names


def _last(graph: graph_pb2.GraphDef, names: Sequence[str]) -> str:
    """Return which of the nodes that became one operator comes last: its output is the operator's; "" for none."""
    nodes = {node.name: node for node in graph.node}
    there = [base(name) for name in names if base(name) in nodes]
    bare = unordered(graph)
    for name in there:
        if set(there) <= upstream(bare, [name]):
            return _past(nodes, name)
    return ""


def _past(nodes: Mapping[str, Any], name: str) -> str:
    while nodes[name].op == "Identity":
        name = base(nodes[name].input[0])
    return name if nodes[name].op not in {"Const", "Placeholder"} else ""


def _has_range(graph: graph_pb2.GraphDef, name: str) -> bool:
    """Say whether all that reads a tensor rounds it, past what hands it on."""
    rounding = set(roundings(graph))
    readers = [node for node in graph.node if name in map(base, data(node))]
    return name in rounding or (bool(readers) and all(node.name in rounding for node in readers))


def _measured(
    frozen: Frozen, names: Sequence[str], calls: Sequence[Sequence[np.ndarray]]
) -> dict[str, tuple[float, float]]:
    """Return the least and largest number of each node's first output, 0 among them.

    calls: as with_ranges has them, shapes and dtypes, too.
    """

    def imported(*feeds: Any) -> list[Any]:
        """Return the least and the largest number of each node's first output, [2] in its dtype."""
        inputs = dict(zip(frozen.inputs, feeds, strict=True))
        found = placed(frozen.graph, inputs, [f"{name}:0" for name in names])
        return [tf.stack([tf.reduce_min(tensor), tf.reduce_max(tensor)]) for tensor in found]

    run = tf.function(imported, autograph=False)
    ends = np.array([[np.asarray(pair) for pair in run(*map(tf.constant, call))] for call in calls])
    least, most = np.minimum(ends[..., 0].min(axis=0), 0), np.maximum(ends[..., 1].max(axis=0), 0)
    return {
        name: (float(low), float(high) if high > low else 1.0)
        for name, low, high in zip(names, least, most, strict=True)
    }


def _ranged(graph: graph_pb2.GraphDef, ranges: Mapping[str, tuple[float, float]]) -> graph_pb2.GraphDef:
    made = graph_pb2.GraphDef()
    made.CopyFrom(graph)
    for node in made.node:
        node.input[:] = [_behind(name, ranges) for name in node.input]
    for name, ends in ranges.items():
        own = f"{name}/range"
        made.node.extend(
            constant_node(f"{own}/{end}", np.array(value)) for end, value in zip(("min", "max"), ends, strict=True)
        )
        node = made.node.add(name=own, op="FakeQuantWithMinMaxVars", input=[name, f"{own}/min", f"{own}/max"])
        node.attr["num_bits"].i = 8
        node.attr["narrow_range"].b = False
    return made


def _behind(name: str, ranges: Collection[str]) -> str:
    first = not name.startswith("^") and name.partition(":")[2] in {"", "0"}
    return f"{base(name)}/range" if first and base(name) in ranges else name
