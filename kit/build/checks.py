"""Gates: what the recipe asks of the converted model, held against what was measured. Measures nothing itself.

Without a word in the recipe a gate against ruin holds. Its limits lie far below what a right file reaches
(docs/models.md) and above what a file reaches that eight bits, or half precision, have destroyed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from kit.build.chance import is_decidable, tail
from kit.build.metric_checks import judge_metrics, too_few
from kit.build.metrics import OutputMeasure, Truth
from kit.errors import CheckError
from kit.recipe.checks import Checks
from kit.recipe.schema import Recipe
from kit.shared.job import Result

# The gate's limits where the recipe has none.
AGREEMENT = 0.8  # classes: share of samples with the float model's top-1
CORRELATION = 0.95  # tensors: with the float model's output
SCORES = 0.8  # classes: the same of their scores; saturated ones correlate less, at the same top-1
ERROR = 0.3  # tensors: root mean square of the errors, in units of the float output's standard deviation
ALIKE = 0.98  # classes whose scores correlate so are right at any agreement: their float scores are near ties
CHANCE = 0.01  # p: an accuracy that guessing the majority class reaches more often than this is none
# Below these a note says that the output is far from the float model's: what docs/models.md calls right is not.
NEAR_CORRELATION, NEAR_ERROR, SAME = 0.98, 0.18, 0.95
# By how much more the error against float may be on the app's runtime than in TensorFlow's own interpreter, which
# rounds otherwise: twice, and this share of the spread.
OTHER = {"float32": 0.01, "float16": 0.02, "dynamic": 0.1, "int8": 0.1}

_FLOAT_MODEL = "accuracy of the float model"


@dataclass(frozen=True)
class Verdict:
    """One gate. `limit` and `value` are text to read; `hint` is the next thing to try where it failed."""

    name: str
    limit: str
    value: str
    passed: bool
    hint: str = ""
    enforced: bool = True  # False: a failure is a note, and refuses nothing


def judge(recipe: Recipe, result: Result, measures: Sequence[OutputMeasure], size: int) -> tuple[Verdict, ...]:
    """Return a verdict for each limit of the recipe and of the gate. size is model.tflite's, in bytes.

    With `gate = false`, and on random inputs, the gate's own refuse nothing; NaN and infinity do on random inputs, too.
    """
    checks = recipe.checks
    verdicts = [_size(checks, size, recipe.quantize.scheme)] if checks.max_bytes is not None else []
    known, causes = result.measured_on != "random", _preprocessing(recipe, result)
    for measure in measures:
        verdicts += _asked(checks, measure, recipe)
        verdicts += [replace(each, enforced=checks.gate) for each in _lost(measure, recipe)]
        verdicts += [replace(each, enforced=checks.gate and known) for each in _gate(recipe, measure, causes)]
    return tuple(verdicts)


def failures(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Return the gates that refused."""
    return [verdict for verdict in verdicts if verdict.enforced and not verdict.passed]


def concerns_scheme(verdict: Verdict) -> bool:
    """Say whether a gate is about what quantization does to numbers: not about bytes, nor the float model itself."""
    return not verdict.name.startswith(("max_bytes", _FLOAT_MODEL))


def ignored(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Return the gates that would have refused, had they been allowed to."""
    return [verdict for verdict in verdicts if not verdict.enforced and not verdict.passed]


def sentence(verdict: Verdict) -> str:
    """Return a failed verdict in words: "correlation with float (box) is 0.61, the limit is >= 0.95"."""
    return f"{verdict.name} is {verdict.value}, the limit is {verdict.limit}"


def notes(
    recipe: Recipe, result: Result, measures: Sequence[OutputMeasure], verdicts: Sequence[Verdict]
) -> tuple[str, ...]:
    """Return a sentence for each output that is far from the float model's and was not refused, and for y."""
    beyond = [f"{sentence(each)}{_because(recipe, result)}" for each in ignored(verdicts)]
    few = [words for measure in measures for words in too_few(recipe.checks, measure)]
    return (*beyond, *filter(None, (_far(recipe, each) for each in measures)), *_undecided(measures), *few)


def refuse_other_runtime(
    scheme: str, runtime: str, there: Sequence[OutputMeasure], here: Sequence[OutputMeasure]
) -> None:
    """Refuse a file that the app's runtime computes otherwise than TensorFlow's own interpreter, which made `here`.

    Kernels round otherwise, and the error against the float model bounds that. Raises CheckError where that error is
    far larger on the runtime.
    """
    for one, other in zip(there, here, strict=True):
        if one.relative_error is None or other.relative_error is None:
            continue
        if one.relative_error > 2 * other.relative_error + OTHER[scheme]:
            raise CheckError(
                f"{runtime} computes something else from the converted model than TensorFlow does: the error of output "
                f"'{one.name}' against the float model is {_times(one.relative_error)} of its spread there, and "
                f"{_times(other.relative_error)} in TensorFlow's interpreter",
                "name another runtime: [android] runtime (`kit toolchains` lists them), or another [quantize] scheme",
            )


def _size(checks: Checks, size: int, scheme: str) -> Verdict:
    assert checks.max_bytes is not None
    smaller = {"float32": '"float16", "dynamic" or "int8"', "float16": '"dynamic" or "int8"', "dynamic": '"int8"'}
    if scheme in smaller:
        hint = f"try [quantize] scheme = {smaller[scheme]}"
    else:
        hint = "train a smaller model, or allow more bytes: [checks] max_bytes"
    return Verdict("max_bytes", f"<= {checks.max_bytes:,} B", f"{size:,} B", size <= checks.max_bytes, hint)


def _asked(checks: Checks, measure: OutputMeasure, recipe: Recipe) -> Iterator[Verdict]:
    """Yield a verdict for each limit that the recipe sets."""
    of, hint = f"({measure.name})", _milder(recipe)
    if checks.min_agreement is not None and measure.agreement is not None:
        texts = _percents(">=", checks.min_agreement, measure.agreement)
        yield Verdict(f"min_agreement {of}", *texts, measure.agreement >= checks.min_agreement, hint)
    if checks.max_drop is not None and measure.truth is not None:
        drop = measure.truth.float_accuracy - measure.truth.accuracy
        # The limit is a decimal and the drop a difference of fractions: 0.01 may come out as 0.010000000000000009.
        texts = _percents("<=", checks.max_drop, drop)
        yield Verdict(f"max_drop {of}", *texts, drop <= checks.max_drop + 1e-12, hint)
    if checks.min_correlation is not None and measure.correlation is not None:
        texts = _numbers(">=", checks.min_correlation, measure.correlation)
        yield Verdict(f"min_correlation {of}", *texts, measure.correlation >= checks.min_correlation, hint)
    if checks.max_relative_error is not None and measure.relative_error is not None:
        texts = _percents("<=", checks.max_relative_error, measure.relative_error)
        yield Verdict(f"max_relative_error {of}", *texts, measure.relative_error <= checks.max_relative_error, hint)
    for each in judge_metrics(checks, measure):
        yield Verdict(each.name, each.limit, each.value, each.passed, hint)


def _lost(measure: OutputMeasure, recipe: Recipe) -> Iterator[Verdict]:
    if measure.lost:
        yield Verdict(
            f"NaN or infinity ({measure.name})",
            "none that the float model does not have",
            f"in {measure.lost:,} values",
            passed=False,
            hint=_milder(recipe),
        )


def _gate(recipe: Recipe, measure: OutputMeasure, causes: Sequence[str]) -> Iterator[Verdict]:
    """Yield the gate's own verdicts, but for limits that the recipe sets itself."""
    checks, of, hint = recipe.checks, f"({measure.name})", _milder(recipe)
    if measure.constant:
        yield Verdict(f"output {of}", "varies, as the float model's does", "the same for all samples", False, hint)
    if measure.agreement is not None:
        yield from _gate_classes(checks, measure, hint, causes)
        return
    if measure.correlation is not None and checks.min_correlation is None:
        texts = _numbers(">=", CORRELATION, measure.correlation)
        yield Verdict(f"correlation with float {of}", *texts, measure.correlation >= CORRELATION, hint)
    if measure.relative_error is not None and checks.max_relative_error is None:
        texts = _percents("<=", ERROR, measure.relative_error)
        yield Verdict(f"relative error {of}", *texts, measure.relative_error <= ERROR, hint)


def _gate_classes(checks: Checks, measure: OutputMeasure, hint: str, causes: Sequence[str]) -> Iterator[Verdict]:
    of, agreement, correlation = f"({measure.name})", measure.agreement, measure.correlation
    alike = correlation is not None and correlation >= ALIKE
    if agreement is not None and checks.min_agreement is None:
        passed = agreement >= AGREEMENT or alike
        yield Verdict(f"agreement with float {of}", *_percents(">=", AGREEMENT, agreement), passed, hint)
    if correlation is not None and checks.min_correlation is None:
        texts = _numbers(">=", SCORES, correlation)
        yield Verdict(f"correlation with float {of}", *texts, correlation >= SCORES, hint)
    if measure.truth is not None and is_decidable(measure.truth.majority, measure.truth.count, CHANCE):
        yield _better_than_chance(of, measure.truth, causes)


def _better_than_chance(of: str, truth: Truth, causes: Sequence[str]) -> Verdict:
    """Judge the float model itself: with y, is it better than always saying the most frequent class?"""
    p = tail(round(truth.float_accuracy * truth.count), truth.count, truth.majority)
    return Verdict(
        f"{_FLOAT_MODEL} {of}",
        f"better than the most frequent class's {truth.majority:.2%} (p <= {CHANCE:g})",
        f"{truth.float_accuracy:.2%} of {truth.count:,} (p {'< 1e-6' if p < 1e-6 else f'= {p:.2g}'})",
        p <= CHANCE,
        _causes(truth, causes),
    )


def _preprocessing(recipe: Recipe, result: Result) -> list[str]:
    """Return what the recipe and the model say of an image's normalization that may be wrong, the likeliest first."""
    once, never = [], []
    for tensor in (tensor for tensor in recipe.inputs if tensor.kind == "image"):
        inside, outside = tensor.name in result.scaled, bool(tensor.std)
        if inside and outside:
            once.append(
                f"'{tensor.name}' is normalized by mean and std and by the model itself: leave mean and std out"
            )
        elif not inside and not outside:
            never.append(f"'{tensor.name}' is normalized nowhere, so the model gets 0..255: give mean and std")
        elif outside:
            never.append(f"mean and std of '{tensor.name}' are not those of training")
    return once + never


def _causes(truth: Truth, preprocessing: Sequence[str]) -> str:
    """Return what to look at where a float model does not do what it was trained for, the likeliest first."""
    causes = [
        *preprocessing,
        "the data's values lie in another range than those of training",
        "color = 'bgr' for a model that was trained so, or the other way around",
        "the order of the labels, and of y, is not that of training",
    ]
    if truth.relabelled > max(0.5, 1.5 * truth.majority):
        causes.insert(0, f"{causes.pop()}: in another order the accuracy would be {truth.relabelled:.0%}")
    listed = "; ".join(f"({i}) {cause}" for i, cause in enumerate(causes, 1))
    return f"look, the likeliest first: {listed}. Or, if that is as it should be: [checks] gate = false"


def _undecided(measures: Sequence[OutputMeasure]) -> Iterator[str]:
    for measure in measures:
        truth = measure.truth
        if truth is not None and not is_decidable(truth.majority, truth.count, CHANCE):
            yield (
                f"{truth.count:,} samples of which {truth.majority:.0%} are of one class cannot tell whether the float "
                f"model's accuracy on '{measure.name}' is better than chance: give more, of every class"
            )


def _because(recipe: Recipe, result: Result) -> str:
    return (
        ": measured on random inputs, which may be none that the model was trained for; give data: [checks] data"
        if recipe.checks.gate and result.measured_on == "random"
        else ": not refused, for [checks] gate = false"
    )


def _far(recipe: Recipe, measure: OutputMeasure) -> str:
    """Return a sentence where an output is far from the float model's, else ""."""
    error, correlation = measure.relative_error, measure.correlation
    if error is None or correlation is None or (error <= NEAR_ERROR and correlation >= NEAR_CORRELATION):
        return ""
    numbers = f"correlation {correlation:.2f}, error {_times(error)} of its spread"
    if measure.agreement is not None:
        if measure.agreement >= SAME:
            return ""
        numbers += f", the same top-1 on {measure.agreement:.0%}"
    way = {"int8": '"dynamic" or "float16" calculate in float', "dynamic": '"float16" keeps the weights more exactly'}
    remedy = way.get(recipe.quantize.scheme)
    return f"output '{measure.name}' is far from the float model's: {numbers}" + (
        f"; scheme = {remedy}" if remedy else ""
    )


def _percents(sign: str, limit: float, value: float) -> tuple[str, str]:
    """Return a limit and a value as percentages, with as many digits as it takes to distinguish them."""
    digits = next((n for n in (2, 4, 6) if f"{limit:.{n}%}" != f"{value:.{n}%}"), 2)
    return f"{sign} {limit:.{digits}%}", f"{value:.{digits}%}"


def _numbers(sign: str, limit: float, value: float) -> tuple[str, str]:
    """Return the same as plain numbers."""
    digits = next((n for n in (3, 5, 7) if f"{limit:.{n}f}" != f"{value:.{n}f}"), 3)
    return f"{sign} {limit:g}", f"{value:.{digits}f}"


def _times(share: float) -> str:
    return f"{share:.1%}" if share < 10 else f"{share:.3g} times"


def _milder(recipe: Recipe) -> str:
    if recipe.quantize.scheme == "int8":
        return (
            "check that the representative data looks like real input (same normalization, every class), "
            'then try scheme = "dynamic" or "float16"'
        )
    if recipe.quantize.scheme in {"dynamic", "weight8", "int16x8"}:
        return 'try scheme = "float16"'
    if recipe.quantize.scheme == "int4":
        return 'try scheme = "dynamic"; or scheme = "auto", which finds the layers that four bits hurt'
    if recipe.quantize.scheme == "float16":
        return 'try scheme = "float32": a weight of the model is too large, too small or too exact for float16'
    # TensorFlow's float32 kernels round otherwise from version to version, and no scheme is nearer to the model.
    return "allow what float32 kernels differ by, in [checks]; or take another TensorFlow version, by --tensorflow"
