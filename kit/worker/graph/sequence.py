"""Parts of a sequence, and what can be calculated for all of them at once instead of step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf


@dataclass(frozen=True, eq=False)
class Part:
    """One step of a tensor [steps, ...], which is taken out of it only where it is needed alone."""

    whole: Any
    at: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Part) and self.whole is other.whole and self.at == other.at

    def __hash__(self) -> int:
        return hash((id(self.whole), self.at))


@dataclass(frozen=True)
class Pair:
    """What an operation takes that can be calculated for a whole sequence at once."""

    part: Part
    constant: Any
    first: bool  # the part is the first operand


_EACH = {"BiasAdd", "Add", "AddV2", "Mul", "Sub"}  # number by number
_SAMPLES = {"MatMul", "Conv2D"}  # sample by sample: steps count as samples


def pair_of(node: Any, inputs: Sequence[Any], constant: Callable[[Any], bool]) -> Pair | None:
    """Return the operands of what can be calculated at once, None for everything else.

    inputs: tensors, or parts of one, of any shape and dtype. constant: says whether a value hangs on constants alone.
    """
    if node.op not in _EACH | _SAMPLES or len(inputs) != 2:
        return None
    left, right = inputs
    if isinstance(left, Part) and constant(right):
        pair = Pair(left, right, first=True)
    elif node.op in _EACH and isinstance(right, Part) and constant(left):
        pair = Pair(right, left, first=False)
    else:
        return None
    return pair if _fits(node, pair) else None


def _fits(node: Any, pair: Pair) -> bool:
    shape, other = pair.part.whole.shape, pair.constant.shape
    if not shape.is_fully_defined() or not other.is_fully_defined():
        return False
    if node.op in _SAMPLES:
        return node.op != "MatMul" or not node.attr["transpose_a"].b
    if node.op == "BiasAdd":
        return node.attr["data_format"].s in {b"", b"NHWC"}
    return bool(other.rank < shape.rank and tf.broadcast_static_shape(shape[1:], other) == shape[1:])


def over_all(node: Any, pair: Pair, name: str) -> Any:
    """Calculate a node for every step at once, in the default graph; return [steps, ...] in its dtype."""
    whole = pair.part.whole
    if node.op not in _SAMPLES:
        return _made(node, [whole, pair.constant] if pair.first else [pair.constant, whole], name)
    steps, samples, *rest = whole.shape.as_list()
    flat = tf.reshape(whole, [steps * samples, *rest], name=f"{name}/flat")
    made = _made(node, [flat, pair.constant], name)
    return tf.reshape(made, [steps, samples, *made.shape.as_list()[1:]], name=f"{name}/steps")


def parts_of(whole: Any) -> list[Any]:
    """Return the steps of a tensor [steps, ...], each [...] in its dtype, in the default graph.

    By a Split where the shape is known, which int8 can do.
    """
    name = f"{whole.op.name}/parts"
    if (
        whole.shape.rank < 2 or not whole.shape.is_fully_defined() or not whole.dtype.is_floating
    ):  # TFLite's has no bool
        return list(tf.unstack(whole, axis=0, name=name))
    steps, samples, *rest = whole.shape.as_list()
    return list(tf.split(tf.reshape(whole, [steps * samples, *rest], name=f"{name}/flat"), steps, name=name))


def _made(node: Any, inputs: list[Any], name: str) -> Any:
    """Write a node's operation on inputs, of any shape and dtype, into the default graph; return its first output."""
    graph = tf.compat.v1.get_default_graph()
    return graph.create_op(node.op, inputs, None, name=name, attrs=attributes_of(node)).outputs[0]


def attributes_of(node: Any) -> dict[str, Any]:
    """Return a node's attributes, without what is true in its own graph alone."""
    return {key: value for key, value in node.attr.items() if key not in {"_class", "_output_shapes"}}
