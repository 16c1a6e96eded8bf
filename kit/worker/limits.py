"""What TFLite's kernels refuse when the file runs, said before it is made: by layer, with what to change."""

from __future__ import annotations

from typing import Any

import numpy as np
from tensorflow.python.framework import tensor_util

from kit.worker.convert import Origin
from kit.worker.freeze import Frozen
from kit.worker.job import JobError
from kit.worker.needed import base
from kit.worker.unroll import OpenLoop, Unrolled, unrolled

STEPS = 256  # of all loops together: docs/recurrent.md has what a step costs
_WAYS_OUT = (
    'use scheme = "dynamic": 8-bit weights, and the loop calculates in float; '
    "or give the sequence a fixed and shorter length: [[inputs]] shape"
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


def without_loops(frozen: Frozen, origin: Origin) -> Unrolled:
    """Return a graph with its loops, as recurrent layers are, written out: TensorFlow cannot calibrate one for int8.

    Raises JobError for a loop whose steps cannot be counted beforehand, or are too many.
    """
    try:
        return unrolled(frozen, STEPS)
    except OpenLoop as error:
        layer = origin.layer_of(error.node)
        raise JobError(
            "model",
            f"{where(layer, error.node)} is a loop, which int8 takes only written out, step by step: {error.cause}",
            _WAYS_OUT,
        ) from error


def where(layer: str, node: str) -> str:
    """Return what a message calls a place in the model: its layer, else the node of the trace."""
    return f"layer '{layer}'" if layer else f"operation '{node}'"


def _constant(node: Any) -> list[int] | None:
    if node is None or node.op != "Const":
        return None
    return [int(n) for n in np.ravel(tensor_util.MakeNdarray(node.attr["value"].tensor))]
