"""Metrics of a bundle's outputs against the truth: those of each kind of output, and those of its own recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.build.metric_checks import shown
from kit.build.output_metrics import Around, Both, Subject, measured
from kit.bundle.layout import Bundle
from kit.bundle.signature import SignatureEntry, TensorEntry
from kit.metrics.scorer import MetricMeasure
from kit.metrics.table import METRICS, title
from kit.recipe.checks import MetricCheck
from kit.recipe.labels import read_labels
from kit.recipe.output import Output
from kit.scoring.samples import Run
from kit.scoring.truth_file import read_truths

Wanted = Mapping[str, Sequence[tuple[str, int | None]]]  # by output, metrics by name and k


@dataclass(frozen=True)
class OutputScore:
    """The metrics of one output."""

    output: str
    metrics: tuple[MetricMeasure, ...]

    @property
    def line(self) -> str:
        """Say all of them in one line."""
        words = [f"{title(metric.name, metric.k)} {shown(metric)}" for metric in self.metrics]
        return f"{self.output}, {self.metrics[0].samples} samples: {', '.join(words)}"

    def to_json(self) -> dict[str, object]:
        """Return its entry in --json."""
        metrics = [
            {"name": metric.name, "k": metric.k, "value": metric.after, "samples": metric.samples, "why": metric.why}
            for metric in self.metrics
        ]
        return {"output": self.output, "metrics": metrics}


def score(bundle: Bundle, signature: SignatureEntry, run: Run, truth: Path, wanted: Wanted) -> tuple[OutputScore, ...]:
    """Return the metrics of each output that truth says anything of. bundle: where labels and anchors are.

    Raises RecipeError where the truth cannot be read, or does not fit.
    """
    labels = {entry.name: read_labels(bundle.labels(entry.labels)) for entry in signature.outputs if entry.labels}
    anchors = {
        entry.name: (bundle.assets / entry.boxes.anchors).read_bytes()
        for entry in signature.outputs
        if entry.boxes and entry.boxes.anchors
    }
    outputs = {entry.name: _output(entry) for entry in signature.outputs}
    around = Around({name: len(texts) for name, texts in labels.items()}, anchors, signature.inputs, run.images)
    found = read_truths(truth, run, list(outputs.values()), labels)
    both = Both(run.outputs, run.outputs, intervals=False)
    scores = []
    for entry in signature.outputs:
        if entry.name in found:
            checks = tuple(_check(entry.name, name, k) for name, k in wanted.get(entry.name, ()))
            subject = Subject(outputs[entry.name], entry, around, found[entry.name], checks)
            scores.append(OutputScore(entry.name, tuple(measured(subject, both, {}))))
    return tuple(each for each in scores if each.metrics)


def _output(entry: TensorEntry) -> Output:
    """Return what a recipe would say of an output, as far as metrics ask."""
    activation = entry.classes.activation if entry.classes else None
    return Output.model_construct(name=entry.name, kind=entry.kind, activation=activation)


def _check(output: str, metric: str, k: int | None) -> MetricCheck:
    return MetricCheck.model_construct(output=output, metric=metric, k=k)


def asked_of(measures: Mapping[str, Sequence[MetricMeasure]]) -> Wanted:
    """Return which metrics a build measured against the truth, by output: but for functions of the user's own."""
    return {
        output: [
            (metric.name, None if metric.k == METRICS[metric.name].k else metric.k)
            for metric in metrics
            if metric.name in METRICS and METRICS[metric.name].against == "truth"
        ]
        for output, metrics in measures.items()
    }
