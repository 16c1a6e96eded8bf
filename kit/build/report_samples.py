"""The samples and outputs of a build as kit.report takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from kit.build.metrics import real, top1
from kit.build.truth_fit import class_numbers
from kit.build.write_bundle import Parts
from kit.bundle.arrays import made_arrays
from kit.bundle.signature import TensorEntry
from kit.recipe.output import Output
from kit.report.outputs import Outputs, Subject
from kit.report.samples import Inputs
from kit.shared.job import EVALUATED, TensorSpec

Arrays = Mapping[str, np.ndarray]


def outputs_of(parts: Parts, predictions: Arrays) -> Outputs:
    """Return every output that is the same in each call, of both models.

    predictions: output/<name> [N, ...] of all samples, raw.
    """
    evaluated = made_arrays(parts.job.out / EVALUATED, without="input/")
    return Outputs.of({subject.name: subject for subject in _subjects(parts, evaluated, predictions)})


def inputs_of(parts: Parts) -> Inputs:
    """Return what both models were fed: the user's samples, or the random ones."""
    entries, samples = parts.signature.inputs, parts.shown
    if samples is not None:
        texts = {name: samples.said[name] for name in parts.plan.raw_inputs.texts if name in samples.said}
        return Inputs(entries, samples.inputs, texts, samples.names)
    made = made_arrays(parts.job.out / EVALUATED)
    fed = {name.removeprefix("input/"): values for name, values in made.items() if name.startswith("input/")}
    specs = {spec.name: spec for spec in parts.result.signature.inputs}
    return Inputs(entries, {name: _real(values, specs[name]) for name, values in fed.items() if name in specs})


def _real(values: np.ndarray, spec: TensorSpec) -> np.ndarray:
    """Return what a tensor was fed, [N, ...]: real values, float32, where it was quantized; else its own dtype."""
    return values if spec.scale is None else real(values, spec)


def _subjects(parts: Parts, evaluated: Arrays, predictions: Arrays) -> Iterator[Subject]:
    """Yield the outputs that are shown. evaluated, predictions: [N, ...] by name, float32 or the file's dtype."""
    requests = {request.name: request for request in parts.recipe.outputs}
    entries = {entry.name: entry for entry in parts.signature.outputs}
    for spec in parts.result.signature.outputs:
        if spec.name in parts.result.drawn:
            continue
        exact, got = evaluated[f"float/{spec.name}"], real(predictions[f"output/{spec.name}"], spec)
        yield _subject(parts, entries[spec.name], requests.get(spec.name), (exact, got))


def _subject(
    parts: Parts, entry: TensorEntry, request: Output | None, values: tuple[np.ndarray, np.ndarray]
) -> Subject:
    """Return one output. values: of the float model and of the file, float32 [N, ...]."""
    exact, got = values
    labels, anchors = parts.plan.labels.get(entry.name), parts.plan.anchors.get(entry.name)
    classes = request is not None and request.kind == "classes" and exact.ndim > 1
    winners = (top1(exact, request), top1(got, request)) if classes and request is not None else None
    return Subject(
        entry=entry,
        exact=exact,
        got=got,
        labels=labels.texts if labels is not None else (),
        winners=winners,
        truth=_truth(parts, entry.name, exact, winners),
        anchors=None if anchors is None else np.frombuffer(anchors.content, "<f4").reshape(-1, 4),
    )


def _truth(
    parts: Parts, name: str, exact: np.ndarray, winners: tuple[np.ndarray, np.ndarray] | None
) -> np.ndarray | None:
    """Return the true classes of an output, int64 of the winners' shape. exact: float32 [N, ..., classes]."""
    truth = parts.truths.get(name)
    if truth is None or winners is None or parts.result.measured_on != "checks":
        return None
    return class_numbers(truth.rows(len(exact)), winners[0].shape, exact.shape[-1])
