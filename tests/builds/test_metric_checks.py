"""Metrics of outputs that are given, and what becomes of them: limits, reasons, notes, and frames that differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from worlds import bare_result

from kit.build.bundle_signature import Labels, read_forms, signature_of
from kit.build.checks import Verdict, failures, judge, notes
from kit.build.metric_checks import metric_words
from kit.build.metrics import OutputMeasure, measure
from kit.build.output_metrics import with_metrics
from kit.build.plan import Plan
from kit.build.raw_inputs import RawInputs
from kit.build.truth import OutputTruth, TrueBoxes
from kit.build.write_bundle import Parts
from kit.engine import JobFolder
from kit.errors import RecipeError
from kit.metrics.scorer import MetricMeasure
from kit.recipe.checks import Checks, MetricCheck
from kit.recipe.output import Output
from kit.recipe.schema import Input, Model, Recipe
from kit.shared.job import SignatureSpec, TensorSpec
from kit.toolchains.toolchain import find_runtime, find_toolchain

IMAGE = TensorSpec("image", (1, 10, 10, 1), "float32")
RNG = np.random.default_rng(3)


def measured(
    request: Output,
    outputs: dict[str, tuple[Any, Any]],
    truth: OutputTruth | None,
    *asked: MetricCheck,
    resize: Any = None,
    framed: bool = False,
    checks: Checks | None = None,
) -> tuple[Recipe, OutputMeasure]:
    """Return the recipe and the measure of its output; outputs: the float model's and the file's by name, [N, ...]."""
    arrays = {name: tuple(np.asarray(each, np.float32) for each in both) for name, both in outputs.items()}
    recipe = Recipe(
        model=Model(path="m.keras", id="m"),
        inputs=[Input(name="image", kind="image", resize=resize)],
        outputs=[request],
        checks=checks or Checks(data="held.npz", metrics=list(asked)),
    )
    specs = tuple(TensorSpec(name, (1, *both[0].shape[1:]), "float32") for name, both in arrays.items())
    result = bare_result(SignatureSpec("serve", (IMAGE,), specs), len(next(iter(arrays.values()))[0]))
    labels = {request.name: Labels("labels.txt", ("a", "b", "c"))} if request.labels else {}
    runtime = find_runtime(recipe.android.runtime)
    lock = runtime.lock(images=True)
    plan = Plan(recipe, find_toolchain("2.19.1"), "asked", (), None, None, lock, labels, "key")
    signature = signature_of(recipe, result, labels, read_forms(recipe, result, labels, {}), RawInputs())
    folder = JobFolder(Path(), Path(), Path("log"))
    truths = {} if truth is None else {request.name: truth}
    parts = Parts(plan, result, folder, b"", {}, signature, truths=truths, framed=framed)
    evaluated = {f"float/{name}": both[0] for name, both in arrays.items()}
    predictions = {f"output/{name}": both[1] for name, both in arrays.items()}
    measures = measure(recipe, result.signature, evaluated, predictions, (), truths)
    found = with_metrics(parts, evaluated, predictions, measures)
    return recipe, next(each for each in found if each.name == request.name)


def given(values: Any) -> OutputTruth:
    """Return truth that came in an .npz."""
    return OutputTruth("held.npz: 'y/y'", np.asarray(values))


def verdicts(recipe: Recipe, found: OutputMeasure) -> list[Verdict]:
    """Return what the recipe's metrics come to, without what the gate says."""
    judged = judge(recipe, bare_result(SignatureSpec("serve", (), ()), 10), [found], 1)
    return [verdict for verdict in judged if "float" not in verdict.name and "relative error" not in verdict.name]


def asks(metric: Any, **limits: Any) -> MetricCheck:
    """Return a check of output y."""
    return MetricCheck(output="y", metric=metric, **limits)


CLASSES = Output(name="y", kind="classes")
TENSOR = Output(name="y")


def digits(right: int, count: int) -> np.ndarray:
    """Return scores of three classes, float32 [count, 3]: class 0, and class 1 for those that are not right."""
    return np.eye(3, dtype=np.float32)[np.where(np.arange(count) < right, 0, 1)]


@pytest.mark.parametrize(("after", "passed"), [(98, True), (97, True), (96, False)])
def test_max_drop_of_a_metric_is_the_largest_loss_that_passes(after: int, passed: bool) -> None:
    truth = given(np.zeros(100, int))
    asked = asks("accuracy", max_drop=0.02)
    recipe, found = measured(CLASSES, {"y": (digits(99, 100), digits(after, 100))}, truth, asked)
    (verdict,) = [each for each in verdicts(recipe, found) if each.name.startswith("max_drop of")]
    assert (verdict.name, verdict.limit, verdict.passed) == ("max_drop of accuracy (y)", "<= 0.02", passed)
    assert verdict.value.endswith(f"(0.99 -> {after / 100:g})")
    assert bool(failures([verdict])) is not passed


def test_of_a_loss_less_is_better_and_a_drop_is_growth() -> None:
    truth = RNG.normal(size=(50, 1))
    asked = (asks("mae", max_drop=0.5, max=1.2), asks("rmse", max_drop=0.1), asks("r2", min=0.5))
    recipe, found = measured(TENSOR, {"y": (truth + 1, truth + 1.4)}, given(truth), *asked)
    by_name = {verdict.name: verdict for verdict in verdicts(recipe, found)}
    assert by_name["max_drop of MAE (y)"].passed
    assert by_name["max_drop of MAE (y)"].value == "0.4 (1 -> 1.4)"
    assert not by_name["MAE (y)"].passed
    assert not by_name["max_drop of RMSE (y)"].passed
    assert not by_name["R2 (y)"].passed
    better = measured(TENSOR, {"y": (truth + 1, truth)}, given(truth), asks("mae", max_drop=0.0))
    assert [verdict.passed for verdict in verdicts(*better)] == [True], "a gain is no drop"


def test_what_a_recipe_asks_nothing_of_is_measured_and_never_refused() -> None:
    truth = RNG.normal(size=(30, 2)).astype(np.float32)
    recipe, found = measured(TENSOR, {"y": (truth, truth * 0.5)}, given(truth))
    assert [(each.name, each.before) for each in found.metrics] == [("r2", 1.0), ("mae", 0.0)]
    assert verdicts(recipe, found) == []
    _, found = measured(TENSOR, {"y": (truth, truth)}, None)
    assert found.metrics == ()


def test_a_metric_without_a_value_fails_and_says_why() -> None:
    truth = given(np.zeros(20, int))
    recipe, found = measured(CLASSES, {"y": (digits(9, 20), digits(9, 20))}, truth, asks("auc", min=0.5, max_drop=1))
    assert [verdict.passed for verdict in verdicts(recipe, found)] == [False, False]
    assert {verdict.value for verdict in verdicts(recipe, found)} == {"no value: the truth has one class only"}
    assert metric_words(found.metrics[0]) == "no value: the truth has one class only"
    broken = digits(9, 20)
    broken[3, 1] = np.nan
    recipe, found = measured(CLASSES, {"y": (digits(9, 20), broken)}, truth, asks("accuracy", min=0.1))
    assert found.metrics[0].before == 0.45 and found.metrics[0].after is None
    assert "NaN" in found.metrics[0].why and not any(verdict.passed for verdict in verdicts(recipe, found))


def test_too_little_data_says_so_whatever_the_limit_is_set_by() -> None:
    short, long = (
        Checks(data="held.npz", max_drop=0.01),
        Checks(data="held.npz", metrics=[asks("accuracy", max_drop=0.01)]),
    )
    for checks in (short, long):
        for count, few in ((40, True), (4000, False)):
            both = {"y": (digits(count - 1, count), digits(count - 1, count))}
            recipe, found = measured(CLASSES, both, given(np.zeros(count, int)), checks=checks)
            said = notes(recipe, bare_result(SignatureSpec("s", (), ()), count), [found], [])
            assert (
                any(f"{count:,} samples are too few to say that accuracy of output 'y' drops" in each for each in said)
                is few
            )
    truth = RNG.normal(size=(5, 1))
    recipe, found = measured(TENSOR, {"y": (truth, truth)}, given(truth), asks("mae", max_drop=1))
    (note,) = notes(recipe, bare_result(SignatureSpec("s", (), ()), 5), [found], [])
    assert note == "5 samples are too few to say that MAE of output 'y' drops by at most 1; give more [checks] data"


def test_f1_is_of_two_classes_and_its_next_step_is_of_more() -> None:
    both, truth = {"y": (digits(9, 20), digits(9, 20))}, given(np.zeros(20, int))
    with pytest.raises(RecipeError, match="'f1' is of two classes, and output 'y' has 3") as caught:
        measured(CLASSES, both, truth, asks("f1", min=0.1))
    assert caught.value.hint == 'use metric = "f1_macro"'
    _, found = measured(CLASSES, both, truth, asks("f1_macro", min=0.1))
    assert found.metrics[0].after == pytest.approx(0.310344828)


def test_one_unit_is_two_classes_after_its_activation() -> None:
    logits, truth = np.array([[-2.0], [-1.0], [1.0], [3.0]]), [0, 0, 0, 1]
    request = Output(name="y", kind="classes", activation="sigmoid")
    _, found = measured(request, {"y": (logits, logits)}, given(truth), asks("f1", min=0), asks("auc", min=0))
    assert [each.before for each in found.metrics] == [pytest.approx(2 / 3), 1.0, 0.75]


def test_samples_that_a_fixed_batch_leaves_out_have_no_truth() -> None:
    both = {"y": (digits(4, 4), digits(4, 4))}
    _, found = measured(CLASSES, both, given([0, 0, 0, 1, 2]))
    assert (found.metrics[0].samples, found.metrics[0].after) == (4, 0.75)
    _, found = measured(CLASSES, both, given([0, 1]))
    assert found.metrics[0].after == 0.5, "two samples were run twice to fill a batch"


# ---------------------------------------------------------------- boxes and masks in their frames

BOXES = Output(name="y", kind="boxes", head="scores", scores="s", format="xyxy", labels="labels.txt", threshold=0.5)


def found_boxes(truth: OutputTruth, box: list[float], score: float = 0.9, **keys: Any) -> MetricMeasure:
    """Return mAP where both models find this box of class 1, normalized, in each of two images."""
    scores = [[[0.0, score, 0.0]]] * 2
    _, found = measured(BOXES, {"y": ([[box]] * 2, [[box]] * 2), "s": (scores, scores)}, truth, **keys)
    return found.metrics[0]


def true_boxes(size: tuple[int, int], *box: float) -> OutputTruth:
    """Return one true box of class 1 in each of two frames of a size."""
    each = TrueBoxes(size, np.array([[1.0, *box]]), np.zeros(1, bool))
    return OutputTruth("t.json", boxes=(each, each))


def test_boxes_are_compared_in_the_frame_that_the_model_saw_a_part_of() -> None:
    wide = true_boxes((200, 100), 60, 10, 140, 60)  # the model sees the 100 x 100 in its middle
    assert found_boxes(wide, [0.1, 0.1, 0.9, 0.6], resize="crop", framed=True).after == 1.0
    assert found_boxes(wide, [0.3, 0.1, 0.7, 0.6], resize="crop", framed=True).after == 0.0
    assert found_boxes(wide, [0.3, 0.1, 0.7, 0.6], framed=True).after == 1.0, "stretch is the whole frame"
    assert found_boxes(wide, [0.3, 0.1, 0.7, 0.6], resize="crop").after == 1.0, "an .npz was cut before"
    assert found_boxes(wide, [0.3, 0.25, 0.7, 0.5], resize="letterbox", framed=True).after == 1.0
    rows = given([[[1, 0.3, 0.1, 0.7, 0.6]], [[1, 0.3, 0.1, 0.7, 0.6]]])
    assert found_boxes(rows, [0.3, 0.1, 0.7, 0.6]).after == 1.0


def test_map_counts_boxes_below_the_threshold_of_the_app() -> None:
    rows = given([[[1, 0.3, 0.1, 0.7, 0.6]], [[1, 0.3, 0.1, 0.7, 0.6]]])
    assert found_boxes(rows, [0.3, 0.1, 0.7, 0.6], score=0.2).after == 1.0
    assert found_boxes(rows, [0.3, 0.1, 0.7, 0.6], score=0.0001).after == 0.0


def test_masks_are_compared_in_the_frame_and_what_was_not_seen_is_not_counted(tmp_path: Path) -> None:
    drawing = np.zeros((100, 200), np.uint8)
    drawing[:, 100:] = 1
    drawing[:, :50] = 255
    Image.fromarray(drawing).save(tmp_path / "a.png")
    truth = OutputTruth("t", masks=(tmp_path / "a.png",))
    seen = np.zeros((1, 10, 10, 2), np.float32)
    seen[..., :5, 0], seen[..., 5:, 1] = 1, 1
    request = Output(name="y", kind="mask")
    _, found = measured(request, {"y": (seen, seen)}, truth, resize="crop", framed=True)
    assert found.metrics[0].after == 1.0
    _, found = measured(request, {"y": (seen, 1 - seen)}, given(drawing[None, :, 50:150].repeat(1, 0)))
    assert (found.metrics[0].before, found.metrics[0].after) == (1.0, 0.0), "another size is the same place"
    single = np.zeros((1, 10, 10), np.float32)
    single[..., 5:] = 0.6
    white = np.where(drawing[None, :, 50:150] == 1, 255, 0)
    _, found = measured(request, {"y": (single, single)}, given(white))
    assert found.metrics[0].after == 1.0, "255 is class 1 of one channel"
