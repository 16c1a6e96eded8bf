"""What a call costs, by the stated model: multiply-adds by type, bytes, loops as often as they run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from kit.tflite.cost import cost_of
from kit.tflite.model import Buffer, Operator, Option, Subgraph, Tensor, TfliteFile
from kit.tflite.reader import read_tflite, tflite_path

# conv1 to conv3 on 8x8, 8x8 and 4x4, "same", 3x3; digit on 2x2x64: what examples/digits/train.py builds.
DIGITS = 8 * 8 * 16 * 9 + 8 * 8 * 32 * 9 * 16 + 4 * 4 * 64 * 9 * 32 + 10 * 256


def tensor(dtype: str, *shape: int, buffer: int = 0) -> Tensor:
    """Return a tensor; a constant where it has a buffer."""
    return Tensor("t", shape, shape, dtype, None, buffer, "x" if buffer else None, is_variable=False, sparse=False)


def operator(name: str, inputs: tuple[int, ...], outputs: tuple[int, ...], **options: Option) -> Operator:
    """Return an operator."""
    return Operator(name, 1, inputs, outputs, options)


def file(*graphs: Subgraph, data: bytes = b"") -> TfliteFile:
    """Return a file whose buffer 1 is data."""
    digest = hashlib.sha256(data).hexdigest()
    buffers = (Buffer(0, 0, None), Buffer(0, len(data), digest))
    return TfliteFile("", len(data), digest, 3, "", (), graphs, (), (), buffers, data)


def dense(fed: str, weights: str, *, times: int = 1) -> Subgraph:
    """Return a graph of a dense layer, 6 -> 4."""
    tensors = (tensor(fed, times, 6), tensor(weights, 4, 6, buffer=1), tensor(fed, times, 4))
    return Subgraph("body", (0,), (2,), tensors, (operator("FULLY_CONNECTED", (0, 1), (2,)),))


def test_multiply_adds_of_the_digits_are_those_of_their_layers(digits_bundle: Path) -> None:
    cost = cost_of(read_tflite(tflite_path(digits_bundle)))
    assert cost.macs == {"float32": 0, "int8": DIGITS, "int16": 0}
    assert 31_000 < cost.moved < 60_000, "the weights once, and every tensor between them written and read"


@pytest.mark.parametrize(
    ("fed", "weights", "kind", "moved"),
    [
        ("float32", "float32", "float32", 4 * (6 + 24 + 4)),
        ("int8", "int8", "int8", 6 + 24 + 4),
        ("float32", "int8", "int8", 24 + 24 + 16),
        ("float32", "int4", "int8", 24 + 12 + 16),
        ("int16", "int8", "int16", 12 + 24 + 8),
    ],
)
def test_a_multiply_add_costs_by_what_is_multiplied(fed: str, weights: str, kind: str, moved: int) -> None:
    cost = cost_of(file(dense(fed, weights)))
    assert {name: count for name, count in cost.macs.items() if count} == {kind: 24}
    assert cost.moved == moved
    assert cost.units == {"float32": 1.0, "int8": 0.25, "int16": 4.0}[kind] * 24 + moved


def test_weights_that_are_made_float_when_the_file_is_loaded_cost_what_float_ones_do() -> None:
    plain = dense("float32", "float32")
    made = Subgraph(
        "main", (0,), (2,),
        (tensor("float32", 1, 6), tensor("float32", 4, 6), tensor("float32", 1, 4), tensor("int8", 4, 6, buffer=1)),
        (operator("DEQUANTIZE", (3,), (1,)), operator("FULLY_CONNECTED", (0, 1), (2,))),
    )  # fmt: skip
    assert cost_of(file(made)) == cost_of(file(plain))


def test_a_loop_costs_what_its_body_does_times_its_steps() -> None:
    condition = Subgraph(
        "condition", (0, 1), (2,), (tensor("int32"), tensor("int32"), tensor("bool")),
        (operator("LESS", (0, 1), (2,)),),
    )  # fmt: skip
    main = Subgraph(
        "main", (0,), (2,), (tensor("int32"), tensor("int32", buffer=1), tensor("int32")),
        (operator("WHILE", (0, 1), (2, 2), cond_subgraph_index=1, body_subgraph_index=2),),
    )  # fmt: skip
    body = dense("float32", "float32")
    looped = cost_of(file(main, condition, body, data=(12).to_bytes(4, "little")))
    assert looped.macs["float32"] == 12 * 24
    assert looped.moved == 12 * 4 * 34
