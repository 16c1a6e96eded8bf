"""Constants of a graph that follow from others by arithmetic, in double precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kit.worker.graph.stand_ins import value_of

_ARITHMETIC = {"Add": np.add, "AddV2": np.add, "Sub": np.subtract, "Mul": np.multiply, "RealDiv": np.divide}


def folded(name: str, nodes: Mapping[str, Any]) -> np.ndarray | None:
    """Return a node's value in its shape, float64, where it follows from float constants by arithmetic, else None."""
    base, _, port = name.removeprefix("^").partition(":")
    node = nodes.get(base)
    if node is None or port not in {"", "0", "output"} or name.startswith("^"):
        return None
    if node.op == "Const":
        values = value_of(node)
        return values.astype(np.float64) if values.dtype == np.float32 else None
    inputs = [i for i in node.input if not i.startswith("^")]
    if node.op == "Identity":
        return folded(inputs[0], nodes)
    if node.op == "Rsqrt":
        under = folded(inputs[0], nodes)
        return None if under is None else np.asarray(1 / np.sqrt(under))
    if node.op in _ARITHMETIC:
        left = folded(inputs[0], nodes)
        right = None if left is None else folded(inputs[1], nodes)  # not both: they may have much in common
        if left is not None and right is not None:
            return np.asarray(_ARITHMETIC[node.op](left, right))
    return None
