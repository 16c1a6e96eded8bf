"""tune = true: int8 with other rounding, bias correction, or float for the worst layers, where that is better.

Better is: at most as large as plain int8, and less lost on the half of the data that chooses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from kit.search.candidates import int8_options, mixes
from kit.search.trials import Trial, Trials


def tune(trials: Trials, try_plain: Callable[[], object]) -> None:
    """Try plain int8, its options, and ever more of the worst layers in float for the option that loses least.

    try_plain: tries TensorFlow's int8, which a recipe without tune would get; for a recipe that names LiteRT's
    quantizer, that is the first of the options.
    """
    asked = trials.plan.recipe.quantize
    if asked.quantizer != "litert":
        try_plain()
    tried = trials.run(int8_options(asked))
    most = _most(trials.done)
    for base in by_loss(tried)[:1]:
        for _, candidate in mixes(base.candidate, base.errors):
            (trial,) = trials.run([candidate])
            if trial.halves is None or trial.size > most:
                break


def tuned(done: Sequence[Trial]) -> list[Trial]:
    """Return the candidates that are at most as large as plain int8, the first one tried, by what they lose."""
    most = _most(done)
    return [trial for trial in by_loss(done) if trial.size <= most]


def by_loss(done: Sequence[Trial]) -> list[Trial]:
    """Return the candidates that were measured, those that lose least first; of two, the smaller and the earlier."""
    return sorted((trial for trial in done if trial.halves), key=lambda trial: (trial.loss, trial.size))


def _most(done: Sequence[Trial]) -> float:
    """Return the bytes of plain int8: of the first candidate that has been measured."""
    return next((trial.size for trial in done if trial.halves), math.inf)
