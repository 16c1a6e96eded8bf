"""One result for each call that an INPUT is enough for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .entries import Result
from .errors import EmulateError, broken
from .files import Arrays
from .frame import Frame, frame_of
from .inputs import Sample, read_input
from .interpreter import ask
from .outputs import read_outputs
from .run import Run
from .signature import Signature

if TYPE_CHECKING:
    from .outputs import Named

MOST_BYTES, OVERHEAD = 1 << 20, 1 << 10  # of outputs that are read at once, and of each call beside them


class Outcome(NamedTuple):
    """What one call came to. raw: where it is kept, [*shape] of each output in its tensor's dtype."""

    result: Result
    raw: Arrays


Called = list[tuple[Sample, Arrays]]  # calls, and [*shape] of each output in its tensor's dtype


def run_input(path: Path, run: Run) -> Iterator[Outcome]:
    """Yield what comes of each call that an INPUT is enough for. Raises EmulateError."""
    return run_samples(path, read_input(path, run.signature), run)


def run_samples(path: Path, samples: Iterable[Sample], run: Run) -> Iterator[Outcome]:
    """Yield what comes of calls with samples of one INPUT. Raises EmulateError behind what came before the error."""
    frame: Frame | None = None
    for called in filter(None, _called(samples, run)):
        frame = frame or frame_of(path, run.signature)
        yield from _outcomes(called, run, frame)


def _called(samples: Iterable[Sample], run: Run) -> Iterator[Called]:
    """Yield calls, or none, as many as are read at once. Raises EmulateError behind those before the error."""
    called: Called = []
    most = 1
    try:
        for sample in samples:
            called.append((sample, ask(run.runner, run.signature, sample.feed)))
            if len(called) == 1:
                most = _most_at_once(run.signature, called[0][1])
            if len(called) == most:
                yield called
                called = []
    except EmulateError:
        yield called
        raise
    yield called


def _most_at_once(signature: Signature, produced: Arrays) -> int:
    """Return how many calls' outputs are read at once: a few thousand small ones, one where something is decoded.

    produced: [*shape] of each output of a call in its tensor's dtype.
    """
    size = sum(array.nbytes for array in produced.values())
    return 1 if signature.decodes else max(1, MOST_BYTES // (size + OVERHEAD))


def _outcomes(called: Called, run: Run, frame: Frame) -> Iterator[Outcome]:
    """Yield what comes of calls whose outputs are read at once. Raises EmulateError."""
    try:
        read = read_outputs(run.signature, [produced for _, produced in called], run.options.shown, frame)
    except ValueError as error:
        raise broken(run.runner.bundle.signature, str(error)) from error
    result_of = _decoded if run.signature.decodes else _plain
    for (sample, produced), outputs in zip(called, read, strict=True):
        raw = {name: np.array(array) for name, array in produced.items()} if run.options.save_outputs else {}
        yield Outcome(result_of(sample, outputs, run, frame), raw)


def _plain(sample: Sample, outputs: Named, _run: Run, _frame: Frame) -> Result:
    return Result(sample.source, sample.index, outputs, None, None, sample.texts, sample.seconds)


def _decoded(sample: Sample, outputs: Named, run: Run, frame: Frame) -> Result:
    from .decoded import decoded_result  # with all that draws

    return decoded_result(sample, outputs, run, frame)
