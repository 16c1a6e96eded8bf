"""The chart of a search: every candidate, the front, the chosen one, the checks; the same bytes each time."""

from __future__ import annotations

from dataclasses import replace
from xml.etree.ElementTree import Element
from xml.etree.ElementTree import fromstring as tree

import pytest

from kit.build.metrics import OutputMeasure
from kit.bundle.latency import Latency
from kit.metrics.scorer import MetricMeasure
from kit.recipe.quantize import Quantize
from kit.recipe.schema import Recipe
from kit.search.auto import ranked
from kit.search.candidates import Candidate
from kit.search.chart import render_chart
from kit.search.found import Found
from kit.search.halves import Halves
from kit.search.loss import first_loss
from kit.search.trials import Trial
from kit.search.tune import tuned


def recipe(checks: str = '{"metrics": [{"output": "y", "metric": "accuracy", "max_drop": 0.01}]}') -> Recipe:
    """Return a recipe with some checks."""
    outputs = '[{"name": "y", "kind": "classes"}]'
    model = '{"path": "m.keras", "id": "m"}'
    checks = checks.replace("{", '{"data": "test.npz", ', 1)
    return Recipe.model_validate_json(f'{{"model": {model}, "outputs": {outputs}, "checks": {checks}}}')


def trial(name: str, size: int, lost: float, *, why: str = "", cost: float = 0.0) -> Trial:
    """Return a candidate of a size that loses so much accuracy on the half that chooses."""
    measure = OutputMeasure("y", 0.0, 0.0, relative_error=lost / 10, agreement=1 - lost)
    measure = replace(measure, metrics=(MetricMeasure("accuracy", 100, 0.95, 0.95 - lost),))
    candidate = Candidate(name, Quantize.model_validate({"scheme": "int4"}))
    return Trial(candidate, size, cost, Halves((measure,), (measure,)), why)


TRIALS = (
    trial("int4 <tiny>", 1000, 0.5, why="too much"),
    trial("mixed", 1500, 0.008, cost=9.0),
    trial("worse", 1700, 0.009, cost=1.0),
    trial("int8", 2000, 0.0, cost=5.0),
    trial("float32", 4000, 0.0, cost=99.0),
    Trial(Candidate("dead", Quantize()), why="it ended with SIGSEGV"),
)


def drawn(root: Element, kind: str) -> list[Element]:
    """Return what is drawn of a class."""
    return [each for each in root.iter() if kind in (each.get("class") or "").split()]


def test_the_chart_has_every_candidate_the_front_and_the_checks() -> None:
    limits = recipe('{"max_bytes": 1800, "metrics": [{"output": "y", "metric": "accuracy", "max_drop": 0.01}]}')
    found, loss = Found(TRIALS, TRIALS[1], limits), first_loss(limits)
    assert loss is not None
    text = render_chart(found, loss)
    assert text == render_chart(Found(TRIALS[::-1], TRIALS[1], limits), loss)
    root = tree(text)  # noqa: S314 - what was written just now
    assert len(drawn(root, "candidate")) == 5
    assert "mixed: 1,500 B, 0.008" in "".join(drawn(root, "chosen")[0].itertext())
    assert "int4 <tiny>" in "".join(root.itertext())
    (front,) = drawn(root, "front")
    corners = str(front.get("points")).split()
    assert len(corners) == 5, "three on the front, and a corner between two; what is worse or as good and larger is not"
    lines = [[float(line.get(key, 0)) for key in ("x1", "x2", "y1", "y2")] for line in drawn(root, "check")]
    assert len(lines) == 2
    (at,) = {line[2] for line in lines if line[2] == line[3]}
    kept = [float(circle.get("cy", 0)) for circle in root.iter() if circle.tag.endswith("circle")]
    assert all(place > at for place in kept), "what keeps the check lies below its line"
    assert sum(each.tag.endswith("path") for each in root.iter()) == 1, "what is far beyond it is a triangle"


@pytest.mark.parametrize(
    ("checks", "name", "limit", "lost"),
    [
        ('{"max_drop": 0.02}', "loss of accuracy", 0.02, None),
        ('{"min_agreement": 0.9}', "disagreement with float", 0.1, 0.008),
        ('{"max_relative_error": 0.3}', "relative error", 0.3, 0.0008),
        ('{"metrics": [{"output": "y", "metric": "agreement", "min": 0.9}]}', "1 - agreement (y)", 0.1, 0.03),
        ('{"metrics": [{"output": "y", "metric": "snr", "min": 20}]}', "noise as a share of the signal (y)", 0.1, 0.01),
    ],
)
def test_what_is_drawn_is_the_first_check_on_a_loss(checks: str, name: str, limit: float, lost: float | None) -> None:
    loss = first_loss(recipe(checks))
    assert loss is not None and loss.name == name
    assert loss.limit == pytest.approx(limit)
    (measure,) = TRIALS[1].halves.chosen_on if TRIALS[1].halves else ()
    measure = replace(measure, metrics=(MetricMeasure("agreement", 9, None, 0.97), MetricMeasure("snr", 9, None, 40.0)))
    assert loss.of((measure,)) == (lost if lost is None else pytest.approx(lost))


def test_a_limit_on_bytes_alone_draws_nothing() -> None:
    assert first_loss(recipe('{"max_bytes": 1000}')) is None


def test_the_smallest_or_the_one_that_costs_least_is_chosen() -> None:
    assert [each.candidate.name for each in ranked(TRIALS, "size")] == ["mixed", "worse", "int8", "float32"]
    assert [each.candidate.name for each in ranked(TRIALS, "speed")] == ["worse", "int8", "mixed", "float32"]


@pytest.mark.parametrize("reverse", [False, True])
def test_latencies_are_part_of_no_choice(reverse: bool) -> None:
    ratios = sorted((0.1 * number for number in range(1, 1 + len(TRIALS))), reverse=reverse)
    timed = [
        replace(each, latency=Latency("float32", ratio, ratio, ratio, 1.0, 30))
        for each, ratio in zip(TRIALS, ratios, strict=True)
    ]
    for prefer in ("size", "speed"):
        names = [[each.candidate.name for each in ranked(done, prefer)] for done in (timed, TRIALS)]
        assert names[0] == names[1]
    assert [each.candidate.name for each in tuned(timed)] == [each.candidate.name for each in tuned(TRIALS)]


def test_tune_takes_what_loses_least_and_is_no_larger_than_plain_int8() -> None:
    done = (trial("int8 of TensorFlow", 1800, 0.01), *TRIALS, trial("int8, octav", 1600, 0.001))
    names = [each.candidate.name for each in tuned(done)]
    assert names == ["int8, octav", "mixed", "worse", "int8 of TensorFlow", "int4 <tiny>"]
