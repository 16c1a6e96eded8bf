"""Candidates made and measured, side by side: each a file, its size, and what it loses on either half of the data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from kit.build.checks import Verdict, concerns_scheme
from kit.build.compared_layers import COMPARED
from kit.build.convert import Data
from kit.build.metric_checks import drop
from kit.build.pipeline import refuse_misfit, with_truth
from kit.build.plan import Plan
from kit.build.quantize import quantization_of
from kit.build.trial import outputs_there, refuse_state
from kit.build.write_bundle import Parts
from kit.bundle.arrays import made_arrays
from kit.bundle.latency import Latency
from kit.emulation.scripts import Scripts, side_by_side, usable_cores
from kit.engine import JobFolder
from kit.errors import KitError, RecipeError
from kit.files import sha256_file
from kit.quantizer.run import QuantizedFile, QuantizerPlace, run_quantizer
from kit.recipe.schema import Recipe
from kit.search.candidates import Candidate
from kit.search.halves import Halves, halves, whole
from kit.search.limits import broken
from kit.shared.job import EVALUATED, GOLDEN, MODEL, RESULT, Result
from kit.shared.quantization import LayerError, QuantizerJob
from kit.tflite.cost import cost_of
from kit.tflite.reader import read_tflite
from kit.toolchains.toolchain import find_runtime

if TYPE_CHECKING:
    import numpy as np

_PLACE = re.compile(r"(?:/[^\s:/]+)+/")  # of a temporary file: no reader's concern


@dataclass(frozen=True)
class Trial:
    """One candidate's outcome.

    why: why there is no file, or what it does not keep on the half to choose on, or on all samples; too_large: that is
    its bytes alone.
    """

    candidate: Candidate
    size: int = 0
    cost: float = 0.0  # of a call, in multiply-adds of float32: kit.tflite.cost
    halves: Halves | None = None
    why: str = ""
    too_large: bool = False
    made: tuple[Result, JobFolder] | None = None  # what converted it came to
    errors: tuple[LayerError, ...] = ()
    latency: Latency | None = None  # measured when the choice is made, and part of none

    @property
    def loss(self) -> tuple[float, float]:
        """Return what it loses on the half to choose on, to compare by: of metrics or agreement, then the error."""
        measures = self.halves.chosen_on if self.halves else ()
        drops = [drop(measure.metrics[0]) for measure in measures if measure.metrics]
        points = [lost[0] for lost in drops if lost is not None]
        points += [1 - m.agreement for m in measures if m.agreement is not None and not m.truth]
        return sum(points), sum(m.relative_error or 0.0 for m in measures)

    def price(self, prefer: str) -> tuple[float, ...]:
        """Return what the choice goes by, the least first: "size", or "speed"."""
        return (self.cost, self.size) if prefer == "speed" else (self.size,)

    @property
    def keeps(self) -> bool:
        """Say whether it keeps the checks."""
        return self.halves is not None and not self.why


@dataclass
class Trials:
    """Makes and measures candidates of one conversion to float32.

    plan: with scheme auto; limits: its recipe with the checks to search by; folder: for the files; place: made ready.
    """

    plan: Plan
    limits: Recipe
    result: Result
    job: JobFolder
    data: Data
    folder: Path
    place: QuantizerPlace
    done: list[Trial] = field(default_factory=list)

    def run(self, candidates: Sequence[Candidate]) -> list[Trial]:
        """Make candidates with LiteRT's quantizer and measure them on the app's runtime, in their order."""
        order = QuantizerJob(tuple(quantization_of(each.quantize) for each in candidates), self.result.layers, COMPARED)
        first = len(self.done)
        folder = self.folder / f"{first}"
        folder.mkdir()
        files = run_quantizer(self.place, self.job, order, folder)
        beside = max(1, min(len(candidates), usable_cores()))
        scripts = Scripts(cores=max(1, usable_cores() // beside))
        with side_by_side(scripts, beside) as pool:
            places = [folder / f"job-{number}" for number in range(len(candidates))]
            found = list(pool.map(self._try, candidates, files, places, repeat(scripts)))
        self.done += found
        return found

    @cached_property
    def evaluated(self) -> dict[str, np.ndarray]:
        """Return what the float model gives, read once: float/<name> float32 [N, ...], and y in its own dtype."""
        return _evaluated(self.job)

    def measured(self, candidate: Candidate, result: Result, job: JobFolder) -> Trial:
        """Measure a file that a conversion of its own made."""
        trial = self._measured(Trial(candidate), result, job, _evaluated(job), Scripts())
        self.done.append(trial)
        return trial

    def failed(self, candidate: Candidate, why: str) -> Trial:
        """Note a candidate that gave no file."""
        trial = Trial(candidate, why=why)
        self.done.append(trial)
        return trial

    def refused(self, trial: Trial, lost: Iterable[Verdict]) -> None:
        """Note what a candidate does not keep of the build's own checks, which are on all samples."""
        place = [each is trial for each in self.done].index(True)
        self.done[place] = replace(trial, why=_on_all(lost))

    def _try(self, candidate: Candidate, file: QuantizedFile, out: Path, scripts: Scripts) -> Trial:
        if file.path is None:
            return Trial(candidate, why=file.said.error or f"no layer {', '.join(file.said.unmatched)}")
        out.mkdir()
        for name in (EVALUATED, GOLDEN, RESULT):
            (out / name).symlink_to(self.job.out / name)
        (out / MODEL).symlink_to(file.path)
        result = replace(self.result, sha256=sha256_file(file.path), unsure=file.said.unsure)
        trial = Trial(candidate, errors=file.said.errors)
        return self._measured(trial, result, replace(self.job, out=out), self.evaluated, scripts)

    def _measured(
        self, trial: Trial, result: Result, job: JobFolder, evaluated: Mapping[str, np.ndarray], scripts: Scripts
    ) -> Trial:
        """Return a trial with what its file is measured at.

        evaluated: as kit.build.metrics.measure has it, [N, ...] in their own dtype.
        """
        recipe = self.limits.model_copy(update={"quantize": trial.candidate.quantize})
        plan = replace(self.plan, recipe=recipe)
        size = (job.out / MODEL).stat().st_size
        try:
            refuse_misfit(plan, result, job)
            parts = with_truth(Parts.of(plan, result, job, self.data.raw()), self.data)
            size = len(parts.model)  # as an app gets it
            runtime = find_runtime(recipe.android.runtime).name
            predictions = outputs_there(parts, runtime, self.place.notify, scripts)
            refuse_state(runtime, [s for s in result.signature.outputs if s.name not in result.drawn], predictions)
            both = halves(parts, evaluated, predictions)
            cost = cost_of(read_tflite(parts.model)).units
        except RecipeError:
            raise  # of no candidate: it is so for each
        except KitError as error:
            return Trial(trial.candidate, size, why=_PLACE.sub("", error.message))
        lost = [*broken(recipe, result, both.chosen_on, size)]
        why = _words(lost)
        if not lost and (lost := [*broken(recipe, result, whole(parts, evaluated, predictions), size)]):
            why = _on_all(lost)
        large = bool(lost) and not any(map(concerns_scheme, lost))
        return replace(trial, size=size, cost=cost, halves=both, why=why, too_large=large, made=(result, job))


def _words(lost: Iterable[Verdict]) -> str:
    """Return checks that do not hold, with what was measured."""
    return "; ".join(f"{verdict.name} {verdict.value}" for verdict in lost)


def _on_all(lost: Iterable[Verdict]) -> str:
    return f"on all samples {_words(lost)}"


def _evaluated(job: JobFolder) -> dict[str, np.ndarray]:
    """Return what a job says of the float model: float/<name> float32 [N, ...], and y in its own dtype."""
    return made_arrays(job.out / EVALUATED, without="input/")
