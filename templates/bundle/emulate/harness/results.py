"""One result for each call that an INPUT is enough for: the outputs in words, and drawn where that is asked for."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from .decode import Decoded, is_embedding, with_similarity
from .draw import draw, save
from .entries import Result
from .errors import broken
from .files import Array, Arrays
from .frame import Frame, frame_of
from .inputs import Sample, read_input
from .interpreter import Runner, ask
from .options import Options
from .outputs import Read, read_outputs
from .signature import Signature


@dataclass(frozen=True)
class Run:
    """What runs INPUTs, and the first embedding of each output, which later ones are compared with."""

    signature: Signature
    runner: Runner
    options: Options
    first: dict[str, Array] = field(default_factory=dict)

    def on(self, runner: Runner) -> "Run":
        """Return the same on another runner of the same model."""
        return replace(self, runner=runner)

    @property
    def knows_first(self) -> bool:
        """Whether no later output is a first one that others are compared with."""
        forms = {name: tensor.form for name, tensor in self.signature.outputs.items()}
        return all(name in self.first for name, form in forms.items() if is_embedding(form))


@dataclass(frozen=True)
class Outcome:
    """What one call came to. raw: where it is kept, [*shape] of each output in its tensor's dtype."""

    result: Result
    raw: Arrays


def run_input(path: Path, run: Run) -> Iterator[Outcome]:
    """Yield what comes of each call that an INPUT is enough for. Raises EmulateError."""
    frame: Frame | None = None
    for sample in read_input(path, run.signature):
        frame = frame or frame_of(path, run.signature)
        yield run_sample(sample, run, frame)


def run_sample(sample: Sample, run: Run, frame: Frame) -> Outcome:
    """Return what comes of one call. Raises EmulateError."""
    produced = ask(run.runner, run.signature, sample.feed)
    try:
        read = read_outputs(run.signature, produced, run.options.top, frame)
    except ValueError as error:
        raise broken(run.runner.bundle.signature, str(error)) from error
    kept = {name: np.array(array) for name, array in produced.items()} if run.options.save_outputs else {}
    return Outcome(_result(sample, run, frame, _compared(read, run)), kept)


def _result(sample: Sample, run: Run, frame: Frame, read: dict[str, Read]) -> Result:
    tensors = run.signature.outputs
    decoded = [(tensors[name].form, output) for name, output in read.items() if isinstance(output, Decoded)]
    drawn = tuple((form, output) for form, output in decoded if form is not None)
    folder = run.options.save_images
    saved = None if folder is None else str(save(draw(sample, run.signature, frame, drawn), folder, sample))
    placed = any(not is_embedding(form) for form, _ in drawn)
    outputs = tuple((name, each.found if isinstance(each, Decoded) else each) for name, each in read.items())
    return Result(
        sample.source,
        sample.index,
        outputs,
        (frame.width, frame.height) if placed else None,
        saved,
        sample.texts,
        sample.seconds,
    )


def _compared(read: dict[str, Read], run: Run) -> dict[str, Read]:
    """Return outputs, each embedding compared with the first of its name."""
    compared = dict(read)
    for name, output in read.items():
        if isinstance(output, Decoded) and is_embedding(run.signature.outputs[name].form):
            if name in run.first:
                compared[name] = with_similarity(output, run.first[name])
            run.first.setdefault(name, output.array)
    return compared
