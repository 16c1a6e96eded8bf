"""Each metric against its library on random data; and what becomes of one class, ties, NaN and what is empty."""

from __future__ import annotations

import contextlib
import io
import math
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_args

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics as sk
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from sklearn.metrics.pairwise import cosine_similarity
from worlds import ROOT

from kit.metrics import against_float, boxes, classes, embeddings, masks, regression
from kit.metrics.interval import FEWEST, MOST, interval, paired_shares, resamples, student
from kit.metrics.scorer import Scorer, UndefinedError
from kit.metrics.table import DEFAULTS, METRICS, MetricName

NAN = float("nan")


def rng() -> np.random.Generator:
    """Return the same random numbers for each test."""
    return np.random.default_rng(11)


def guesses(count: int, kinds: int) -> tuple[np.ndarray, np.ndarray]:
    """Return classes, int64 [N], and probabilities that know something of them, float32 [N, C]; rounded: with ties."""
    truth = rng().integers(0, kinds, count)
    scores = rng().random((count, kinds)) + 0.8 * np.eye(kinds)[truth]
    shares = np.round(scores / scores.sum(axis=1, keepdims=True), 2)
    return truth, (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


def value(name: str, truth: Any, scores: Any, k: int = 1) -> float:
    """Return a metric of classes."""
    return classes.scorer(name, k, np.asarray(truth), np.asarray(scores, np.float32)).value(None)


LIBRARY: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": lambda y, p: sk.accuracy_score(y, p.argmax(1)),
    "balanced_accuracy": lambda y, p: sk.balanced_accuracy_score(y, p.argmax(1)),
    "f1_macro": lambda y, p: sk.f1_score(y, p.argmax(1), average="macro"),
    "auc": lambda y, p: sk.roc_auc_score(y, p.astype(np.float64), multi_class="ovr"),
    "average_precision": lambda y, p: sk.average_precision_score(y, p, average="macro"),
    "log_loss": lambda y, p: sk.log_loss(y, np.clip(p, np.finfo(np.float32).eps, 1)),
}
BINARY: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "f1": lambda y, p: sk.f1_score(y, p.argmax(1)),
    "auc": lambda y, p: sk.roc_auc_score(y, p[:, 1]),
    "average_precision": lambda y, p: sk.average_precision_score(y, p[:, 1]),
    "log_loss": lambda y, p: sk.log_loss(y, np.clip(p, np.finfo(np.float32).eps, 1)),
    "balanced_accuracy": lambda y, p: sk.balanced_accuracy_score(y, p.argmax(1)),
}


def test_every_metric_has_a_name_a_kind_and_an_output_that_may_ask_for_it() -> None:
    assert set(get_args(MetricName)) == set(METRICS)
    for kind, names in DEFAULTS.items():
        assert all(kind in METRICS[name].kinds and METRICS[name].against == "truth" for name in names)


@pytest.mark.parametrize("name", LIBRARY)
def test_metrics_of_classes_are_those_of_scikit_learn(name: str) -> None:
    truth, scores = guesses(400, 6)
    assert value(name, truth, scores) == pytest.approx(LIBRARY[name](truth, scores), abs=1e-5)


@pytest.mark.parametrize("name", BINARY)
def test_metrics_of_two_classes_are_those_of_class_one(name: str) -> None:
    truth, scores = guesses(300, 2)
    assert value(name, truth, scores) == pytest.approx(BINARY[name](truth, scores), abs=1e-6)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k_is_scikit_learns_where_no_scores_are_equal(k: int) -> None:
    truth, _ = guesses(300, 8)
    scores = rng().permuted(np.tile(np.arange(8.0), (300, 1)), axis=1).astype(np.float32)
    assert value("top_k", truth, scores, k) == pytest.approx(sk.top_k_accuracy_score(truth, scores, k=k))
    hits = classes.scorer("top_k", k, truth, scores).hits
    assert hits is not None and hits.mean() == pytest.approx(value("top_k", truth, scores, k))


def test_of_equal_scores_the_lower_class_is_better_in_every_count() -> None:
    scores = [[0.4, 0.4, 0.2, 0.0], [0.4, 0.4, 0.2, 0.0], [0.25, 0.25, 0.25, 0.25]]
    assert value("accuracy", [0, 1, 2], scores) == pytest.approx(1 / 3)
    for k, right in ((1, 1 / 3), (2, 2 / 3), (3, 1.0)):
        assert value("top_k", [0, 1, 2], scores, k) == pytest.approx(right)
        hits = classes.scorer("top_k", k, np.array([0, 1, 2]), np.array(scores, np.float32)).hits
        assert hits is not None and hits.mean() == pytest.approx(right)
    assert value("top_k", [3, 1, 2], scores, 4) == 1.0, "no more than k classes"
    assert value("auc", [0, 1], [[0.5, 0.5], [0.5, 0.5]]) == 0.5, "equal scores count one half"


def test_one_class_alone_has_no_auc_and_its_own_recall() -> None:
    scores = [[0.1, 0.9], [0.6, 0.4]]
    assert value("balanced_accuracy", [1, 1], scores) == 0.5
    assert value("f1", [1, 1], scores) == pytest.approx(2 / 3)
    assert value("f1", [0, 0], [[1, 0], [1, 0]]) == 0.0
    with pytest.raises(UndefinedError, match="one class only"):
        value("auc", [1, 1], scores)
    assert value("average_precision", [1, 1], scores) == 1.0
    with pytest.raises(UndefinedError, match="class 1 does not occur"):
        value("average_precision", [0, 0], scores)
    assert value("log_loss", [1, 1], scores) == pytest.approx(-(math.log(0.9) + math.log(0.4)) / 2)


def test_of_several_classes_those_that_do_not_occur_are_left_out() -> None:
    truth, scores = guesses(200, 4)
    kept = truth != 3
    truth, scores = truth[kept], scores[kept]
    wanted = np.mean([sk.roc_auc_score(truth == each, scores[:, each]) for each in range(3)])
    assert value("auc", truth, scores) == pytest.approx(wanted)


@pytest.mark.parametrize("name", ["accuracy", "auc", "log_loss", "f1_macro"])
def test_nan_in_scores_leaves_no_value(name: str) -> None:
    with pytest.raises(UndefinedError, match="NaN or infinity"):
        value(name, [0, 1], [[NAN, 1.0], [0.5, 0.5]])


def test_log_loss_needs_probabilities_and_bears_eight_bits() -> None:
    with pytest.raises(UndefinedError, match="no probabilities"):
        value("log_loss", [0, 1], [[3.0, -1.0], [0.2, 0.1]])
    assert value("log_loss", [0], [[0.99, 0.0]]) == pytest.approx(0.0, abs=1e-5), "shares are divided by their sum"
    assert value("log_loss", [1], [[1.0, 0.0]]) == pytest.approx(-math.log(np.finfo(np.float32).eps), rel=1e-3)


def test_positions_of_a_sample_are_decisions_of_their_own() -> None:
    truth, scores = guesses(60, 3)
    several = classes.scorer("accuracy", 1, truth.reshape(20, 3), scores.reshape(20, 3, 3))
    assert (several.samples, several.hits) == (20, None)
    assert several.value(None) == value("accuracy", truth, scores)
    assert several.value(np.array([0, 0])) == value("accuracy", truth[:3], scores[:3])


# ---------------------------------------------------------------- numbers


NUMBERS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "mae": sk.mean_absolute_error,
    "rmse": sk.root_mean_squared_error,
    "r2": sk.r2_score,
    "pearson": lambda y, p: float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(y.T, p.T, strict=True)])),
    "spearman": lambda y, p: float(
        np.mean([scipy.stats.spearmanr(a, b).statistic for a, b in zip(y.T, p.T, strict=True)])
    ),
}


def number(name: str, truth: Any, outputs: Any) -> float:
    """Return a metric of numbers."""
    return regression.scorer(name, np.asarray(truth), np.asarray(outputs)).value(None)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("targets", [1, 3])
def test_metrics_of_numbers_are_those_of_their_libraries(name: str, targets: int) -> None:
    truth = np.round(rng().normal(size=(200, targets)), 1)  # with ties
    outputs = np.round(truth + rng().normal(scale=0.7, size=truth.shape), 1)
    assert number(name, truth, outputs) == pytest.approx(NUMBERS[name](truth, outputs), abs=1e-9)


def test_equal_numbers_share_their_mean_rank() -> None:
    assert number("spearman", [[1.0], [2.0], [2.0], [3.0]], [[1.0], [5.0], [5.0], [9.0]]) == pytest.approx(1.0)
    tied = number("spearman", [[1.0], [2.0], [3.0]], [[1.0], [1.0], [2.0]])
    assert tied == pytest.approx(np.corrcoef([1, 2, 3], [1.5, 1.5, 3])[0, 1])


def test_what_does_not_vary_has_no_correlation_and_one_sample_no_r2() -> None:
    with pytest.raises(UndefinedError, match="same for all samples"):
        number("pearson", [[2.0], [2.0]], [[1.0], [3.0]])
    assert number("spearman", [[1.0], [2.0]], [[5.0], [5.0]]) == 0.0
    assert number("pearson", [[1.0, 7.0], [2.0, 7.0]], [[1.0, 0.0], [2.0, 1.0]]) == pytest.approx(1.0), "one varies"
    with pytest.raises(UndefinedError, match="no variance"):
        number("r2", [[1.0]], [[1.0]])
    assert number("r2", [[2.0], [2.0]], [[2.0], [2.0]]) == 1.0
    assert number("r2", [[2.0], [2.0]], [[2.0], [3.0]]) == 0.0
    with pytest.raises(UndefinedError, match="NaN or infinity"):
        number("mae", [[2.0]], [[np.inf]])


# ---------------------------------------------------------------- masks


def test_mean_iou_is_the_macro_jaccard_of_scikit_learn_over_all_pixels() -> None:
    truth = rng().integers(0, 4, (9, 12, 10))
    given = np.where(rng().random(truth.shape) < 0.7, truth, rng().integers(0, 5, truth.shape))
    found = np.stack([masks.counts(one, other, 6) for one, other in zip(truth, given, strict=True)])
    wanted = sk.jaccard_score(truth.ravel(), given.ravel(), average="macro")
    assert masks.scorer(found).value(None) == pytest.approx(wanted)
    some = np.array([3, 3, 5])
    wanted = sk.jaccard_score(truth[some].ravel(), given[some].ravel(), average="macro")
    assert masks.scorer(found).value(some) == pytest.approx(wanted)


def test_empty_masks_and_pixels_without_a_class() -> None:
    empty, full = np.zeros((2, 2), np.int64), np.ones((2, 2), np.int64)
    assert masks.mean_iou(masks.counts(empty, empty, 3)[None]) == 1.0, "background alone, as it should be"
    assert masks.mean_iou(masks.counts(empty, full, 3)[None]) == 0.0
    void = np.array([[-1, -1], [-1, 0]])
    assert masks.mean_iou(masks.counts(void, np.array([[1, 1], [1, 0]]), 3)[None]) == 1.0
    with pytest.raises(UndefinedError, match="no pixel has a class"):
        masks.mean_iou(masks.counts(np.full((2, 2), -1), full, 3)[None])


# ---------------------------------------------------------------- boxes


def scattered(count: int) -> tuple[list[boxes.Found], list[boxes.Found]]:
    """Return true boxes of three classes, and predictions near some of them and elsewhere."""
    draw, truth, guessed = rng(), [], []
    for index in range(count):
        many = int(draw.integers(0, 5)) if index else 0
        corners = draw.random((many, 4)) * 0.5
        corners[:, 2:] += corners[:, :2] + 0.1
        numbers = draw.integers(0, 3, many)
        near = corners + draw.normal(scale=0.02, size=corners.shape)
        rest = draw.random((3, 4)) * 0.5
        rest[:, 2:] += rest[:, :2] + 0.1
        crowd = draw.random(many) < 0.1
        truth.append(boxes.Found(corners * 100, numbers, None, crowd))
        kept = draw.random(many) < 0.8
        given = np.concatenate([near[kept], rest])
        named = np.concatenate([numbers[kept], draw.integers(0, 3, 3)])
        scores = np.round(draw.random(len(given)), 1)
        guessed.append(boxes.Found(given * 100, named, scores))
    return truth, guessed


def coco_map(truth: list[boxes.Found], guessed: list[boxes.Found]) -> float:
    """Return what pycocotools summarizes as AP, its own way: a dataset, results, and all areas."""
    held = COCO()
    annotations = [
        {"id": 0, "image_id": index + 1, "category_id": int(number) + 1, "bbox": [*box[:2], *(box[2:] - box[:2])]}
        | {"area": float(np.prod(box[2:] - box[:2])), "iscrowd": int(crowd)}
        for index, sample in enumerate(truth)
        for box, number, crowd in zip(
            sample.corners, sample.classes, np.zeros(99) if sample.crowd is None else sample.crowd, strict=False
        )
    ]
    annotations = [each | {"id": place + 1} for place, each in enumerate(annotations)]
    results = [
        {"image_id": index + 1, "category_id": int(number) + 1, "bbox": [*box[:2], *(box[2:] - box[:2])]}
        | {"score": float(score)}
        for index, sample in enumerate(guessed)
        for box, number, score in zip(sample.corners, sample.classes, sample.scores, strict=True)  # type: ignore[arg-type]
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        held.dataset = {
            "images": [{"id": index + 1} for index in range(len(truth))],
            "categories": [{"id": number} for number in (1, 2, 3)],
            "annotations": annotations,
        }
        held.createIndex()
        evaluation = COCOeval(held, held.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


def test_map_is_what_pycocotools_summarizes(capsys: pytest.CaptureFixture[str]) -> None:
    truth, guessed = scattered(30)
    found = boxes.scorer(truth, guessed)
    wanted = coco_map(truth, guessed)
    assert 0.05 < wanted < 0.95
    assert found.value(None) == pytest.approx(wanted)
    rows = np.array([4, 4, 9, 20, 21])
    drawn = coco_map([truth[row] for row in rows], [guessed[row] for row in rows])
    assert found.value(rows) == pytest.approx(drawn), "a sample that is drawn twice counts twice"
    assert found.value(None) == pytest.approx(wanted), "and no draw changes the rest"
    assert capsys.readouterr().out == "", "it says nothing"


def test_boxes_that_are_measured_in_several_threads_leave_stdout_as_it_was() -> None:
    truth, guessed = scattered(6)
    stdout = sys.stdout
    with ThreadPoolExecutor(4) as pool:
        values = list(pool.map(lambda _: boxes.scorer(truth, guessed).value(None), range(64)))
    assert len(set(values)) == 1
    assert sys.stdout is stdout


def none(scores: bool) -> boxes.Found:
    """Return no boxes."""
    return boxes.Found(np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0) if scores else None)


def test_without_boxes_there_is_no_map_and_without_finds_it_is_zero() -> None:
    truth, guessed = scattered(8)
    assert boxes.scorer(truth, [none(True)] * 8).value(None) == 0.0
    with pytest.raises(UndefinedError, match="no boxes"):
        boxes.scorer([none(False)] * 8, guessed).value(None)
    own = [boxes.Found(each.corners, each.classes, np.ones(len(each.classes))) for each in truth]
    assert boxes.scorer([boxes.Found(each.corners, each.classes) for each in truth], own).value(None) == 1.0


# ---------------------------------------------------------------- embeddings


def crowds(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return identities, int64 [N], and vectors near those of their own, float32 [N, 8]."""
    truth = rng().integers(0, count // 4, count)
    centers = rng().normal(size=(count, 8))
    return truth, (centers[truth] + rng().normal(scale=0.9, size=(count, 8))).astype(np.float32)


@pytest.mark.parametrize("k", [1, 3])
def test_recall_at_k_is_counted_by_hand(k: int) -> None:
    truth, vectors = crowds(80)
    likeness = cosine_similarity(vectors)
    np.fill_diagonal(likeness, -np.inf)
    right = [
        truth[row] in truth[np.argsort(-likeness[row])[:k]] for row in range(80) if (truth == truth[row]).sum() > 1
    ]
    found = embeddings.scorer(k, truth, vectors)
    assert found.samples == len(right)
    assert found.value(None) == pytest.approx(np.mean(right))
    assert 0.3 < found.value(None) < 1


def test_identities_that_no_other_has_are_no_queries() -> None:
    with pytest.raises(UndefinedError, match="no two samples"):
        embeddings.scorer(1, np.arange(4), np.eye(4, dtype=np.float32)).value(None)
    vectors = np.array([[1, 0], [1, 0.1], [0, 1]], np.float32)
    assert embeddings.scorer(5, np.array([7, 7, 9]), vectors).value(None) == 1.0
    vectors[0] = NAN
    with pytest.raises(UndefinedError, match="NaN"):
        embeddings.scorer(1, np.array([7, 7, 9]), vectors).value(None)


# ---------------------------------------------------------------- without truth


def test_metrics_against_the_float_model() -> None:
    exact = rng().normal(size=(50, 6)).astype(np.float32)
    got = (exact + rng().normal(scale=0.01, size=exact.shape)).astype(np.float32)
    noise = got.astype(np.float64) - exact
    decibels = 10 * np.log10(np.mean(exact.astype(np.float64) ** 2) / np.mean(noise**2))
    assert against_float.measure("snr", exact, got) == pytest.approx(decibels)
    assert against_float.measure("max_error", exact, got) == pytest.approx(np.abs(noise).max() / exact.std(), rel=1e-5)
    wanted = np.diag(cosine_similarity(exact, got)).mean()
    assert against_float.measure("cosine", exact, got) == pytest.approx(wanted, abs=1e-6)
    assert against_float.measure("agreement", np.array([[0, 1], [2, 3]]), np.array([[0, 1], [2, 0]])) == 0.75


def test_equal_constant_and_broken_outputs_against_the_float_model() -> None:
    zeros, ones = np.zeros((3, 2), np.float32), np.ones((3, 2), np.float32)
    assert against_float.measure("snr", ones, ones) == against_float.EXACT
    assert against_float.measure("max_error", ones, ones) == 0.0
    assert against_float.measure("cosine", zeros, ones) == 0.0
    for name in ("snr", "max_error"):
        with pytest.raises(UndefinedError, match="for all samples"):
            against_float.measure(name, zeros, ones)
        with pytest.raises(UndefinedError, match="NaN"):
            against_float.measure(name, ones, ones * NAN)


# ---------------------------------------------------------------- intervals


def test_the_interval_of_paired_shares_is_agresti_and_mins() -> None:
    # Their approval ratings: 794 approved twice, 150 the first time alone, 86 the second time alone, 570 never.
    before = np.repeat([True, True, False, False], [794, 150, 86, 570])
    after = np.repeat([True, False, True, False], [794, 150, 86, 570])
    low, high = paired_shares(before, after)
    assert (round(low, 3), round(high, 3)) == (0.021, 0.059)
    wide = paired_shares(np.ones(3, bool), np.ones(3, bool))
    assert wide[0] == pytest.approx(-wide[1]) and wide[1] > 0.3, "three samples show nothing"


def test_the_bootstrap_is_paired_and_the_same_each_time() -> None:
    truth = rng().normal(size=(300, 1))
    one = truth + rng().normal(size=truth.shape)
    pair = [regression.scorer("mae", truth, outputs) for outputs in (one, one + 0.001 * rng().normal(size=truth.shape))]
    difference = pair[0].value(None) - pair[1].value(None)
    ends = interval(pair[0], pair[1], difference)
    assert ends == interval(pair[0], pair[1], difference)
    assert ends is not None and ends[0] < difference < ends[1]
    assert ends[1] - ends[0] < 0.001, "what both share is no noise of the difference"
    few = [regression.scorer("mae", truth[:5], outputs[:5]) for outputs in (one, truth)]
    assert interval(few[0], few[1], 0.5) is None


def test_the_bootstrap_has_the_deviation_that_theory_has() -> None:
    truth = np.zeros((400, 1))
    one, other = rng().normal(size=(2, 400, 1))
    pair = [regression.scorer("mae", truth, each) for each in (one, other)]
    ends = interval(pair[0], pair[1], 0.0)
    assert ends is not None
    wanted = (np.abs(one) - np.abs(other)).std() / 20 * 1.96
    assert (ends[1] - ends[0]) / 2 == pytest.approx(wanted, rel=0.15)


def test_resamples_are_fewer_of_more_data_and_those_without_a_value_do_not_count() -> None:
    assert (resamples(1), resamples(50_000), resamples(10**9)) == (MOST, 80, FEWEST)
    for freedom in (9, 39, 399):
        assert student(freedom) == pytest.approx(scipy.stats.t.ppf(0.975, freedom), rel=2e-3)

    def never(rows: np.ndarray | None) -> float:
        """Return a value of all samples, and none of some."""
        if rows is not None:
            raise UndefinedError("some")
        return 1.0

    scorer = Scorer(100, never, 100)
    assert interval(scorer, scorer, 0.0) is None


LIGHT = """
import sys
import numpy as np
import kit.build.output_metrics, kit.build.truth_fit, kit.recipe.load
from kit.metrics import against_float, boxes, classes, embeddings, masks, regression
truth, scores = np.arange(20) % 3, np.eye(3, dtype=np.float32)[np.arange(20) % 3]
assert classes.scorer("accuracy", 1, truth, scores).value(None) == 1.0
assert against_float.measure("agreement", truth, truth) == 1.0
print(sorted({"sklearn", "scipy", "pycocotools"} & set(sys.modules)))
"""


def test_libraries_are_loaded_for_metrics_that_need_them_alone() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
