"""What TFLite's kernels refuse when the file runs, said before it is made: by layer, with what to change."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from kit.shared.job import Job, JobError
from kit.worker.conversion.converter import Origin
from kit.worker.graph.freeze import Frozen
from kit.worker.graph.needed import base, data
from kit.worker.graph.stand_ins import value_of
from kit.worker.graph.unroll import OpenLoopError, Unrolled, unrolled
from kit.worker.source.contract import Contract

STEPS = 256  # of all loops together: docs/recurrent.md has what a step costs
_WAYS_OUT = (
    'use scheme = "dynamic": 8-bit weights, and the loop calculates in float; '
    "or, where the model leaves the length open, give a fixed one: [[inputs]] shape; "
    "or let a forward layer take one step a call: [model] streaming = true"
)
_FFT = {"RFFT", "RFFT2D", "IRFFT", "FFT", "IFFT"}


def refuse_lengths(origin: Origin) -> None:
    """Raise JobError for a Fourier transform whose length is no power of two: TFLite's kernel takes no other."""
    for frozen in origin.graphs:
        nodes = {node.name: node for node in frozen.graph.node}
        for node in frozen.graph.node:
            lengths = _constant(nodes.get(base(node.input[1]))) if node.op in _FFT and len(node.input) > 1 else None
            if lengths is None or all(length > 0 and length & (length - 1) == 0 for length in lengths):
                continue
            length = int(next(n for n in lengths if n & (n - 1)))
            layer = origin.layer_of(node.name)
            raise JobError(
                "model",
                f"{where(layer, node.name)} has a Fourier transform of length {length}, "
                "and TFLite's takes powers of two",
                f"build the model with fft_length = {1 << length.bit_length()}, which pads frames of {length}"
                + (f"; or let the app do that step: {origin.cut(layer)}" if layer else ""),
            )


def without_loops(job: Job, frozen: Frozen, origin: Origin) -> Unrolled:
    """Return a graph with its loops, as recurrent layers are, written out: TensorFlow cannot calibrate one for int8.

    Other schemes keep them. Raises JobError for a loop whose steps cannot be counted beforehand, or are too many.
    """
    if job.scheme != "int8" or job.fused_lstm:
        return Unrolled(frozen, {})
    try:
        return unrolled(frozen, STEPS)
    except OpenLoopError as error:
        layer = origin.layer_of(error.node)
        raise JobError(
            "model",
            f"{where(layer, error.node)} is a loop, which int8 takes only written out, step by step: {error.cause}",
            _WAYS_OUT,
        ) from error


def refuse_masked(contract: Contract, frozen: Frozen, io: str) -> None:
    """Raise JobError for an 8-bit input that the model compares with a number: that number would set its range."""
    nodes = {node.name: node for node in frozen.graph.node}
    names = {base(each): spec.name for spec, each in zip(contract.inputs, frozen.inputs, strict=True)}
    for node in frozen.graph.node:
        if node.op not in {"Equal", "NotEqual"} or node.attr["T"].type != tf.float32.as_datatype_enum:
            continue
        for one, other in (data(node), data(node)[::-1]):
            number, source = nodes[base(other)], nodes[base(one)]
            while source.op in _COPYING:
                source = nodes[base(source.input[0])]
            if number.op == "Const" and source.name in names:
                value = float(np.ravel(value_of(number))[0])
                raise JobError(
                    "recipe",
                    f"[quantize] io = '{io}': the input '{names[source.name]}' has {value:g} where a step is missing, "
                    "and 8 bits cannot hold that beside the data",
                    'leave io out, or write io = "float32": what is behind the mask calculates in 8 bits all the same',
                )


_COPYING = {"ExpandDims", "Identity", "Reshape", "Squeeze", "Transpose"}


def where(layer: str, node: str) -> str:
    """Return what a message calls a place in the model: its layer, else the node of the trace."""
    return f"layer '{layer}'" if layer else f"operation '{node}'"


def _constant(node: Any) -> list[int] | None:
    if node is None or node.op != "Const":
        return None
    return [int(n) for n in np.ravel(value_of(node))]
