"""What TFLite's kernels refuse when the file runs, said before it is made: by layer, with what to change."""

from __future__ import annotations

from typing import Any

import numpy as np
from tensorflow.python.framework import tensor_util

from kit.worker.convert import Origin
from kit.worker.job import JobError
from kit.worker.needed import base

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
                f"{_where(layer, node.name)} has a Fourier transform of length {length}, "
                "and TFLite's takes powers of two",
                f"build the model with fft_length = {1 << length.bit_length()}, which pads frames of {length}"
                + (f"; or let the app do that step: {origin.cut(layer)}" if layer else ""),
            )


def refuse_loops(origin: Origin) -> None:
    """Raise JobError for a loop, as recurrent layers are: calibrated for int8, it ends TensorFlow's converter."""
    for frozen in origin.graphs:
        for node in frozen.graph.node:
            if node.op in {"While", "StatelessWhile"}:
                layer = origin.layer_of(node.name)
                raise JobError(
                    "model",
                    f"{_where(layer, node.name)} is a loop, which TensorFlow's "
                    "converter cannot calibrate for int8: it ends with a segmentation fault",
                    'use scheme = "dynamic": 8-bit weights, and the loop calculates in float',
                )


def _where(layer: str, node: str) -> str:
    return f"layer '{layer}'" if layer else f"operation '{node}'"


def _constant(node: Any) -> list[int] | None:
    if node is None or node.op != "Const":
        return None
    return [int(n) for n in np.ravel(tensor_util.MakeNdarray(node.attr["value"].tensor))]
