"""Small graphs, one for each kind of operator that Keras models contain, converted to int8 as the kit does it.

Runs in a toolchain: `python operator_graphs.py FOLDER CASE...`, with kit on PYTHONPATH. A case is KIND/CONTEXT. Writes
FOLDER/KIND/CONTEXT/{model.tflite, arrays.npz} and prints one JSON line a case; `--plain` before the first case leaves
out what the kit changes for int8. A conversion may end the process: whoever called starts it again.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.compiler.tf2xla.python.xla import dynamic_update_slice

from kit.worker.graph.freeze import freeze
from kit.worker.graph.int8_graph import for_int8
from kit.worker.tflite_file.int8_file import mended

CALIBRATION, TEST = 64, 32  # samples
LARGER = 20.0  # how much larger the other branch's range is

Build = Callable[[Any], Any]
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


@dataclass(frozen=True)
class Kind:
    """An operator: what it makes of one float tensor (or of ids), and values that it can take."""

    build: Build
    shape: tuple[int, ...]  # of one sample
    draw: Draw
    ids: bool = False  # takes int32


# ---------------------------------------------------------------- values


def signed(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return values in -1..1."""
    values: np.ndarray = rng.uniform(-1, 1, shape).astype(np.float32)
    return values


def positive(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return values in 0.5..2."""
    return rng.uniform(0.5, 2, shape).astype(np.float32)


def halves(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return -2.5, -1.5, ... 2.5: far from where rounding and comparing change their result."""
    return (rng.integers(-3, 3, shape) + 0.5).astype(np.float32)


def fifths(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return whole numbers and a fifth: far from where round() changes its result."""
    values: np.ndarray = (rng.integers(-3, 3, shape) + rng.choice([0.0, 0.2], shape)).astype(np.float32)
    return values


def apart(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return different values along the last axis, far from each other, for what looks for the largest."""
    order = np.argsort(rng.uniform(0, 1, shape), axis=-1)
    return (order * 2.0 / shape[-1] - 1).astype(np.float32)


def ids(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return int32 in 0..3."""
    return rng.integers(0, 4, shape).astype(np.int32)


def thousand(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return int32 in 0..999."""
    return rng.integers(0, 1000, shape).astype(np.int32)


# ---------------------------------------------------------------- kinds

IMAGE, ROW, SERIES = (4, 4, 8), (8,), (4, 8)


def _constant(*shape: int, low: float = -1, high: float = 1) -> Any:
    return tf.constant(np.random.default_rng(3).uniform(low, high, shape).astype(np.float32))


def _image(build: Build, draw: Draw = signed) -> Kind:
    return Kind(build, IMAGE, draw)


def _row(build: Build, draw: Draw = signed) -> Kind:
    return Kind(build, ROW, draw)


def _series(build: Build, draw: Draw = signed) -> Kind:
    return Kind(build, SERIES, draw)


def _of_ids(build: Build, *shape: int) -> Kind:
    return Kind(build, shape or (4,), ids, ids=True)


def _floats(build: Build, draw: Draw, shape: tuple[int, ...] = IMAGE) -> Kind:
    """Return a kind whose result is whole numbers or truth values: a model casts them to use them."""
    return Kind(lambda x: tf.cast(build(x), tf.float32), shape, draw)


_CAUSAL = tf.constant([[True] * 5 + [False] * 3])
_TABLE = _constant(4, 8)
COPYING = {
    "REVERSE_V2": _image(lambda x: tf.reverse(x, [1])),
    "GATHER": _image(lambda x: tf.gather(x, [2, 0, 1], axis=2)),
    "GATHER_ND": _image(lambda x: tf.gather_nd(x, tf.constant([[[0, 1], [2, 3]]]), batch_dims=1)),
    "PAD": _image(lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])),
    "PADV2": _image(lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=0.5)),
    "PADV2 large": _image(lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=20.0)),
    "MIRROR_PAD reflect": _image(lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "REFLECT")),
    "MIRROR_PAD symmetric": _image(lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")),
    "TRANSPOSE": _image(lambda x: tf.transpose(x, [0, 2, 3, 1])),
    "RESHAPE": _image(lambda x: tf.reshape(x, [1, 8, 16])),
    "SQUEEZE": Kind(lambda x: tf.squeeze(x, [2]), (4, 1, 8), signed),
    "EXPAND_DIMS": _series(lambda x: tf.expand_dims(x, 1)),
    "SLICE": _image(lambda x: tf.slice(x, [0, 1, 1, 0], [1, 2, 2, 8])),
    "STRIDED_SLICE": _image(lambda x: x[:, ::2, 1:, :]),
    "STRIDED_SLICE backwards": _image(lambda x: x[:, ::-1]),
    "SPLIT": _image(lambda x: tf.split(x, 2, axis=-1)[1]),
    "SPLIT_V": _image(lambda x: tf.split(x, [3, 5], axis=-1)[1]),
    "UNPACK": _image(lambda x: tf.unstack(x, axis=1)[2]),
    "PACK": _series(lambda x: tf.stack([x, x[:, ::1] * 0.5], axis=1)),
    "TILE": _image(lambda x: tf.tile(x, [1, 2, 1, 1])),
    "BROADCAST_TO": Kind(lambda x: tf.broadcast_to(x, [1, 4, 4, 8]), (1, 4, 8), signed),
    "SPACE_TO_DEPTH": _image(lambda x: tf.nn.space_to_depth(x, 2)),
    "DEPTH_TO_SPACE": _image(lambda x: tf.nn.depth_to_space(x, 2)),
    "SPACE_TO_BATCH_ND": _image(lambda x: tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]])),
    "BATCH_TO_SPACE_ND": _image(
        lambda x: tf.batch_to_space(tf.concat([x, x * 0.5, x, x], 0), [2, 2], [[0, 0], [0, 0]])
    ),
    "CONCATENATION": _image(lambda x: tf.concat([x, x * 0.1], -1)),
    "SELECT": _row(lambda x: tf.compat.v1.where(x > 0.0, x, x * 0.25)),
    "SELECT_V2 of two": _image(lambda x: tf.where(tf.constant([True, False] * 4), x, x * 0.25)),
    "SELECT_V2 by compare": _image(lambda x: tf.where(x > 0.0, x * 0.1, x * -0.7)),
    "SELECT_V2": _image(lambda x: tf.where(tf.constant([True, False] * 4), x, 0.25)),
    "SELECT_V2 sentinel": _image(lambda x: tf.where(tf.constant([True, False] * 4), x, -20.0)),
    "SCATTER_ND positive": _row(lambda x: tf.scatter_nd([[0], [2]], tf.reshape(x, [2, 4]), [4, 4]), positive),
    "SCATTER_ND": _row(lambda x: tf.scatter_nd([[0], [2]], tf.reshape(x, [2, 4]), [4, 4])),
    "TENSOR_SCATTER_UPDATE": _row(
        lambda x: tf.tensor_scatter_nd_update(tf.reshape(x, [2, 4]), [[1]], tf.reshape(x[:, :4], [1, 4]) * 0.5)
    ),
    "SEGMENT_SUM": _row(lambda x: tf.math.segment_sum(tf.reshape(x, [4, 2]), [0, 0, 1, 1])),
    "UNSORTED_SEGMENT_MAX": _row(lambda x: tf.math.unsorted_segment_max(tf.reshape(x, [4, 2]), [0, 1, 1, 0], 2)),
    "DYNAMIC_UPDATE_SLICE": _series(
        lambda x: dynamic_update_slice(tf.zeros([1, 6, 8]) + x[:, :1] * 0.5, x, tf.constant([0, 1, 0]))
    ),
    "TOPK_V2": _row(lambda x: tf.math.top_k(x, 3).values, apart),
    "MATRIX_DIAG": _row(tf.linalg.diag),
    "MATRIX_DIAG positive": _row(tf.linalg.diag, positive),
    "MATRIX_SET_DIAG": Kind(lambda x: tf.linalg.set_diag(x, x[:, 0] * 0.5), (4, 4), signed),
    "REDUCE_MAX": _image(lambda x: tf.reduce_max(x, [1, 2])),
    "REDUCE_MIN": _image(lambda x: tf.reduce_min(x, [1, 2])),
    "MAX_POOL_2D": _image(lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID")),
    "AVERAGE_POOL_2D": _image(lambda x: tf.nn.avg_pool2d(x, 2, 2, "VALID")),
    "RESIZE_BILINEAR": _image(lambda x: tf.image.resize(x, [8, 8])),
    "RESIZE_NEAREST_NEIGHBOR": _image(lambda x: tf.image.resize(x, [8, 8], "nearest")),
    "MAXIMUM": _image(lambda x: tf.maximum(x, 0.25)),
    "MAXIMUM of two": _image(lambda x: tf.maximum(x, x[:, ::1] * -0.5)),
    "MAXIMUM, leaky": _image(lambda x: tf.maximum(x, 0.1 * x)),
    "MINIMUM": _image(lambda x: tf.minimum(x, 0.25)),
    "MINIMUM of two": _image(lambda x: tf.minimum(x, x * -0.5)),
    "CUMSUM": _series(lambda x: tf.cumsum(x, 1)),
    "IDENTITY of a constant": _row(lambda x: x * 0.0 + _constant(1, 8)),
}
ONE_BY_ONE = {
    "RELU": _image(tf.nn.relu),
    "RELU6": _image(lambda x: tf.nn.relu6(x * 8.0)),
    "LEAKY_RELU": _image(lambda x: tf.nn.leaky_relu(x, 0.3)),
    "PRELU": _image(lambda x: tf.nn.relu(x) - _constant(8, low=0.1, high=0.5) * tf.nn.relu(-x)),
    "ELU": _image(tf.nn.elu),
    "SELU": _image(tf.nn.selu),
    "GELU": _image(lambda x: tf.nn.gelu(x * 3.0)),
    "GELU approximate": _image(lambda x: tf.nn.gelu(x * 3.0, approximate=True)),
    "HARD_SWISH": _image(lambda x: x * 4.0 * tf.nn.relu6(x * 4.0 + 3.0) / 6.0),
    "SWISH": _image(lambda x: x * 4.0 * tf.sigmoid(x * 4.0)),
    "SOFTPLUS": _image(lambda x: tf.math.softplus(x * 3.0)),
    "LOGISTIC": _image(lambda x: tf.sigmoid(x * 4.0)),
    "TANH": _image(lambda x: tf.tanh(x * 2.0)),
    "EXP": _image(tf.exp),
    "LOG": _image(tf.math.log, positive),
    "SQRT": _image(tf.sqrt, positive),
    "RSQRT": _image(tf.math.rsqrt, positive),
    "ABS": _image(tf.abs),
    "NEG": _image(lambda x: -x),
    "NEG, one-sided": _image(lambda x: -x, positive),
    "SIN": _image(lambda x: tf.sin(x * 3.0)),
    "COS": _image(lambda x: tf.cos(x * 3.0)),
    "SQUARE": _image(tf.square),
    "SQUARED_DIFFERENCE": _image(lambda x: tf.math.squared_difference(x, 0.5)),
    "POW": _image(lambda x: tf.pow(x, 1.5), positive),
    "DIV": _image(lambda x: (x + 0.25) / (x[:, :, ::1] + 0.5), positive),
    "DIV by a constant": _image(lambda x: x / _constant(8, low=0.5)),
    "DIV of a constant": _image(lambda x: 1.0 / x, positive),
    "FLOOR_DIV": _floats(lambda x: tf.math.floordiv(x, 1.0), halves),
    "FLOOR_MOD": _image(lambda x: tf.math.floormod(x, 2.0), halves),
    "ADD": _image(lambda x: x + x[:, ::1] * 0.5),
    "ADD constant": _image(lambda x: x + 20.0),
    "SUB": _image(lambda x: x - x[:, ::1] * 0.5),
    "MUL": _image(lambda x: x * (x + 1.0)),
    "ADD_N": _image(lambda x: tf.add_n([x, x * 0.5, x * 0.1])),
    "SIGN": _image(tf.sign, halves),
    "ROUND": _image(tf.round, fifths),
    "FLOOR": _image(tf.floor, halves),
    "CEIL": _image(tf.math.ceil, halves),
    "CAST to int": _floats(lambda x: tf.cast(x, tf.int32), halves),
    "EQUAL": _floats(lambda x: tf.equal(x, 0.5), halves),
    "NOT_EQUAL": _floats(lambda x: tf.not_equal(x, 0.5), halves),
    "LESS": _floats(lambda x: x < 1.0, halves),
    "LESS_EQUAL": _floats(lambda x: x <= 1.0, halves),
    "GREATER": _floats(lambda x: x > 1.0, halves),
    "GREATER_EQUAL": _floats(lambda x: x >= 1.0, halves),
    "LOGICAL_AND": _floats(lambda x: tf.logical_and(x > -1.0, x < 1.0), halves),
    "BUCKETIZE": _floats(lambda x: tf.raw_ops.Bucketize(input=x, boundaries=[-2.0, 0.0, 1.0]), halves),
    "ARG_MAX": _floats(lambda x: tf.argmax(x, -1), apart),
    "ARG_MIN": _floats(lambda x: tf.argmin(x, -1), apart),
    "TOPK_V2 indices": _floats(lambda x: tf.math.top_k(x, 3).indices, apart, ROW),
}
REDUCING = {
    "SUM": _image(lambda x: tf.reduce_sum(x, [1, 2])),
    "MEAN": _image(lambda x: tf.reduce_mean(x, [1, 2])),
    "MEAN of channels": _image(lambda x: tf.reduce_mean(x, -1, keepdims=True)),
    "REDUCE_PROD": _series(lambda x: tf.reduce_prod(x, 1), positive),
    "REDUCE_ANY": _floats(lambda x: tf.reduce_any(x > 2.0, -1), halves),
    "SOFTMAX": _row(lambda x: tf.nn.softmax(x * 4.0)),
    "SOFTMAX of a sentinel": _row(lambda x: tf.nn.softmax(tf.where(tf.constant([True] * 6 + [False] * 2), x, -1e9))),
    "SOFTMAX behind + -1e9": _row(lambda x: tf.nn.softmax(x * 4.0 + tf.constant([0.0] * 6 + [-1e9] * 2))),
    "SOFTMAX of a computed mask": _row(
        lambda x: tf.nn.softmax(x * 4.0 + (1.0 - tf.cast(tf.tile(x[:, :1] > 0.0, [1, 8]) | _CAUSAL, tf.float32)) * -1e9)
    ),
    "LOG_SOFTMAX": _row(lambda x: tf.nn.log_softmax(x * 4.0)),
    "L2_NORMALIZATION": _row(lambda x: tf.math.l2_normalize(x, -1)),
    "LAYER_NORM": _series(
        lambda x: (
            (x - tf.reduce_mean(x, -1, keepdims=True))
            * tf.math.rsqrt(tf.math.reduce_variance(x, -1, keepdims=True) + 1e-3)
        )
    ),
    "BATCH_MATMUL": _series(lambda x: tf.matmul(x, x * 0.5, transpose_b=True)),
    "BATCH_MATMUL of several": _image(lambda x: tf.matmul(x, x * 0.5, transpose_b=True)),
    "EINSUM": _series(lambda x: tf.einsum("bij,bkj->bik", x, x * 0.5)),
    "FULLY_CONNECTED": _row(lambda x: tf.matmul(x, _constant(8, 4)) + _constant(4)),
    "CONV_2D": _image(lambda x: tf.nn.conv2d(x, _constant(3, 3, 8, 4), 1, "SAME")),
    "DEPTHWISE_CONV_2D": _image(lambda x: tf.nn.depthwise_conv2d(x, _constant(3, 3, 8, 1), [1, 1, 1, 1], "SAME")),
    "TRANSPOSE_CONV": _image(lambda x: tf.nn.conv2d_transpose(x, _constant(3, 3, 4, 8), [1, 8, 8, 4], 2, "SAME")),
    "CONV_3D": Kind(lambda x: tf.nn.conv3d(x, _constant(2, 2, 2, 4, 3), [1] * 5, "SAME"), (3, 3, 3, 4), signed),
}
OF_IDS = {
    "ONE_HOT": _of_ids(lambda x: tf.one_hot(x, 4)),
    "ONE_HOT on 5 off -2": _of_ids(lambda x: tf.one_hot(x, 4, 5.0, -2.0)),
    "ONE_HOT, some none": _of_ids(lambda x: tf.one_hot(x - 1, 4)),
    "ONE_HOT axis 0": _of_ids(lambda x: tf.one_hot(x, 4, axis=1)),
    "EMBEDDING": _of_ids(lambda x: tf.gather(_TABLE, x)),
    "CAST of ids": _of_ids(lambda x: tf.cast(x, tf.float32)),
    "ONE_HOT of a computed value": _of_ids(
        lambda x: tf.one_hot(x, 4, tf.reduce_max(tf.cast(x, tf.float32)) + 1.0, 0.5)
    ),
    "ONE_HOT of uint8": _of_ids(lambda x: tf.one_hot(tf.cast(x, tf.uint8), 4)),
    "CAST there and back": Kind(
        lambda x: tf.gather(_constant(1000, 4), tf.cast(tf.reshape(tf.cast(x, tf.float32), [1, 2, 2]), tf.int64)),
        (4,),
        thousand,
        ids=True,
    ),
    "ids = constant": _of_ids(lambda x: tf.cast(tf.equal(x, 2), tf.float32)),
    "BINCOUNT": _of_ids(lambda x: tf.reduce_max(tf.one_hot(x, 4), 1)),
    "SEQUENCE_MASK": _of_ids(lambda x: tf.sequence_mask(x, 5, tf.float32)),
    "RANGE": _of_ids(lambda x: tf.cast(tf.range(4), tf.float32)[None] + 0.0 * tf.cast(x, tf.float32)),
    "FILL": _of_ids(lambda x: tf.fill(tf.shape(x), 0.5) + 0.25 * tf.cast(x, tf.float32)),
}
KINDS: Mapping[str, Kind] = {**COPYING, **ONE_BY_ONE, **REDUCING, **OF_IDS}


# ---------------------------------------------------------------- contexts


def exact(value: Any) -> Any:
    """Return a tensor as it is: what float computes."""
    return value


class Rounding:
    """8 bits a tensor, which is the best that any int8 file can do: what an operator must cost."""

    def __init__(self) -> None:
        self.ranges: list[tuple[float, float]] = []  # by the order in which one call asks
        self.at = 0
        self.measuring = True

    def __call__(self, value: Any) -> Any:
        """Return a tensor as it is while ranges are measured, then rounded to 256 steps over its range."""
        if not value.dtype.is_floating:
            return value
        at, self.at = self.at, self.at + 1
        if self.measuring:
            low, high = self.ranges[at] if at < len(self.ranges) else (0.0, 0.0)
            self.ranges[at : at + 1] = [(min(low, float(tf.reduce_min(value))), max(high, float(tf.reduce_max(value))))]
            return value
        low, high = self.ranges[at]
        step = (high - low) / 255 or 1.0
        zero = round(-low / step)
        return (tf.clip_by_value(tf.round(value / step) + zero, 0, 255) - zero) * step


def alone(kind: Kind, x: Any, _z: Any, q: Build) -> list[Any]:
    """Return the operator's output as the model's."""
    return [q(kind.build(q(x)))]


def concatenated(kind: Kind, x: Any, z: Any, q: Build) -> list[Any]:
    """Put it beside a branch of a larger range: a CONCATENATION gives its own scale to what it takes."""
    return [q(tf.concat([kind.build(q(x)), z], -1))]


def coarse(kind: Kind, x: Any, z: Any, q: Build) -> list[Any]:
    """Feed the operator a part of a tensor with a larger range: its input has that tensor's scale."""
    both = q(tf.concat([x, z], -1))
    return [q(kind.build(both[..., : x.shape[-1]]))]


def shared(kind: Kind, x: Any, z: Any, q: Build) -> list[Any]:
    """Give the operator's input to a CONCATENATION, too: the quantizer lays that one's scale on the input."""
    made = tf.nn.leaky_relu(x, 0.9)
    both = q(tf.concat([made, z], -1))
    made = made if q is exact else both[..., : x.shape[-1]]
    return [q(kind.build(made)), both]


def computed(kind: Kind, x: Any, z: Any, q: Build) -> list[Any]:
    """Compute what the operator takes, and put its output beside a branch of a larger range."""
    return [q(tf.concat([kind.build(q(tf.nn.leaky_relu(x, 0.9))), z], -1))]


def forked(kind: Kind, x: Any, _z: Any, q: Build) -> list[Any]:
    """Use the operator's input elsewhere, too, its channels of different ranges: the output's range is narrower."""
    ramp = tf.constant(np.geomspace(0.05, 1, x.shape[-1]).astype(np.float32)) if kind.draw is signed else 1.0
    made = q(tf.nn.leaky_relu(x * ramp, 0.9))
    return [q(kind.build(made)), q(made * 1.5)]


def added(kind: Kind, x: Any, z: Any, q: Build) -> list[Any]:
    """Add a branch of a larger range."""
    return [q(q(kind.build(q(x))) + q(z))]


CONTEXTS = {
    "alone": alone,
    "concat": concatenated,
    "computed": computed,
    "coarse": coarse,
    "shared": shared,
    "forked": forked,
    "add": added,
}


def cases() -> list[str]:
    """Return every case: ids have no scale that a context could change."""
    return [
        f"{kind}/{context}"
        for kind in KINDS
        for context in CONTEXTS
        if not (KINDS[kind].ids and context in {"coarse", "computed", "shared", "forked"})
    ]


# ---------------------------------------------------------------- conversion


@dataclass(frozen=True)
class Case:
    """A graph, what goes in, what float makes of it, and what 8 bits must cost: the largest error, by output."""

    model: Any  # a concrete function of x and z
    calibration: list[dict[str, np.ndarray]]
    test: list[dict[str, np.ndarray]]
    wanted: list[np.ndarray]  # [N, ...] of each output
    cost: list[float]


def make(name: str) -> Case:
    """Make a case's graph and values."""
    kind, context = KINDS[name.partition("/")[0]], CONTEXTS[name.partition("/")[2]]
    rng = np.random.default_rng(7)
    x = [kind.draw(rng, (1, *kind.shape)) for _ in range(CALIBRATION)]
    like = x[0].shape if context in {coarse, shared, forked} else tuple(kind.build(tf.constant(x[0])).shape)
    z = [rng.uniform(-LARGER, LARGER, like).astype(np.float32) for _ in x]
    rows = [{"x": a, "z": b} for a, b in zip(x, z, strict=True)]
    if context is alone:
        rows = [{"x": row["x"]} for row in rows]

    def call(q: Build) -> Callable[..., list[Any]]:
        return lambda x, z=None: context(kind, x, z, q)

    test = rows[:TEST]
    wanted = _rows(call(exact), test)
    rounding = Rounding()

    def asked(**feeds: Any) -> list[Any]:
        rounding.at = 0
        return call(rounding)(**feeds)

    _rows(asked, rows)
    rounding.measuring = False
    cost = [_worst(a, b) for a, b in zip(_rows(asked, test), wanted, strict=True)]
    specs = [tf.TensorSpec(value.shape, value.dtype, name=name) for name, value in rows[0].items()]
    function = tf.function(lambda *feeds: [tf.identity(out) for out in call(exact)(*feeds)], autograph=False)
    return Case(function.get_concrete_function(*specs), rows, test, wanted, cost)


def _rows(call: Callable[..., list[Any]], rows: Sequence[Mapping[str, np.ndarray]]) -> list[np.ndarray]:
    outputs = [call(**{name: tf.constant(value) for name, value in row.items()}) for row in rows]
    return [np.stack([np.asarray(each[at]) for each in outputs]) for at in range(len(outputs[0]))]


def _worst(got: np.ndarray, wanted: np.ndarray) -> float:
    spread = float(wanted.max() - wanted.min()) or 1.0
    return float(np.abs(got - wanted).max()) / spread


def convert(case: Case, mend: bool) -> bytes:
    """Convert a case as kit.worker.conversion.converter does, with float inputs and outputs."""
    frozen = freeze(case.model, [], [])
    names = list(case.test[0])
    graph = for_int8(frozen, case.calibration, names).graph if mend else frozen.graph

    def serve(**feeds: Any) -> dict[str, Any]:
        inputs = dict(zip(frozen.inputs, [feeds[name] for name in names], strict=True))
        outputs = tf.graph_util.import_graph_def(graph, input_map=inputs, return_elements=[*frozen.outputs], name="")
        return {f"y{at}": output for at, output in enumerate(outputs)}

    specs = {name: tf.TensorSpec(value.shape, value.dtype, name=name) for name, value in case.test[0].items()}
    module = tf.Module()
    with tempfile.TemporaryDirectory() as folder:
        function = tf.function(serve, autograph=False).get_concrete_function(**specs)
        tf.saved_model.save(module, folder, signatures={"serving_default": function})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serving_default"])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: iter(case.calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        content = bytes(converter.convert())
    return mended(content) if mend else content


def written(name: str, folder: Path, mend: bool) -> dict[str, Any]:
    """Convert one case and write its files; return what is known of it."""
    case = make(name)
    place = folder / name.replace(" ", "_")
    place.mkdir(parents=True, exist_ok=True)
    arrays = {f"{key}{at}": value for at, row in enumerate(case.test) for key, value in row.items()}
    arrays |= {f"wanted{at}": value for at, value in enumerate(case.wanted)}
    np.savez(place / "arrays.npz", **arrays)  # type: ignore[arg-type]
    try:
        content = convert(case, mend)
    except Exception as error:  # noqa: BLE001 - whatever the converter raises is a refusal
        lines = [line for line in str(error).splitlines() if "error:" in line] or str(error).splitlines()
        return {"case": name, "cost": case.cost, "fault": lines[0][:200] if lines else type(error).__name__}
    (place / "model.tflite").write_bytes(content)
    return {"case": name, "cost": case.cost}


def main() -> None:
    """Convert the named cases, one JSON line each."""
    folder, *rest = sys.argv[1:]
    if not rest:
        print(json.dumps(cases()))
        return
    mend = rest[0] != "--plain"
    for name in rest[0 if mend else 1 :]:
        print(json.dumps(written(name, Path(folder), mend)), flush=True)


if __name__ == "__main__":
    main()
