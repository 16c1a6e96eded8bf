"""The gates of a recipe: what passes, what is refused, and what to try next."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from worlds import bare_result

from kit.build.checks import Verdict, failures, ignored, judge, notes, refuse_other_runtime
from kit.build.metrics import OutputMeasure, Truth
from kit.errors import CheckError
from kit.recipe.checks import Checks
from kit.recipe.output import Output
from kit.recipe.quantize import Quantize, Scheme
from kit.recipe.schema import Input, Model, Recipe
from kit.shared.job import Result, SignatureSpec


def recipe(checks: Checks, scheme: Scheme = "int8") -> Recipe:
    """Return a recipe with these gates."""
    return Recipe(
        model=Model(path="m.keras", id="m"),
        quantize=Quantize(scheme=scheme, representative="samples.npz"),
        outputs=[Output(name="digit", kind="classes")],
        checks=checks,
    )


def result(measured_on: str = "checks") -> Result:
    """Return what the worker made."""
    return bare_result(SignatureSpec("serving_default", (), ()), samples=100, measured_on=measured_on)


def digit(agreement: float | None = 1.0, before: float | None = None, after: float | None = None) -> OutputMeasure:
    """Return the measure of an output of kind classes, with y where the accuracies are given."""
    truth = None if before is None or after is None else Truth(100, before, after, 0.1, 0.0)
    return OutputMeasure("digit", 0.1, 0.01, 1.0, agreement=agreement, truth=truth)


def verdict(checks: Checks, *measures: OutputMeasure, size: int = 1000, scheme: Scheme = "int8") -> Verdict:
    """Return the one verdict on these measures that the recipe asks for."""
    (only,) = [v for v in judge(recipe(checks, scheme), result(), measures, size) if v.name.startswith(("min", "max"))]
    return only


def gate(*measures: OutputMeasure, on: str = "checks", checks: Checks | None = None) -> list[Verdict]:
    """Return what refuses these measures."""
    return failures(judge(recipe(checks or Checks()), result(on), measures, 10**9))


@pytest.mark.parametrize(("size", "passed"), [(999, True), (1000, True), (1001, False)])
def test_max_bytes_is_the_largest_size_that_passes(size: int, passed: bool) -> None:
    judged = verdict(Checks(max_bytes=1000), size=size)
    assert (judged.name, judged.limit, judged.value, judged.passed) == (
        "max_bytes",
        "<= 1,000 B",
        f"{size:,} B",
        passed,
    )


@pytest.mark.parametrize(("agreement", "passed"), [(1.0, True), (0.97, True), (0.9699, False), (0.0, False)])
def test_min_agreement_is_the_smallest_share_that_passes(agreement: float, passed: bool) -> None:
    judged = verdict(Checks(data="test.npz", min_agreement=0.97), digit(agreement))
    assert (judged.limit, judged.passed) == (">= 97.00%", passed)
    assert judged.value == f"{agreement:.2%}"


@pytest.mark.parametrize(
    ("before", "after", "passed"), [(0.99, 0.98, True), (0.99, 0.979, False), (0.9, 0.95, True), (0.31, 0.30, True)]
)
def test_max_drop_is_the_largest_loss_that_passes(before: float, after: float, passed: bool) -> None:
    # 0.31 - 0.30 is 0.010000000000000009 in binary, and one point all the same.
    assert verdict(Checks(data="test.npz", max_drop=0.01), digit(1.0, before, after)).passed is passed


def test_a_gain_is_shown_as_one() -> None:
    assert verdict(Checks(data="test.npz", max_drop=0.0), digit(1.0, 0.9, 0.95)).value == "-5.00%"


def test_each_output_is_judged_under_its_own_name() -> None:
    box = OutputMeasure("box", 0.5, 0.1)
    other = OutputMeasure("other", 0.1, 0.01, agreement=0.5)
    verdicts = judge(recipe(Checks(data="t.npz", min_agreement=0.9)), result(), (digit(0.95), box, other), 1)
    assert [(v.name, v.passed) for v in verdicts] == [("min_agreement (digit)", True), ("min_agreement (other)", False)]


def test_only_the_gates_that_refused_are_failures() -> None:
    checks = Checks(data="t.npz", min_agreement=0.9, max_drop=0.01, max_bytes=10)
    verdicts = judge(recipe(checks), result(), (digit(0.8, 0.9, 0.9),), 11)
    assert [v.name for v in failures(verdicts)] == ["max_bytes", "min_agreement (digit)"]
    assert len(verdicts) == 4, "the float model's accuracy is judged, too"


@pytest.mark.parametrize(
    ("scheme", "next_step"),
    [
        ("float32", 'scheme = "float16", "dynamic" or "int8"'),
        ("float16", 'scheme = "dynamic" or "int8"'),
        ("dynamic", 'scheme = "int8"'),
        ("int8", "smaller model"),
    ],
)
def test_for_a_model_that_is_too_large_smaller_schemes_are_named(scheme: Scheme, next_step: str) -> None:
    assert next_step in verdict(Checks(max_bytes=1), scheme=scheme).hint


@pytest.mark.parametrize(
    ("scheme", "next_step"),
    [("int8", "representative data"), ("dynamic", 'scheme = "float16"'), ("float32", "another TensorFlow version")],
)
def test_for_a_model_that_lost_too_much_milder_settings_are_named(scheme: Scheme, next_step: str) -> None:
    assert next_step in verdict(Checks(data="t.npz", min_agreement=1.0), digit(0.5), scheme=scheme).hint


# ---------------------------------------------------------------- the gate that needs no word in the recipe


def box(**measured: object) -> OutputMeasure:
    """Return the measure of a tensor that is right but for what is given."""
    right = {"relative_error": 0.01, "correlation": 0.9999, "spread": 1.0}
    return OutputMeasure("box", 0.1, 0.01, **{**right, **measured})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("measure", "words"),
    [
        (box(correlation=0.9), "correlation with float (box)"),
        (box(relative_error=0.31), "relative error (box)"),
        (box(constant=True), "output (box)"),
        (box(lost=2), "NaN or infinity (box)"),
        (OutputMeasure("digit", 0.5, 0.1, correlation=0.9, agreement=0.79), "agreement with float (digit)"),
        (OutputMeasure("digit", 0.5, 0.1, correlation=0.7, agreement=0.95), "correlation with float (digit)"),
    ],
)
def test_a_ruined_output_is_refused_without_a_word_in_the_recipe(measure: OutputMeasure, words: str) -> None:
    (failed,) = gate(measure)
    assert failed.name == words
    assert failed.hint
    assert gate(measure, checks=Checks(gate=False)) == []
    (note,) = ignored(judge(recipe(Checks(gate=False)), result(), [measure], 1))
    assert note.name == words


@pytest.mark.parametrize(
    "measure",
    [
        box(correlation=0.981, relative_error=0.2),
        OutputMeasure("digit", 0.5, 0.1, correlation=0.85, agreement=0.95),
        OutputMeasure("digit", 0.5, 0.1, correlation=0.999, agreement=0.5),  # near ties
    ],
)
def test_what_docs_models_calls_right_is_not_refused(measure: OutputMeasure) -> None:
    assert gate(measure) == []


def test_random_inputs_warn_and_only_nan_refuses() -> None:
    assert gate(box(correlation=0.1), on="random") == []
    verdicts = judge(recipe(Checks()), result("random"), [box(correlation=0.1)], 1)
    (first, *_) = notes(recipe(Checks()), result("random"), [box(correlation=0.1)], verdicts)
    assert "correlation with float (box) is 0.100" in first
    assert "[checks] data" in first
    assert [v.name for v in gate(box(lost=1), on="random")] == ["NaN or infinity (box)"]


def test_limits_of_the_recipe_take_the_place_of_the_gate_and_hold_without_it() -> None:
    loose = Checks(min_correlation=0.5, max_relative_error=0.9)
    assert gate(box(correlation=0.6, relative_error=0.8), checks=loose) == []
    strict = Checks(min_correlation=0.999, max_relative_error=0.001, gate=False)
    assert [v.name for v in gate(box(correlation=0.99), checks=strict)] == [
        "min_correlation (box)",
        "max_relative_error (box)",
    ]


@pytest.mark.parametrize(
    ("accuracy", "count", "refused"), [(0.31, 300, True), (0.37, 300, True), (0.6, 300, False), (0.31, 4, False)]
)
def test_a_float_model_at_chance_is_refused_with_causes(accuracy: float, count: int, refused: bool) -> None:
    measure = OutputMeasure("digit", 0.1, 0.01, agreement=1.0, truth=Truth(count, accuracy, accuracy, 0.37, 0.0))
    failed = gate(measure)
    assert bool(failed) is refused
    if failed:
        assert "37.00%" in failed[0].limit
        assert failed[0].hint.index("another range") < failed[0].hint.index("order of the labels")
        assert gate(measure, checks=Checks(gate=False)) == []


@pytest.mark.parametrize(
    ("scaled", "normalized", "cause"),
    [
        (("image",), True, "by mean and std and by the model itself"),
        ((), False, "normalized nowhere"),
        ((), True, "not those of training"),
        (("image",), False, "another range"),
    ],
)
def test_the_first_cause_is_what_recipe_and_model_say_of_the_pixels(
    scaled: tuple[str, ...], normalized: bool, cause: str
) -> None:
    own: dict[str, Any] = {"mean": [0.0], "std": [255.0]} if normalized else {}
    made = recipe(Checks()).model_copy(update={"inputs": [Input(name="image", kind="image", **own)]})
    measure = OutputMeasure("digit", 0.1, 0.01, agreement=1.0, truth=Truth(300, 0.3, 0.3, 0.37, 0.0))
    (failed,) = failures(judge(made, replace(result(), scaled=scaled), [measure], 1))
    assert cause in failed.hint.partition("(2)")[0]


def test_labels_in_another_order_are_the_first_cause_where_they_explain_it() -> None:
    measure = OutputMeasure("digit", 0.1, 0.01, agreement=1.0, truth=Truth(300, 0.02, 0.02, 0.34, 0.98))
    (failed,) = gate(measure)
    assert failed.hint.index("order of the labels") < failed.hint.index("another range")
    assert "98%" in failed.hint


def test_too_few_samples_to_tell_are_a_note() -> None:
    measure = OutputMeasure("digit", 0.1, 0.01, agreement=1.0, truth=Truth(4, 0.25, 0.25, 0.5, 0.0))
    (note,) = notes(recipe(Checks()), result(), [measure], judge(recipe(Checks()), result(), [measure], 1))
    assert "4 samples" in note


def test_an_output_that_is_far_off_and_not_ruined_is_noted() -> None:
    (note,) = notes(recipe(Checks()), result(), [box(correlation=0.97, relative_error=0.24)], ())
    assert note.startswith("output 'box' is far from the float model's")
    assert notes(recipe(Checks()), result(), [box()], ()) == ()


def test_kernels_may_round_otherwise_and_may_not_compute_something_else() -> None:
    refuse_other_runtime("int8", "litert:2.3.0", [box(relative_error=0.25)], [box(relative_error=0.1)])
    with pytest.raises(
        CheckError, match=r"output 'box' .* 90.0% of its spread there, and 10.0% in TensorFlow's"
    ) as error:
        refuse_other_runtime("int8", "litert:2.3.0", [box(relative_error=0.9)], [box(relative_error=0.1)])
    assert error.value.hint.startswith(
        "name another runtime: [android] runtime (`kit toolchains` lists them), or another"
    )
    refuse_other_runtime("int8", "litert:1.4.0", [box(relative_error=0.1)], [box(relative_error=0.1)])
