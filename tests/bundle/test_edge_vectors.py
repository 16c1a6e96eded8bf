"""Edge vectors: which inputs they are, and how the harness judges what a runtime gives for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from harness.checks import OutputCheck
from harness.compare import compare_edges
from harness.golden import Golden
from harness.signature import Signature
from harness.tensor import Tensor
from worlds import bare_result

from kit.build.golden import golden_vectors
from kit.shared.edges import MOST, EdgeInput, edge_vectors
from kit.shared.job import SignatureSpec, TensorSpec


def test_pixels_are_black_white_one_hot_in_the_middle_and_a_mix_and_no_two_the_same() -> None:
    images = np.full((3, 5, 4, 3), 7, np.uint8)
    first, second, third, fourth = (
        vector["image"] for vector in edge_vectors({"image": EdgeInput((1, 5, 4, 3), images, image=True)})
    )
    assert (first.max(), second.min()) == (0, 255)
    assert np.argwhere(third).tolist() == [[0, 2, 2, 0], [0, 2, 2, 1], [0, 2, 2, 2]]
    assert set(np.unique(fourth)) == {0, 255}
    assert {array.dtype.name for array in (first, second, third, fourth)} == {"uint8"}


def test_floats_go_as_far_as_the_golden_vectors_do_and_ids_are_those_that_are_known() -> None:
    values = np.array([[-1.5, 0.25], [np.inf, 4.0]], np.float32)
    ids = np.array([[3, 17], [5, 9]], np.int32)
    vectors = edge_vectors({"x": EdgeInput((1, 2), values), "ids": EdgeInput((1, 2), ids)})
    assert [vector["x"].tolist() for vector in vectors] == [[[0, 0]], [[-1.5, -1.5]], [[4, 4]], [[0, 4]]]
    assert [vector["ids"].tolist() for vector in vectors] == [[[3, 3]], [[3, 3]], [[17, 17]], [[3, 17]]]
    assert len(vectors) == MOST


def test_a_quantized_input_has_its_zero_point_for_zero_and_a_flag_two_values() -> None:
    vectors = edge_vectors({"q": EdgeInput((2,), np.array([[1, 2]], np.int8), zero=-5, quantized=True)})
    assert [vector["q"].tolist() for vector in vectors] == [[-5, -5], [-128, -128], [127, 127], [-5, 127]]
    flags = edge_vectors({"on": EdgeInput((), np.array([True, False]))})
    assert [vector["on"].tolist() for vector in flags] == [False, True]
    assert edge_vectors({"none": EdgeInput((1, 0), np.zeros((2, 0), np.float32))}) == []


def judged(edge: list[float], given: list[float], *, tolerance: float = 0.5) -> OutputCheck:
    """Return what the harness finds of an output y with golden vectors up to 2, edge and given a value each call."""
    tensor = Tensor("y", (1,), "float32", None, 0, "tensor")
    arrays = {"output/y": [2.0, 1.0], "edge_output/y": edge}
    golden = {name: np.array(values, np.float32) for name, values in arrays.items()} | {
        "tolerance/y": np.array(tolerance)
    }
    signature = Signature("serve", {}, {"y": tensor})
    produced = [np.array([value], np.float32) for value in given]
    return compare_edges(signature, tensor, produced, Golden(Path(), golden))


@pytest.mark.parametrize(
    ("edge", "given", "passed", "allowed"),
    [
        ([1, 2], [1.4, 2.5], True, 0.5),
        ([1, 2], [1.4, 2.6], False, 0.5),
        ([1, 20], [1.4, 24.9], True, 5),  # ten times as large, and as much more is allowed
        ([1, 20], [1.4, 25.1], False, 5),
        ([1, np.nan], [1, 7], True, 0.5),  # not finite as built: kept, and not judged
        ([1, np.inf], [1, np.nan], True, 0.5),
        ([1, 2], [1, np.nan], False, 0.5),
    ],
)
def test_edge_vectors_are_judged_where_they_are_finite_and_by_their_size(
    edge: list[float], given: list[float], passed: bool, allowed: float
) -> None:
    found = judged(edge, given)
    assert (found.passed, found.allowed) == (passed, allowed)
    assert found.vectors_off == (0 if passed else 1)


def test_an_index_has_no_edge_vectors() -> None:
    for dtype, scale, kept in (("int64", None, False), ("int8", 0.5, True)):
        inputs, outputs = (
            TensorSpec("x", (1, 1), "float32"),
            TensorSpec("y", (1, 1), dtype, scale, 0 if scale else None),
        )
        made = {"output/y": np.zeros((1, 1), dtype), "float/y": np.zeros((1, 1)), "tolerance/y": np.array(1.0)}
        edges = {"edge_input/x": np.zeros((4, 1), np.float32), "edge_output/y": np.zeros((4, 1), dtype)}
        result = bare_result(SignatureSpec("serve", (inputs,), (outputs,)), samples=1)
        found = golden_vectors(result, made, made | edges)
        assert {name for name in found if name.startswith("edge")} == (set(edges) if kept else set())
        assert "float/y" not in found
