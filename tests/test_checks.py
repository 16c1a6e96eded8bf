"""The gates of a recipe: what passes, what is refused, and what to try next."""

from __future__ import annotations

import pytest

from kit.checks import Verdict, failures, judge
from kit.recipe import Checks, Model, Output, Quantize, Recipe, Scheme
from kit.worker.job import OutputMeasure, Result, SignatureSpec


def recipe(checks: Checks, scheme: Scheme = "int8") -> Recipe:
    """Return a recipe with these gates."""
    return Recipe(
        model=Model(path="m.keras", id="m"),
        quantize=Quantize(scheme=scheme, representative="samples.npz"),
        outputs=[Output(name="digit", kind="classes")],
        checks=checks,
    )


def result(*measures: OutputMeasure) -> Result:
    """Return what the worker measured."""
    return Result(
        signature=SignatureSpec("serving_default", (), ()),
        others=(),
        kept=(),
        train=None,
        variables=(),
        flex=(),
        notes=(),
        measures=measures,
        samples=100,
        measured_on="checks",
        parameters=10,
        loader="keras 3.15.1",
        tensorflow="2.19.1",
        machine="x86_64",
        portable=True,
    )


def digit(agreement: float | None = 1.0, before: float | None = None, after: float | None = None) -> OutputMeasure:
    """Return the measure of an output of kind classes."""
    return OutputMeasure("digit", 0.1, 0.01, 1.0, agreement, before, after)


def verdict(checks: Checks, *measures: OutputMeasure, size: int = 1000, scheme: Scheme = "int8") -> Verdict:
    """Return the one verdict on these measures."""
    (only,) = judge(recipe(checks, scheme), result(*measures), size)
    return only


def test_a_recipe_without_gates_judges_nothing() -> None:
    assert judge(recipe(Checks()), result(digit(0.0, 1.0, 0.0)), 10**9) == ()


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
    verdicts = judge(recipe(Checks(data="t.npz", min_agreement=0.9)), result(digit(0.95), box, other), 1)
    assert [(v.name, v.passed) for v in verdicts] == [("min_agreement (digit)", True), ("min_agreement (other)", False)]


def test_only_the_gates_that_refused_are_failures() -> None:
    checks = Checks(data="t.npz", min_agreement=0.9, max_drop=0.01, max_bytes=10)
    verdicts = judge(recipe(checks), result(digit(0.8, 0.9, 0.9)), 11)
    assert [v.name for v in failures(verdicts)] == ["max_bytes", "min_agreement (digit)"]
    assert len(verdicts) == 3


@pytest.mark.parametrize(
    ("scheme", "next_step"),
    [
        ("float32", "float16, dynamic or int8"),
        ("float16", "dynamic or int8"),
        ("dynamic", "int8"),
        ("int8", "smaller model"),
    ],
)
def test_a_model_that_is_too_large_is_told_the_smaller_schemes(scheme: Scheme, next_step: str) -> None:
    assert next_step in verdict(Checks(max_bytes=1), scheme=scheme).hint


@pytest.mark.parametrize(
    ("scheme", "next_step"),
    [("int8", "representative data"), ("dynamic", 'scheme = "float16"'), ("float32", "another TensorFlow version")],
)
def test_a_model_that_lost_too_much_is_told_what_is_milder(scheme: Scheme, next_step: str) -> None:
    assert next_step in verdict(Checks(data="t.npz", min_agreement=1.0), digit(0.5), scheme=scheme).hint
