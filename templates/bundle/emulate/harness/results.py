"""One result for each call that an INPUT is enough for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from .entries import Result
from .errors import broken
from .files import Arrays
from .frame import Frame, frame_of
from .groups import in_groups
from .inputs import Sample, read_input
from .interpreter import ask
from .outputs import read_outputs
from .run import Run
from .signature import Signature

if TYPE_CHECKING:
    from .entries import Outputs
    from .outputs import Named

MOST_BYTES, OVERHEAD = 1 << 20, 1 << 10  # of outputs that are read at once, and of each call beside them


class Outcome(NamedTuple):
    """What one call came to. raw: where it is kept, [*shape] of each output in its tensor's dtype."""

    result: Result
    raw: Arrays


Called = tuple[Sample, Arrays]  # a call, and [*shape] of each output in its tensor's dtype


def run_input(path: Path, run: Run) -> Iterator[Outcome]:
    """Yield what comes of each call that an INPUT is enough for. Raises EmulateError."""
    return run_samples(path, read_input(path, run.signature), run)


def run_samples(path: Path, samples: Iterable[Sample], run: Run) -> Iterator[Outcome]:
    """Yield what comes of calls with samples of one INPUT. Raises EmulateError behind what came before the error."""
    frame: Frame | None = None
    calls = ((sample, ask(run.runner, run.signature, sample.feed)) for sample in samples)
    for group in in_groups(calls, partial(_read_at_once, run.signature)):
        frame = frame or frame_of(path, run.signature)
        yield from _outcomes(group, run, frame)


def _read_at_once(signature: Signature, called: Called) -> int:
    """Return how many calls' outputs are read at once: many small ones, one where something is decoded.

    called: a call with outputs [*shape] of each tensor in its dtype.
    """
    size = sum(array.nbytes for array in called[1].values())
    return 1 if signature.decodes else max(1, MOST_BYTES // (size + OVERHEAD))


def _outcomes(calls: Sequence[Called], run: Run, frame: Frame) -> Iterator[Outcome]:
    """Yield what comes of calls whose outputs are read at once. Raises EmulateError.

    calls: with outputs [*shape] of each tensor in its dtype.
    """
    try:
        read = read_outputs(run.signature, [produced for _, produced in calls], run.options.shown, frame)
    except ValueError as error:
        raise broken(run.runner.bundle.signature, str(error)) from error
    result_of = _decoded if run.signature.decodes else _plain
    for (sample, produced), outputs in zip(calls, read, strict=True):
        raw = {name: np.array(array) for name, array in produced.items()} if run.options.save_outputs else {}
        yield Outcome(result_of(sample, outputs, run, frame), raw)


def _plain(sample: Sample, outputs: Named, _run: Run, _frame: Frame) -> Result:
    read = cast("Outputs", outputs)  # nothing of it is decoded
    return Result(sample.source, sample.index, read, None, None, sample.texts, sample.seconds)


def _decoded(sample: Sample, outputs: Named, run: Run, frame: Frame) -> Result:
    from .decoded import decoded_result  # with all that draws

    return decoded_result(sample, outputs, run, frame)
