"""Search, and build what was found: one export and one float run serve every candidate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from kit.build.checks import failures
from kit.build.compared_layers import floating
from kit.build.convert import Data, convert
from kit.build.layer_table import worst_words
from kit.build.pipeline import Built, Options, finish, with_truth
from kit.build.plan import Plan
from kit.build.quantize import refuse_unquantizable
from kit.build.write_bundle import Parts
from kit.emulation.scripts import Scripts
from kit.engine import Engine
from kit.errors import CheckError, KitError, RecipeError
from kit.files import temporary_folder
from kit.progress import Reporter
from kit.quantizer.run import QuantizerPlace
from kit.recipe.quantize import Quantize
from kit.search.candidates import mixed, mixes, plain_candidates, ranked_layers, tensorflow_int8
from kit.search.chart import narrow_chart
from kit.search.found import Found
from kit.search.latencies import with_latencies
from kit.search.limits import with_limits
from kit.search.trials import Trial, Trials
from kit.search.tune import tune, tuned

FEWEST = 20  # samples, in both halves


class Search:
    """A search as the pipeline's way to make a bundle. found has what it came to, once it ran.

    Of all schemes, or of int8's options where the recipe says tune.
    """

    def __init__(self) -> None:
        self.found: Found | None = None

    def __call__(self, plan: Plan, engine: Engine, data: Data, options: Options, reporter: Reporter) -> Built:
        """Convert to float32, try candidates, and build the best that keeps the checks."""
        what = "tune" if plan.recipe.quantize.tune else "scheme 'auto'"
        place = QuantizerPlace(engine, plan.quantizer, options.limits, reporter.note)
        place.prepare()
        with ExitStack() as stack:
            result, job = stack.enter_context(convert(floating(plan), engine, data, options.limits, reporter))
            refuse_unquantizable(plan, result)
            if result.measured_on == "random":
                raise RecipeError(
                    f"{plan.recipe.path}: {what} measures every candidate on data, and there is none",
                    "give [checks] data, or name a scheme: dynamic and float16 need no data",
                )
            if result.samples < FEWEST:
                raise RecipeError(
                    f"{plan.recipe.path}: {what} chooses on one half of the data and reports on the other, and "
                    f"{result.samples} samples are too few",
                    f"give {FEWEST} samples or more in [checks] data, or name a scheme: docs/quantization.md has them",
                )
            folder = stack.enter_context(temporary_folder("dropkit-search-"))
            truths = data.evaluation.truths if data.evaluation is not None else {}
            limits = with_limits(plan.recipe, result, truths)
            trials = Trials(plan, limits, result, job, data, folder, place)
            how = (engine, data, options, reporter)
            if plan.recipe.quantize.tune:
                reporter.stage("try the options of int8")
                tune(trials, lambda: _with_tensorflow(trials, stack, how))
                return self._built(trials, engine, options, reporter)
            reporter.stage("try every scheme")
            _search(trials, data)
            if data.calibration is not None:
                _with_tensorflow(trials, stack, how)
            return self._built(trials, engine, options, reporter)

    def _built(self, trials: Trials, engine: Engine, options: Options, reporter: Reporter) -> Built:
        """Build the best candidate that keeps the checks on all samples, too."""
        asked = trials.plan.recipe.quantize
        for trial in tuned(trials.done) if asked.tune else ranked(trials.done, asked.prefer):
            assert trial.made is not None
            parts = Parts.of(_with(trials.plan, trial.candidate.quantize), *trial.made, trials.data.raw())
            scripts = Scripts(advance=reporter.advance)
            found = Found(tuple(trials.done), trial, trials.limits)
            parts = replace(with_truth(parts, trials.data), chart=narrow_chart(found), layers=trial.errors)
            built = finish(parts, engine.name, options, reporter, scripts)
            if lost := failures(built.judged.verdicts):
                trials.refused(trial, lost)
                continue
            reporter.stage("time the candidates")
            timed = with_latencies(trials.plan, trials.done, reporter.note)
            chosen = timed[[each is trial for each in trials.done].index(True)]
            self.found = Found(tuple(timed), chosen, trials.limits)
            return replace(built, latency=chosen.latency)
        closest = max((t for t in trials.done if t.halves), key=lambda t: t.size, default=None)
        reasons = (closest.why, worst_words(closest.errors)) if closest else ()
        why = f"; {closest.candidate.name}: {'; '.join(filter(None, reasons))}" if closest and closest.why else ""
        raise CheckError(
            f"{trials.plan.recipe.path}: refused, no candidate of {len(trials.done)} keeps the checks{why}",
            "allow more in [checks], or look at what float32 alone loses",
        )


def ranked(trials: Sequence[Trial], prefer: str = "size") -> list[Trial]:
    """Return the candidates that keep the checks, the best first, and of one price the one that loses least.

    prefer: "size" or "speed", what the best one has least of.
    """
    return sorted((trial for trial in trials if trial.keeps), key=lambda trial: (trial.price(prefer), trial.loss))


def _search(trials: Trials, data: Data) -> None:
    """Try plain schemes, then mixes of those that are smaller, or faster, than the best that keeps the checks."""
    prefer = trials.plan.recipe.quantize.prefer
    tried = trials.run(plain_candidates(trials.plan.recipe.quantize, calibrated=data.calibration is not None))
    best = min((trial.price(prefer) for trial in tried if trial.keeps), default=(math.inf,))
    for base in sorted((t for t in tried if t.errors and not t.keeps), key=lambda t: t.price(prefer)):
        if base.halves is None or base.price(prefer) >= best:
            continue
        for trial in _mixed(trials, base):
            if trial.keeps:
                best = min(best, trial.price(prefer))


def _mixed(trials: Trials, base: Trial) -> Iterator[Trial]:
    """Try ever more layers in a milder scheme; then once between the last that was too few and the first that holds.

    The most layers come first: where they lose too much, fewer do, too, and the base is left. One that gave no file
    says nothing of the others.
    """
    steps, ranking = list(mixes(base.candidate, base.errors)), ranked_layers(base.errors)
    if not steps:
        return
    (most,) = trials.run([steps[-1][1]])
    yield most
    if most.halves is not None and not most.keeps and not most.too_large:
        return
    before = 0
    for count, candidate in steps:
        trial = most
        if candidate is not most.candidate:
            (trial,) = trials.run([candidate])
            yield trial
        if trial.keeps:
            if (middle := (before + count) // 2) > before:
                (between,) = trials.run([mixed(base.candidate, ranking[:middle])])
                yield between
            return
        before = count


def _with_tensorflow(trials: Trials, stack: ExitStack, how: tuple[Engine, Data, Options, Reporter]) -> None:
    """Try TensorFlow's own int8: it knows loops, masks, and the app's border in whole numbers."""
    engine, data, options, reporter = how
    candidate = tensorflow_int8(trials.plan.recipe.quantize)
    try:
        result, job = stack.enter_context(
            convert(_with(trials.plan, candidate.quantize), engine, data, options.limits, reporter)
        )
    except KitError as error:
        trials.failed(candidate, error.message)
        return
    trials.measured(candidate, result, job)


def _with(plan: Plan, quantize: Quantize) -> Plan:
    return replace(plan, recipe=plan.recipe.model_copy(update={"quantize": quantize}))
