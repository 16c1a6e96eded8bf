"""The metrics of each output: of the float model and of the file, against the truth, and with an interval.

Boxes and masks are decoded as the app decodes them (kit.shared.postprocess). Judges nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kit.build.box_readings import refuse_misread
from kit.build.metrics import OutputMeasure, real, top1
from kit.build.own_metrics import Asked, Own, measure_own
from kit.build.truth import OutputTruth
from kit.build.write_bundle import Parts
from kit.bundle.output_forms import BoxesForm, MaskForm
from kit.bundle.signature import TensorEntry
from kit.errors import RecipeError
from kit.metrics.scorer import MetricMeasure, Scorer, UndefinedError
from kit.metrics.table import DEFAULTS, METRICS, is_own
from kit.recipe.checks import MetricCheck
from kit.recipe.output import Output

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray]

DIGITS = 9  # significant ones of what is written: the last bits of a sum differ by CPU
LOWEST = 0.001  # boxes count from this score on: mAP weighs all of them, also those that an app does not show


@dataclass(frozen=True)
class Both:
    """An output of the float model and of the file, as real values, float32 [N, ...] by output name."""

    exact: Arrays
    got: Arrays
    intervals: bool = True

    def map(self, make: Callable[[Arrays], Scorer]) -> tuple[Scorer, Scorer]:
        """Return the scorers of both. make: of arrays [N, ...] in float32."""
        return make(self.exact), make(self.got)


@dataclass(frozen=True)
class Around:
    """What is known beside an output: how many labels and which anchors there are, by output, and the model's inputs.

    anchors: little-endian float32 [N, 4]. framed: the samples are image files, which the model sees a part of. gate:
    what looks wrong is refused.
    """

    labels: Mapping[str, int]
    anchors: Mapping[str, bytes]
    inputs: tuple[TensorEntry, ...]
    framed: bool
    gate: bool = False

    @staticmethod
    def of(parts: Parts) -> Around:
        """Return it of a build."""
        labels = {name: len(labels.texts) for name, labels in parts.plan.labels.items()}
        anchors = {name: asset.content for name, asset in parts.plan.anchors.items()}
        return Around(labels, anchors, parts.signature.inputs, parts.framed, parts.recipe.checks.gate)


@dataclass(frozen=True)
class Subject:
    """One output, and what its metrics need to know of it. checks: what a recipe asks of it."""

    request: Output
    entry: TensorEntry
    around: Around
    truth: OutputTruth | None
    checks: tuple[MetricCheck, ...] = ()

    @property
    def name(self) -> str:
        """Return its name."""
        return self.request.name

    def wanted(self) -> Iterator[tuple[str, int | None]]:
        """Yield its metrics by name and k: what the recipe asks for, then what every such output is measured by."""
        asked = [(check.metric, check.k) for check in self.checks]
        yield from asked
        own = any(is_own(name) for name, _ in asked)  # whose truth may be of another shape
        defaults = DEFAULTS.get(self.request.kind, ()) if self.truth is not None and not own else ()
        yield from ((name, None) for name in defaults if (name, None) not in asked)


def with_metrics(
    parts: Parts, evaluated: Arrays, predictions: Arrays, measures: Sequence[OutputMeasure], *, intervals: bool = True
) -> tuple[OutputMeasure, ...]:
    """Return the measures of outputs with their metrics, with intervals unless nobody looks at them: some take long.

    evaluated, predictions: as kit.build.metrics.measure has them, raw [N, ...] by name. Raises RecipeError where the
    truth does not fit an output.
    """
    entries = {entry.name: entry for entry in parts.signature.outputs}
    requests = {request.name: request for request in parts.recipe.outputs}
    specs = {spec.name: spec for spec in parts.result.signature.outputs}
    count = len(next(value for name, value in predictions.items() if name.startswith("output/")))
    truths = {name: truth.rows(count) for name, truth in parts.truths.items()}
    around, asked = Around.of(parts), parts.recipe.checks.metrics
    subjects = {
        name: Subject(
            requests.get(name, Output(name=name)),
            entry,
            around,
            truths.get(name),
            tuple(check for check in asked if check.output == name),
        )
        for name, entry in entries.items()
    }
    if not any(list(subject.wanted()) for subject in subjects.values()):
        return tuple(measures)
    exact = {name: evaluated[f"float/{name}"] for name in specs}
    got = {name: real(predictions[f"output/{name}"], spec) for name, spec in specs.items()}
    both = Both(exact, got, intervals)
    own = measure_own(parts.plan.metrics, list(_asked(subjects, both)))
    return tuple(replace(each, metrics=tuple(measured(subjects[each.name], both, own))) for each in measures)


def _asked(subjects: Mapping[str, Subject], both: Both) -> Iterator[Asked]:
    """Yield the metrics of the user's own with their arrays."""
    for subject in subjects.values():
        for check in subject.checks:
            if is_own(check.metric):
                values = _truth(subject).values
                assert values is not None  # kit.build.samples refuses files
                yield Asked(check, values, both.exact[subject.name], both.got[subject.name])


def measured(subject: Subject, both: Both, own: Own) -> Iterator[MetricMeasure]:
    """Yield each metric of an output, in the recipe's order. own: those that are the user's.

    Raises RecipeError where the truth does not fit the output.
    """
    makers: dict[str, Callable[[str, int], tuple[Scorer, Scorer]]] = {}
    for name, asked in subject.wanted():
        if is_own(name):
            found = own[subject.name, name]
            ends = (found.before, found.after, found.low, found.high)
            before, after, low, high = map(_rounded, ends)
            yield replace(found, before=before, after=after, low=low, high=high)
            continue
        metric = METRICS[name]
        k = metric.k if asked is None else asked
        if metric.against == "float":
            yield _compared(subject, both, name)
            continue
        kind = subject.request.kind
        if kind not in makers:
            makers[kind] = _MAKERS[kind](subject, both)  # what is decoded once serves all metrics of an output
        measure = _scored(name, k, makers[kind](name, k or 0), intervals=both.intervals)
        if subject.around.gate and name == "map" and measure.before is not None:
            form = subject.entry.boxes or BoxesForm()
            refuse_misread(subject.name, form, _pixels(subject), measure.before, _box_scorer(subject, both.exact))
        yield measure


def _compared(subject: Subject, both: Both, name: str) -> MetricMeasure:
    """Return a metric of the file against the float model."""
    from kit.metrics.against_float import measure

    one, other = both.exact[subject.name], both.got[subject.name]
    if name == "agreement":
        one, other = top1(one, subject.request), top1(other, subject.request)
    try:
        return MetricMeasure(name, len(one), after=_rounded(measure(name, one, other)))
    except UndefinedError as reason:
        return MetricMeasure(name, len(one), why=str(reason))


def _scored(name: str, k: int | None, scorers: tuple[Scorer, Scorer], *, intervals: bool) -> MetricMeasure:
    """Return a metric of the float model and of the file, with the interval of their difference where it is wanted."""
    from kit.metrics.interval import interval

    values: list[float | None] = []
    why = ""
    for scorer in scorers:
        try:
            values.append(scorer.value(None))
        except UndefinedError as reason:
            values.append(None)
            why = str(reason)
    one, other = values
    ends = interval(*scorers, one - other) if intervals and one is not None and other is not None else None
    low, high = ends or (None, None)
    return MetricMeasure(
        name, scorers[0].samples, _rounded(one), _rounded(other), _rounded(low), _rounded(high), k, why
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")


def _truth(subject: Subject) -> OutputTruth:
    assert subject.truth is not None  # kit.build.samples refuses a metric without it
    return subject.truth


def _classes(subject: Subject, both: Both) -> Callable[[str, int], tuple[Scorer, Scorer]]:
    from kit.build.truth_fit import class_numbers
    from kit.metrics.classes import scorer

    shape = both.exact[subject.name].shape
    truth = _truth(subject)
    numbers = class_numbers(truth, shape[:-1], shape[-1])
    numbers = numbers.reshape(len(numbers)) if numbers.size == len(numbers) else numbers
    scores = [_scores(arrays[subject.name], subject.request) for arrays in (both.exact, both.got)]
    scores = [each.reshape(*numbers.shape, each.shape[-1]) for each in scores]

    def make(name: str, k: int) -> tuple[Scorer, Scorer]:
        """Return the scorers of a metric. Raises RecipeError for F1 of more than two classes."""
        if name == "f1" and scores[0].shape[-1] != 2:
            raise RecipeError(
                f"[[checks.metrics]] 'f1' is of two classes, and output '{subject.name}' has {scores[0].shape[-1]}",
                'use metric = "f1_macro"',
            )
        one, other = (scorer(name, k, numbers, each) for each in scores)
        return one, other

    return make


def _scores(values: np.ndarray, request: Output) -> np.ndarray:
    """Return scores after the activation, float32 [..., C], of values [..., C]; a single unit's as those of two."""
    import numpy as np

    from kit.shared.preprocess import apply_activation

    scores = apply_activation(values, request.activation or "none")
    return np.concatenate([1 - scores, scores], axis=-1) if scores.shape[-1] == 1 else scores


def _numbers(subject: Subject, both: Both) -> Callable[[str, int], tuple[Scorer, Scorer]]:
    from kit.build.truth_fit import numbers
    from kit.metrics.regression import scorer

    truth = numbers(_truth(subject), both.exact[subject.name].shape)
    return lambda name, _k: both.map(lambda arrays: scorer(name, truth, arrays[subject.name].reshape(truth.shape)))


def _embedding(subject: Subject, both: Both) -> Callable[[str, int], tuple[Scorer, Scorer]]:
    from kit.build.truth_fit import identities
    from kit.metrics.embeddings import scorer

    truth = identities(_truth(subject), len(both.exact[subject.name]))
    return lambda _name, k: both.map(lambda arrays: scorer(k, truth, arrays[subject.name].reshape(len(truth), -1)))


def _mask(subject: Subject, both: Both) -> Callable[[str, int], tuple[Scorer, Scorer]]:
    import numpy as np

    from kit.build.truth_fit import masks
    from kit.metrics.masks import counts, scorer
    from kit.shared.postprocess import mask_on_frame, segment

    form, shape = subject.entry.mask or MaskForm(), both.exact[subject.name].shape
    single = len(shape) == 3 or shape[-1] == 1
    classes = 2 if single else shape[-1]
    truth = _truth(subject)
    true = masks(truth, classes, single=single)

    def found(arrays: Arrays) -> Scorer:
        """Return the scorer of a model's masks, of arrays by output name, float32 [N, H, W, C] or [N, H, W]."""
        rows = []
        for row, values in enumerate(arrays[subject.name]):
            wanted, mask = true(row), segment(values, form.activation, form.threshold)
            if wanted.shape != mask.shape or truth.masks:
                size = (wanted.shape[1], wanted.shape[0])
                mask = mask_on_frame(mask, _placement(subject, size, whole=not truth.masks), size)
            rows.append(counts(wanted, mask, classes))
        return scorer(np.stack(rows))

    scorers = both.map(found)
    return lambda _name, _k: scorers


def _boxes(subject: Subject, both: Both) -> Callable[[str, int], tuple[Scorer, Scorer]]:
    form = subject.entry.boxes or BoxesForm()
    scorers = both.map(lambda arrays: _box_scorer(subject, arrays)(form))
    return lambda _name, _k: scorers


def _box_scorer(subject: Subject, arrays: Arrays) -> Callable[[BoxesForm], Scorer]:
    """Return what gives the scorer of a model's boxes by how they are read. arrays: by output, float32 [N, ...]."""
    import numpy as np

    from kit.build.truth_fit import boxes
    from kit.bundle.box_head import box_head, box_tensors
    from kit.metrics.boxes import Found, scorer
    from kit.shared.postprocess import UNIT, boxes_on_frame, detect

    truth, labels = _truth(subject), subject.around.labels.get(subject.name)
    asset = subject.around.anchors.get(subject.name)
    anchors = None if asset is None else np.frombuffer(asset, "<f4").reshape(-1, 4)

    def scored(form: BoxesForm) -> Scorer:
        """Return the scorer of the boxes as a form reads them."""
        parts = box_tensors(subject.name, form)
        true, head, predicted = boxes(truth, labels, form.size), box_head(form, min(form.threshold, LOWEST)), []
        for index in range(len(true)):
            seen = detect(head, {part: arrays[name][index] for part, name in parts.items()}, anchors)
            size = truth.boxes[index].size if truth.boxes else None
            placement = UNIT if size is None else _placement(subject, size, whole=not subject.around.framed)
            corners = boxes_on_frame(seen.corners, placement).astype(np.float64)
            predicted.append(Found(corners, seen.classes.astype(np.int64), seen.scores.astype(np.float64)))
        return scorer(true, predicted)

    return scored


def _pixels(subject: Subject) -> tuple[int, int] | None:
    """Return (width, height) of the one image that goes into the model, None where there is none of a fixed size."""
    shapes = [entry.shape[1:3] for entry in subject.around.inputs if entry.image is not None]
    if len(shapes) != 1 or len(shapes[0]) != 2 or -1 in shapes[0]:
        return None
    return shapes[0][1], shapes[0][0]


def _placement(subject: Subject, size: tuple[int, int], *, whole: bool) -> tuple[float, ...]:
    """Return how the model's input lies in a frame of (width, height), as kit.shared.preprocess.placement has it.

    whole: the input is all of the frame, as in data that was resized before.
    """
    from kit.shared.preprocess import ImageSpec, placement

    pixels = _pixels(subject)
    if whole or pixels is None:
        return (float(size[0]), 0.0, 0.0, 0.0, float(size[1]), 0.0)
    (image,) = [entry.image for entry in subject.around.inputs if entry.image is not None]
    return placement(size, ImageSpec(pixels[1], pixels[0], image.color, image.resize))


_MAKERS: dict[str, Callable[[Subject, Both], Callable[[str, int], tuple[Scorer, Scorer]]]] = {
    "classes": _classes,
    "tensor": _numbers,
    "embedding": _embedding,
    "mask": _mask,
    "boxes": _boxes,
}
