"""The result of a call of which something is decoded: its places in the frame, embeddings compared, and all drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .decode import Decoded, is_embedding, with_similarity
from .draw import draw, save
from .entries import Result
from .frame import Frame
from .inputs import Sample
from .run import Run

if TYPE_CHECKING:
    from .outputs import Named


def decoded_result(sample: Sample, read: Named, run: Run, frame: Frame) -> Result:
    """Return the result of a call, drawn where that is asked for. Raises EmulateError."""
    tensors, compared = run.signature.outputs, _compared(read, run)
    decoded = [(tensors[name].form, output) for name, output in compared if isinstance(output, Decoded)]
    drawn = tuple((form, output) for form, output in decoded if form is not None)
    folder = run.options.save_images
    return Result(
        sample.source,
        sample.index,
        tuple((name, each.found if isinstance(each, Decoded) else each) for name, each in compared),
        (frame.width, frame.height) if any(not is_embedding(form) for form, _ in drawn) else None,
        None if folder is None else str(save(draw(sample, run.signature, frame, drawn), folder, sample)),
        sample.texts,
        sample.seconds,
    )


def _compared(read: Named, run: Run) -> Named:
    """Return outputs, each embedding compared with the first of its name."""
    compared = dict(read)
    for name, output in read:
        if isinstance(output, Decoded) and is_embedding(run.signature.outputs[name].form):
            if name in run.first:
                compared[name] = with_similarity(output, run.first[name])
            run.first.setdefault(name, output.array)
    return tuple(compared.items())
