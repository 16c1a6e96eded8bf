"""Outputs of the produced file against the float model and y: errors, correlation, agreement. Judges nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.build.truth import NO_TRUTHS, OutputTruth, owner_of_y
from kit.bundle.signature import TensorEntry
from kit.errors import RecipeError
from kit.metrics.scorer import MetricMeasure
from kit.recipe.output import Output
from kit.recipe.schema import Recipe
from kit.shared.job import SignatureSpec, TensorSpec

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray]

STILL = 0.1  # an output that changes by less than this share of its range from sample to sample may become constant


@dataclass(frozen=True)
class Truth:
    """An output of classes against y. Fractions of `count` decisions: one a sample, or one a position of it."""

    count: int
    float_accuracy: float  # before
    accuracy: float  # and after
    majority: float  # of y's most frequent class
    relabelled: float  # float accuracy if each predicted class stood for the one that it mostly is


@dataclass(frozen=True)
class OutputMeasure:
    """One output of the produced file on the evaluation data, against the float model's.

    Errors are absolute, in the output's real values; `worst_steps` is the worst in quantization steps. What has no
    value is None: a correlation with a constant, say.
    """

    name: str
    worst_error: float
    mean_error: float
    worst_steps: float | None = None
    spread: float = 0.0  # standard deviation of the float output's values
    worst_share: float | None = None  # worst error as a share of the float output's range
    relative_error: float | None = None  # root mean square of the errors, in units of the spread
    correlation: float | None = None  # Pearson's, with the float output
    lost: int = 0  # values that are NaN or infinite, and are not in the float model
    constant: bool = False  # the same for all samples, where the float output is not
    agreement: float | None = None  # fraction of equal top-1; classes only
    changed: tuple[int, int, int] | None = None  # class before, class after, how often: what changed most
    truth: Truth | None = None
    metrics: tuple[MetricMeasure, ...] = ()


def measure(
    recipe: Recipe,
    signature: SignatureSpec,
    evaluated: Arrays,
    predictions: Arrays,
    drawn: tuple[str, ...] = (),
    truths: Mapping[str, OutputTruth] = NO_TRUTHS,
) -> tuple[OutputMeasure, ...]:
    """Return one measure for each output of the main signature that is not drawn anew in each call.

    evaluated: kit.shared.job says what is in it; predictions: output/<name> [N, ...], raw, of the
    interpreter that counts; truths: by output, of all samples of the data, where y is not enough.
    Raises RecipeError where y does not fit.
    """
    first = owner_of_y(recipe)
    if "y" in evaluated and first is None:
        raise RecipeError(
            "the checks' data has y, and no output is of kind 'classes'",
            'say which: [[outputs]] name = ... kind = "classes"; or leave y out of the data',
        )
    count = next((len(array) for name, array in evaluated.items() if name.startswith("float/")), 0)
    truths = {name: truth.rows(count) for name, truth in truths.items()}
    if "y" in evaluated and first is not None:
        truths = {first: OutputTruth("checks data: y", evaluated["y"])} | truths
    requests = {request.name: request for request in recipe.outputs}
    return tuple(
        _measure(
            spec,
            evaluated[f"float/{spec.name}"],
            real(predictions[f"output/{spec.name}"], spec),
            requests.get(spec.name),
            truths.get(spec.name),
        )
        for spec in signature.outputs
        if spec.name not in drawn
    )


def real_outputs(recipe: Recipe, signature: SignatureSpec, predictions: Arrays) -> dict[str, np.ndarray]:
    """Return the file's outputs of the whole evaluation data, to compare files by.

    real/<name> [N, ...] float32 real values; for an output of classes also top1/<name> [N, ...] int64.
    """
    import numpy as np

    requests = {request.name: request for request in recipe.outputs}
    arrays = {}
    for spec in signature.outputs:
        arrays[f"real/{spec.name}"] = values = real(predictions[f"output/{spec.name}"], spec)
        request = requests.get(spec.name)
        if request is not None and request.kind == "classes":
            arrays[f"top1/{spec.name}"] = top1(values, request).astype(np.int64)
    return arrays


def real(values: np.ndarray, spec: TensorSpec | TensorEntry) -> np.ndarray:
    """Return float32 real values of values' shape, of what an output holds, raw."""
    import numpy as np

    from kit.shared.preprocess import dequantize

    if spec.scale is None or spec.zero_point is None:
        return values.astype(np.float32)
    return np.asarray(dequantize(values, spec.scale, spec.zero_point))


def top1(values: np.ndarray, request: Output) -> np.ndarray:
    """Return the winning class, int64 [...] of float32 [..., classes].

    A single unit wins above one half, as Keras counts it.
    """
    import numpy as np

    from kit.shared.preprocess import apply_activation

    if values.shape[-1] == 1:
        return np.asarray(apply_activation(values, request.activation or "none")[..., 0] > 0.5).astype(np.int64)
    return np.asarray(np.argmax(values, axis=-1))


def _measure(
    spec: TensorSpec, exact: np.ndarray, got: np.ndarray, request: Output | None, truth: OutputTruth | None
) -> OutputMeasure:
    """Return the measure of one output. exact, got: real values (float32) [N, ...]."""
    import numpy as np

    counted = np.isfinite(exact) & np.isfinite(got)
    one, other = exact[counted].astype(np.float64), got[counted].astype(np.float64)
    off = np.abs(other - one)
    worst, spread = float(off.max(initial=0.0)), float(one.std()) if one.size else 0.0
    extent = float(np.ptp(one)) if one.size else 0.0
    plain = OutputMeasure(
        spec.name,
        worst,
        float(off.mean()) if off.size else 0.0,
        None if spec.scale is None else worst / spec.scale,
        spread,
        worst / extent if extent else None,
        math.sqrt(float(np.mean(off**2))) / spread if spread else None,
        _correlation(other, one),
        int(np.count_nonzero(np.isfinite(exact) & ~np.isfinite(got))),
        _is_constant(spec, exact, got, extent),
    )
    return plain if request is None or request.kind != "classes" else _classes(plain, exact, got, request, truth)


def _correlation(got: np.ndarray, exact: np.ndarray) -> float | None:
    """Return Pearson's correlation of got and exact, float64 [n]; 0 with a constant, None where exact is one."""
    import numpy as np

    if exact.size < 2 or not np.ptp(exact):
        return None
    one, other = exact - exact.mean(), got - got.mean()
    size = math.sqrt(float(one @ one) * float(other @ other))
    return float(one @ other) / size if size else 0.0


def _is_constant(spec: TensorSpec, exact: np.ndarray, got: np.ndarray, extent: float) -> bool:
    """Say whether all samples give the same output, and the float model's differ by what the file could express.

    exact, got: real values (float32) [N, ...].
    """
    import numpy as np

    if len(exact) < 2 or not np.array_equal(got, np.broadcast_to(got[:1], got.shape), equal_nan=True):
        return False
    moved = float(np.ptp(exact, axis=0).max(initial=0.0))
    return moved > max(STILL * extent, 2 * (spec.scale or 0.0))


def _classes(
    plain: OutputMeasure, exact: np.ndarray, got: np.ndarray, request: Output, truth: OutputTruth | None
) -> OutputMeasure:
    """Return plain with what is measured of classes. exact, got: float32 [..., classes]."""
    from dataclasses import replace

    import numpy as np

    from kit.build.truth_fit import class_numbers

    before, after = top1(exact, request), top1(got, request)
    pairs, counts = np.unique(np.stack([before, after], -1)[before != after], axis=0, return_counts=True)
    at = int(np.argmax(counts)) if counts.size else -1
    return replace(
        plain,
        agreement=float(np.mean(before == after)),
        changed=None if at < 0 else (int(pairs[at][0]), int(pairs[at][1]), int(counts[at])),
        truth=None if truth is None else _against(class_numbers(truth, before.shape, exact.shape[-1]), before, after),
    )


def _against(truth: np.ndarray, before: np.ndarray, after: np.ndarray) -> Truth:
    """Return classes against y. truth, before, after: class numbers of one shape, int64."""
    import numpy as np

    _, counts = np.unique(truth, return_counts=True)
    meant = [np.unique(truth[before == each], return_counts=True) for each in np.unique(before)]
    other = {int(names[np.argmax(found)]) for names, found in meant}
    return Truth(
        int(truth.size),
        float(np.mean(before == truth)),
        float(np.mean(after == truth)),
        float(counts.max()) / truth.size,
        # Only where no two classes stand for one: else it is no order of the labels.
        sum(int(found.max()) for _, found in meant) / truth.size if len(other) == len(meant) > 1 else 0.0,
    )
