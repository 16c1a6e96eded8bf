"""What is measured of a converted file, and what becomes of it in golden.npz."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from worlds import bare_result

from kit.build.chance import is_decidable, tail
from kit.build.golden import golden_vectors
from kit.build.metrics import OutputMeasure, measure
from kit.errors import RecipeError
from kit.recipe.output import Output
from kit.recipe.schema import Model, Recipe
from kit.shared.job import SignatureSpec, TensorSpec
from kit.tflite.weight_types import WeightTypes, weights_text


def signature(dtype: str = "float32", scale: float | None = None) -> SignatureSpec:
    """Return a signature with one output."""
    zero = None if scale is None else 0
    return SignatureSpec("serving_default", (), (TensorSpec("out", (1, 3), dtype, scale, zero),))


def measured(exact: Any, got: Any, y: Any = None, *, kind: Any = "tensor", scale: float | None = None) -> OutputMeasure:
    """Return the measure of an output whose float values and converted ones are given."""
    recipe = Recipe(model=Model(path="m.keras", id="m"), outputs=[Output(name="out", kind=kind)])
    evaluated = {"float/out": np.asarray(exact, np.float32)} | ({} if y is None else {"y": np.asarray(y)})
    predictions = {"output/out": np.asarray(got, np.float32 if scale is None else np.int8)}
    (only,) = measure(recipe, signature("int8" if scale else "float32", scale), evaluated, predictions)
    return only


def test_errors_are_reported_in_units_of_the_spread_too() -> None:
    found = measured([[0.0], [2.0], [4.0], [6.0]], [[1.0], [3.0], [5.0], [7.0]])
    assert (found.worst_error, found.mean_error, found.worst_share) == (1.0, 1.0, 1 / 6)
    assert found.relative_error == pytest.approx(1 / np.std([0, 2, 4, 6]))
    assert found.correlation == pytest.approx(1.0)


def test_a_step_is_the_unit_of_whole_numbers() -> None:
    assert measured([[0.0], [1.0]], [[0], [4]], scale=0.5).worst_steps == 2.0


def test_values_that_are_lost_are_counted_and_leave_the_rest_measured() -> None:
    found = measured([[0.0], [1.0], [np.inf]], [[np.nan], [1.0], [np.inf]])
    assert (found.lost, found.worst_error) == (1, 0.0)


@pytest.mark.parametrize(
    ("exact", "constant"), [([[0.0], [1.0]], True), ([[1.0], [1.0]], False), ([[0.0, 100.0], [1.0, 100.0]], False)]
)
def test_an_output_is_constant_where_the_float_one_clearly_varies(exact: Any, constant: bool) -> None:
    assert measured(exact, np.zeros_like(np.asarray(exact))).constant is constant


def test_a_constant_float_output_has_no_correlation() -> None:
    found = measured([[5.0], [5.0]], [[5.0], [5.0]])
    assert found.correlation is found.relative_error is found.worst_share is None


def test_classes_are_held_against_each_other_and_against_y() -> None:
    exact = np.eye(3)[[0, 0, 1, 2, 2]]
    got = np.eye(3)[[0, 1, 1, 1, 1]]
    found = measured(exact, got, [0, 0, 1, 2, 1], kind="classes")
    assert (found.agreement, found.changed) == (0.4, (2, 1, 2))
    assert found.truth is not None
    assert (found.truth.float_accuracy, found.truth.accuracy, found.truth.majority) == (0.8, 0.6, 0.4)


def test_the_accuracy_under_another_order_of_labels_is_known() -> None:
    truth = measured(np.eye(3)[[1, 2, 0, 1]], np.eye(3)[[1, 2, 0, 1]], [0, 1, 2, 0], kind="classes").truth
    assert truth is not None
    assert (truth.float_accuracy, truth.relabelled) == (0.0, 1.0)


def test_y_without_classes_or_of_another_length_is_refused() -> None:
    with pytest.raises(RecipeError, match="no output is of kind 'classes'") as error:
        measured([[0.0]], [[0.0]], [0])
    assert error.value.hint == 'say which: [[outputs]] name = ... kind = "classes"; or leave y out of the data'
    assert measured([[0.0]], [[0.0]], [0], kind="classes") and measured([[0.0]], [[0.0]])
    with pytest.raises(RecipeError, match=r"y has shape \[2\], the samples need \[1\]") as error:
        measured([[0.0, 1.0]], [[0.0, 1.0]], [0, 1], kind="classes")
    assert error.value.hint == "give one class number a sample"
    assert measured([[0.0, 1.0]], [[0.0, 1.0]], [1], kind="classes").truth
    with pytest.raises(RecipeError, match=r"y holds 1..2, the model's classes are 0..1") as error:
        measured([[0.0, 1.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]], [2, 1], kind="classes")
    assert error.value.hint == "number the classes from 0, in the order of the labels"
    assert measured([[0.0, 1.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]], [1, 0], kind="classes").truth


def test_chance_is_the_binomial_distribution() -> None:
    assert tail(2, 3, 0.5) == pytest.approx(0.5)
    assert tail(0, 3, 0.5) == tail(3, 3, 1.0) == 1.0
    exact, normal = tail(7100, 20_000, 0.35), tail(7100, 20_001, 0.35)  # the normal distribution from 20,001 on
    assert exact == pytest.approx(normal, rel=0.03)
    assert 0.05 < exact < 0.09
    assert is_decidable(0.37, 5, 0.01)
    assert not is_decidable(0.37, 4, 0.01)


# ---------------------------------------------------------------- golden vectors


def golden(theirs: Any, ours: Any, exact: Any, least: float = 1.0) -> dict[str, Any]:
    """Return golden.npz's arrays of an int8 output with steps of 0.5, by their names without the output's."""
    made: dict[str, Any] = {
        "output/out": np.array(theirs, np.int8),
        "float/out": np.array(exact, np.float32),
        "tolerance/out": np.array(least),
    }
    result = bare_result(signature("int8", 0.5), samples=2)
    arrays = golden_vectors(result, made, {"output/out": np.array(ours, np.int8)})
    return {name.partition("/")[0]: array for name, array in arrays.items()}


def test_golden_outputs_are_those_of_the_app_s_runtime() -> None:
    found = golden([[1], [2]], [[1], [3], [9]], [[0.5], [1.0]])
    assert found["output"].tolist() == [[1], [3]]
    assert float(found["drift"]) == 1.0


@pytest.mark.parametrize(
    ("theirs", "exact", "allowed"),
    [
        (10, 5.0, 1.0),  # the two agree, and so does the float model: one step, as ever
        (13, 2.0, 4.0),  # they differ by three: one more than that
        (13, 4.0, 2.0),  # but never more than the file is off from the float model
    ],
)
def test_the_tolerance_is_what_kernels_differ_by_up_to_the_file_s_own_error(
    theirs: int, exact: float, allowed: float
) -> None:
    assert float(golden([[theirs]], [[10]], [[exact]])["tolerance"]) == allowed


@pytest.mark.parametrize(
    ("shares", "scheme", "text"),
    [
        ({"int8": 0.75, "float32": 0.25}, "int8", "75.0% of 100 in int8, 25.0% in float32"),
        ({"float32": 1.0}, "float32", "100.0% of 100 in float32"),
        ({"float32": 1.0}, "dynamic", "100.0% of 100 in float32: nothing became int8, as TFLite leaves"),
    ],
)
def test_a_report_says_what_quantization_reached(shares: dict[str, float], scheme: str, text: str) -> None:
    assert weights_text(WeightTypes(100, shares), scheme).startswith(text)
