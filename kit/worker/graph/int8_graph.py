"""What has to change in a frozen graph before TensorFlow's quantizer sees it, so that 8 bits are enough for it.

An operator may lay its output's range on what it takes, which then is cut off for everything else that uses it; ids
that are cast to float and back become other ids; and beside a mask's -1e9 before a softmax, 256 steps leave nothing of
the scores. `int8_file` mends what is wrong in the file itself. docs/quantization.md has all of it, measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2, node_def_pb2

from kit.shared.lazy import mapped
from kit.worker.graph.freeze import Frozen
from kit.worker.graph.int8_activations import with_small_ranges
from kit.worker.graph.needed import base, full
from kit.worker.graph.stand_ins import constant_node, make_constant, placed, value_of

Arrays = Mapping[str, np.ndarray]

# One scale for what they take and give, which is the output's: which inputs hold values.
_NARROWING = {"Select": (1, 2), "SelectV2": (1, 2), "Maximum": (0, 1), "Minimum": (0, 1)}
# Through which the quantizer carries a scale back: which inputs hold values, all where None.
_CARRYING: dict[str, tuple[int, ...] | None] = {
    **dict.fromkeys(
        (
            "BatchToSpaceND BroadcastTo DepthToSpace ExpandDims GatherNd GatherV2 Identity Max MaxPool Min MirrorPad"
            " Pad PadV2 Reshape ResizeNearestNeighbor ReverseV2 Slice SpaceToBatchND SpaceToDepth SplitV Squeeze"
            " StridedSlice Tile Transpose Unpack"
        ).split(),
        (0,),
    ),
    "Split": (1,),
    "ConcatV2": None,
    "Pack": None,
    **_NARROWING,
}
_ALMOST_ONE = np.array(1 + 2**-22, np.float32)  # a factor of exactly 1 is folded away
_LARGE = 1e4  # from here on a negative constant before a softmax is a mask's
_CALLS = 128  # so many of the calibration's show the scores' range
_UNMEASURED = -32.0  # where the scores cannot be looked at: behind kept variables
_LITTLE = 8.0  # exp(-8) of the largest is less than a tenth of a softmax's step in 8 bits


def for_int8(frozen: Frozen, calls: Sequence[Mapping[str, np.ndarray]], names: Sequence[str]) -> Frozen:
    """Return the graph with a scale of its own for whatever needs one, and masks that 8 bits can hold.

    calls: the calibration, what single calls take by the inputs' names, of their shapes and dtypes; names: those, in
    the order of frozen.inputs. Functions inside the graph (the bodies of loops) stay as they are: TensorFlow's
    quantizer leaves them alone, too.
    """
    graph = _bounded(frozen, mapped(lambda call: [call[name] for name in names], calls))
    return replace(frozen, graph=_separated(_leaky(_whole(with_small_ranges(graph))), frozen.outputs))


# ---------------------------------------------------------------- ranges


def _separated(graph: graph_pb2.GraphDef, outputs: Sequence[str]) -> graph_pb2.GraphDef:
    """Put a product between a narrowing operator and a tensor that others use, too: it has two scales."""
    uses = Counter(base(each) for node in graph.node for each in node.input if not each.startswith("^"))
    uses.update(base(name) for name in outputs)
    made = graph_pb2.GraphDef()
    made.CopyFrom(graph)
    nodes = {node.name: node for node in made.node}  # with the products: no chain of operators needs two
    for node in list(made.node):
        if node.op not in _NARROWING or node.attr["T"].type != tf.float32.as_datatype_enum:
            continue
        for at in _NARROWING[node.op]:
            if _forked(node.input[at], nodes, uses):
                own = f"{node.name}/own_scale_{at}"
                added = [constant_node(f"{own}/one", _ALMOST_ONE), _product(own, node.input[at], f"{own}/one")]
                made.node.extend(added)
                nodes |= {each.name: each for each in added}
                uses[own] = 1
                node.input[at] = own
    return made


def _forked(name: str, nodes: Mapping[str, Any], uses: Mapping[str, int]) -> bool:
    """Say whether something else reads a tensor, or one that it is a copy of."""
    waiting, seen = [base(name)], set[str]()
    while waiting:
        node = nodes[waiting.pop()]
        if node.name in seen or node.op == "Const":
            continue
        seen.add(node.name)
        if uses[node.name] > 1:
            return True
        waiting.extend(_carried(node))
    return False


def _carried(node: Any) -> list[str]:
    """Return the nodes whose scale is this one's."""
    if node.op not in _CARRYING:
        return []
    values = [each for each in node.input if not each.startswith("^")]
    at = _CARRYING[node.op]
    if at is None:  # ConcatV2's last input is its axis
        return [base(each) for each in (values[:-1] if node.op == "ConcatV2" else values)]
    return [base(values[i]) for i in at]


def _leaky(graph: graph_pb2.GraphDef) -> graph_pb2.GraphDef:
    """Make max(x, a * x) the leaky ReLU that it is: one operator, whose output has a scale of its own."""
    nodes = {node.name: node for node in graph.node}
    made = graph_pb2.GraphDef()
    made.CopyFrom(graph)
    for node in made.node:
        found = _slope(node, nodes) if node.op == "Maximum" else None
        if found is not None:
            x, slope = found
            controls = [each for each in node.input if each.startswith("^")]
            node.op, node.input[:] = "LeakyRelu", [x, *controls]
            node.attr["alpha"].f = slope
    return made


def _slope(node: Any, nodes: Mapping[str, Any]) -> tuple[str, float] | None:
    """Return x and a of max(x, a * x) where a is in 0..1, else None."""
    for x, other in (node.input[:2], node.input[1::-1]):
        product = nodes[base(other)]
        if product.op != "Mul" or x not in product.input[:2]:
            continue
        slope = _value(product.input[0] if product.input[1] == x else product.input[1], nodes)
        if slope is not None and slope.size == 1 and 0 <= slope.item() < 1:
            return x, slope.item()
    return None


# ---------------------------------------------------------------- whole numbers


_SHAPING = {"BroadcastTo", "ExpandDims", "Identity", "Reshape", "Slice", "Squeeze", "StridedSlice", "Tile", "Transpose"}


def _whole(graph: graph_pb2.GraphDef) -> graph_pb2.GraphDef:
    """Leave ids whole numbers that are cast to float and back: 8 bits would make other ids of them."""
    nodes = {node.name: node for node in graph.node}
    made = graph_pb2.GraphDef()
    made.CopyFrom(graph)
    for node in made.node:
        if node.op == "Cast" and _is_whole(node.attr["DstT"].type) and not _is_whole(node.attr["SrcT"].type):
            chain = _shaped(node.input[0], nodes)
            if chain is not None:
                dtype, source = chain[-1].attr["SrcT"].type, chain[-1].input[0]
                for step in reversed(chain[:-1]):
                    own = made.node.add()
                    own.CopyFrom(step)
                    own.name, own.input[0], own.attr["T"].type = f"{node.name}/whole/{step.name}", source, dtype
                    source = own.name
                node.input[0], node.attr["SrcT"].type = source, dtype
    return made


def _shaped(name: str, nodes: Mapping[str, Any]) -> list[Any] | None:
    """Return the nodes from a tensor back to the cast that made whole numbers float; None where there is none."""
    chain = [nodes[base(name)]]
    while chain[-1].op in _SHAPING:
        chain.append(nodes[base(chain[-1].input[0])])
    cast = chain[-1]
    made = cast.op == "Cast" and _is_whole(cast.attr["SrcT"].type) and cast.attr["DstT"].type == tf.float32
    return chain if made else None


def _is_whole(number: int) -> bool:
    return bool(tf.as_dtype(number).is_integer)


# ---------------------------------------------------------------- masks


def _bounded(frozen: Frozen, calls: Sequence[Sequence[np.ndarray]]) -> graph_pb2.GraphDef:
    """Return the graph with each mask's constant as small as its softmax can do with, by the calibration's scores.

    calls: what single calls take in the order of frozen.inputs, of their shapes and dtypes.
    """
    nodes = {node.name: node for node in frozen.graph.node}
    masks: dict[str, set[str]] = {}  # the tensors that softmaxes take, by the constant that masks them
    for node in frozen.graph.node:
        if node.op == "Softmax":
            for constant in _masks(node.input[0], nodes):
                masks.setdefault(constant, set()).add(node.input[0])
    taken = sorted(set[str]().union(*masks.values()))
    if not taken or not calls or frozen.kept:
        return _with_masks(frozen.graph, dict.fromkeys(masks, _UNMEASURED))
    run = _function(frozen, frozen.graph, taken)
    floors = _floors(run, taken, calls)
    # What is added may be scaled before it comes to the softmax: then more of it is needed.
    for times in (1, 4, 16, 64, 256):
        made = _with_masks(frozen.graph, {name: times * min(floors[t] for t in masks[name]) for name in masks})
        if _same(run, _function(frozen, made, taken), calls):
            return made
    return frozen.graph


def _with_masks(graph: graph_pb2.GraphDef, floors: Mapping[str, float]) -> graph_pb2.GraphDef:
    made = graph_pb2.GraphDef()
    made.CopyFrom(graph)
    for node in made.node:
        if node.name in floors:
            values = value_of(node)
            bounded = np.where(values <= -_LARGE, np.float32(floors[node.name]), values)
            make_constant(node, bounded.astype(np.float32))
    return made


def _same(run: Any, other: Any, calls: Sequence[Sequence[np.ndarray]]) -> bool:
    """Say whether softmaxes of two graphs are the same within a step of 8 bits, but for rows that are all masked.

    calls: as _bounded has them. run, other: give each softmax's input, [..., scores] in its dtype.
    """
    for call in calls[:_CALLS]:
        feeds = [tf.constant(array) for array in call]
        for before, after in zip(run(*feeds), other(*feeds), strict=True):
            rows = np.asarray(before).max(axis=-1) > -_LARGE / 2
            if np.abs(tf.nn.softmax(before).numpy() - tf.nn.softmax(after).numpy())[rows].max(initial=0) > 1 / 256:
                return False
    return True


def _masks(name: str, nodes: Mapping[str, Any]) -> Iterator[str]:
    """Yield the constants with a mask's large negative number that are added to a tensor or put into it."""
    waiting, seen = [base(name)], set[str]()
    while waiting:
        node = nodes[waiting.pop()]
        if node.name in seen:
            continue
        seen.add(node.name)
        if node.op == "Const":
            value = _value(node.name, nodes)
            if value is not None and (value <= -_LARGE).any() and (value < _LARGE).all():
                yield node.name
        elif node.op in _MASKING:
            waiting.extend(base(each) for each in node.input if not each.startswith("^"))


_MASKING = set(
    "Add AddV2 BroadcastTo Cast ExpandDims Identity Mul Reshape Select SelectV2 Squeeze StridedSlice Sub Tile"
    " Transpose".split()
)


def _floors(run: Any, taken: Sequence[str], calls: Sequence[Sequence[np.ndarray]]) -> dict[str, float]:
    """Return for each softmax's input what a masked score may have added: its row's largest is far above it.

    The largest score of all rows stands for what a masked one was: that is not to be seen behind -1e9.

    calls: as _bounded has them. run: gives each softmax's input, [..., scores] in its dtype.
    """
    largest = [-np.inf] * len(taken)
    least = [np.inf] * len(taken)  # of the rows' largest
    for call in calls[:_CALLS]:
        for at, scores in enumerate(run(*(tf.constant(array) for array in call))):
            rows = np.asarray(scores, np.float64).max(axis=-1)
            rows = rows[rows > -_LARGE / 2]  # a row that is masked throughout means nothing
            if rows.size:
                largest[at], least[at] = max(largest[at], rows.max()), min(least[at], rows.min())
    return {
        name: float(np.floor(low - high - _LITTLE)) if np.isfinite(low) else _UNMEASURED
        for name, low, high in zip(taken, least, largest, strict=True)
    }


def _function(frozen: Frozen, graph: graph_pb2.GraphDef, taken: Sequence[str]) -> Any:
    def imported(*feeds: Any) -> list[Any]:
        """Return the tensors that are taken, each in its shape and dtype, for the graph's inputs in order."""
        inputs = dict(zip(frozen.inputs, feeds, strict=True))
        return placed(graph, inputs, list(map(full, taken)))

    return tf.function(imported, autograph=False)


def large(frozen: Frozen) -> list[str]:
    """Return a sentence for each place where a number remains that is far larger than what it stands beside."""
    nodes = {node.name: node for node in frozen.graph.node}
    found = {}
    for node in frozen.graph.node:
        if node.op not in _ADDING:
            continue
        for name in node.input[1:] if node.op in _PUTTING else node.input[:2]:
            value = _added(name, nodes)
            if value is not None and np.abs(value).max(initial=0) >= _LARGE:
                found[node.name] = float(value.flat[np.abs(value).argmax()])
    return [
        f"int8: '{name}' brings in {number:.3g}, and 256 steps over such a range leave little of smaller numbers"
        for name, number in found.items()
    ]


_PUTTING = {"PadV2", "Select", "SelectV2"}
_ADDING = {"Add", "AddV2", "Sub"} | _PUTTING


def _added(name: str, nodes: Mapping[str, Any]) -> np.ndarray | None:
    """Return a constant, or that of a mask's product (1 - mask) * -1e9, float32 of its own shape, else None."""
    node = nodes[base(name)]
    if node.op == "Mul":
        values = [_value(each, nodes) for each in node.input[:2]]
        return next((value for value in values if value is not None), None)
    return _value(name, nodes)


# ---------------------------------------------------------------- nodes


def _value(name: str, nodes: Mapping[str, Any]) -> np.ndarray | None:
    """Return a float32 constant's value in its shape, behind any Identity, else None."""
    node = nodes[base(name)]
    while node.op == "Identity":
        node = nodes[base(node.input[0])]
    if node.op != "Const" or node.attr["dtype"].type != tf.float32.as_datatype_enum:
        return None
    return value_of(node)


def _product(name: str, left: str, right: str) -> Any:
    node = node_def_pb2.NodeDef(name=name, op="Mul", input=[left, right])
    node.attr["T"].type = tf.float32.as_datatype_enum
    return node
