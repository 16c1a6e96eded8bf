"""Is an input normalized twice: by the recipe's mean and std, and by what stands directly behind it in the model?

Looks at the graph, so it finds a Rescaling, a Normalization, a batch norm and plain arithmetic, in any format of a
model and inside nested ones. What counts is the factor that pixels get: what makes small numbers of 0..255 takes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from kit.shared.job import DYNAMIC, Job, JobError, TensorSpec
from kit.worker.conversion.converter import Origin
from kit.worker.graph.freeze import Frozen
from kit.worker.graph.needed import base, data, downstream
from kit.worker.graph.stand_ins import placed
from kit.worker.source.contract import Contract

# A factor of at most this makes 25 of 255: the layer takes pixels. Rescaling(1 / 255) has .004, Rescaling(2, -1),
# which takes 0..1, has 2.
PIXELS = 0.1
WHITE = 255.0
_SIDE = 32  # of an open axis
_SAME = {"Identity", "Cast", "Reshape", "Transpose", "ExpandDims", "Squeeze", "ReverseV2", "StridedSlice", "GatherV2"}
_SAME |= {"Pad", "PadV2", "MirrorPad", "ResizeBilinear", "ResizeNearestNeighbor", "StopGradient"}
_ARITHMETIC = {"Mul", "Sub", "AddV2", "Add", "RealDiv", "Div", "BiasAdd"}


def scaled_inputs(job: Job, contract: Contract, frozen: Frozen) -> dict[str, str]:
    """Return the image inputs whose pixels the model itself scales, with the last node that does."""
    images = {request.name for request in job.inputs if request.image}
    found = {
        spec.name: _scaling(frozen.unfolded, name, spec)
        for spec, name in zip(contract.inputs, frozen.inputs, strict=True)
        if spec.name in images
    }
    return {name: node for name, node in found.items() if node}


def refuse_twice(job: Job, scaled: Mapping[str, str], origin: Origin) -> list[str]:
    """Refuse an input whose pixels the recipe normalizes, and the model once more; without the gate return notes.

    scaled: what scaled_inputs gives. Raises JobError (kind "check").
    """
    normalized = {request.name for request in job.inputs if request.normalized}
    found = []
    for name, node in scaled.items():
        if name in normalized:
            layer = origin.layer_of(node)
            where = f"layer '{layer}' ({node})" if layer else f"'{node}'"
            found.append(
                f"input '{name}' is normalized twice: by mean and std of the recipe, and by {where} inside the "
                "model, which takes pixels 0..255"
            )
    if found and job.gate:
        raise JobError(
            "check",
            "; ".join(found),
            "leave mean and std out of that [[inputs]]; or, where the model was trained so, write "
            "double_normalization = true there",
        )
    return found


def _scaling(graph: graph_pb2.GraphDef, name: str, spec: TensorSpec) -> str:
    """Return the last node of the arithmetic behind an input that makes small numbers of pixels, "" for none."""
    for chain in _chains(graph, base(name)):
        slope = _slope(graph, name, spec, chain[-1])
        if 0 < slope <= PIXELS:
            return chain[-1]
    return ""


def _chains(graph: graph_pb2.GraphDef, start: str) -> Iterator[list[str]]:
    """Yield the ways from an input through arithmetic with constants alone, each to its last arithmetic."""
    nodes = {node.name: node for node in graph.node}
    inside = downstream(graph, [start])
    # What depends on any input, or on a variable that the app may assign, is no constant.
    fed = downstream(graph, [node.name for node in graph.node if node.op == "Placeholder"])
    readers: dict[str, list[str]] = {}
    for node in graph.node:
        for each in data(node):
            readers.setdefault(base(each), []).append(node.name)

    def walk(at: str, way: list[str]) -> Iterator[list[str]]:
        further = False
        for reader in readers.get(at, []):
            node = nodes[reader]
            own = [each for each in data(node) if base(each) in fed]
            if any(base(each) not in inside for each in own):
                continue
            if node.op in _ARITHMETIC and len(own) == 1:
                further = True
                yield from walk(reader, [*way, reader])
            elif node.op in _SAME and own == data(node)[:1]:
                further = True
                yield from walk(reader, way)
        if not further and way:
            yield way

    yield from walk(start, [])


def _slope(graph: graph_pb2.GraphDef, name: str, spec: TensorSpec, node: str) -> float:
    """Return the largest factor that the way to a node puts on the input's values."""

    def run(value: object) -> object:
        (found,) = placed(graph, {name: value}, [f"{node}:0"])
        return found

    shape = [_SIDE if size == DYNAMIC else size for size in spec.shape]
    shape[:1] = [1] if spec.batched else shape[:1]
    kind = tf.as_dtype(spec.dtype)
    whole = tf.compat.v1.wrap_function(run, [tf.TensorSpec(shape, kind)])
    ends = [np.asarray(whole(tf.cast(tf.fill(shape, value), kind)), np.float64) for value in (0.0, WHITE)]
    return float(np.abs(ends[1] - ends[0]).max(initial=0.0)) / WHITE
