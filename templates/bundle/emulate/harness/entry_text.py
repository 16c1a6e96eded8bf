"""The outputs of calls in lines for a user."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .entries import Classes, ClassScore, Result, TextCount, Values
from .words import one_word, plural, short

if TYPE_CHECKING:
    from .found import Found
    from .variables import Variable


def result_lines(result: Result) -> Iterator[str]:
    """Yield what one call gave, the INPUT first."""
    at = "" if not result.index or result.seconds is None else f", from {result.seconds:.6g} s"
    yield one_word(result.input) + ("" if result.index is None else f"[{result.index}]{at}")
    for text, count in result.texts:
        yield f"  {text}: {_tokens(count)}"
    for output, values in result.outputs:
        yield from _output_lines(output, values)
    if result.image is not None:
        yield f"  drawn in {result.image}"


def variable_line(name: str, now: Variable) -> str:
    """Return what a kept variable is now."""
    values = now.values
    return f"{name}: {values.dtype} {list(values.shape)}, {_limits(values)}, mean {short(now.mean)}"


def _tokens(count: TextCount) -> str:
    share = (
        f", {count.unknown} of them ({count.unknown / count.tokens:.0%}) not in the vocabulary" if count.tokens else ""
    )
    return f"{plural(count.tokens, 'token')}{share}{f', {count.cut} cut off' if count.cut else ''}"


def _output_lines(name: str, output: Classes | Values | Found) -> Iterator[str]:
    if isinstance(output, Classes):
        yield f"  {name}"
        yield from (f"    {short(score.score):<8} {_label(score)}" for score in output.top)
    elif isinstance(output, Values):
        yield _value_line(name, output)
    else:
        yield from _found_lines(name, output)


def _value_line(name: str, output: Values) -> str:
    first = " ".join(short(value) for value in output.values[:8])
    more = " ..." if len(output.values) > 8 else ""
    limits = f", {_limits(output)}" if output.shape else ""  # a single number is its own
    return f"  {name}: {output.dtype} {list(output.shape)}{limits}: {first}{more}"


def _found_lines(name: str, found: Found) -> Iterator[str]:
    from .found import Boxes, Mask, Points

    if isinstance(found, Boxes):
        count = len(found.boxes)
        yield f"  {name}: {f'{count} boxes' if count != 1 else '1 box'}"
        for box in found.boxes:
            edges = ", ".join(short(edge) for edge in (box.left, box.top, box.right, box.bottom))
            yield f"    {short(box.score):<8} {box.label or f'class {box.index}'}: {edges} (left, top, right, bottom)"
    elif isinstance(found, Mask):
        total = sum(each.pixels for each in found.classes)
        yield f"  {name}: a mask of {found.shape[1]} x {found.shape[0]}"
        for each in found.classes:
            yield f"    {each.pixels / total:<8.1%} {each.label or f'class {each.index}'}"
    elif isinstance(found, Points):
        yield f"  {name}: {plural(len(found.points), 'keypoint')}"
        for point in found.points:
            place = f"{short(point.x)}, {short(point.y)}"
            yield f"    {short(point.score):<8} {point.label or f'point {point.index}'}: {place} (x, y)"
    else:
        first = " ".join(short(value) for value in found.values[:8])
        like = "" if found.similarity is None else f"; similarity with the first input {short(found.similarity)}"
        yield f"  {name}: an embedding of {found.size}: {first}{' ...' if found.size > 8 else ''}{like}"


def _label(score: ClassScore) -> str:
    return f"class {score.index}" if score.label is None else score.label


def _limits(values: Values) -> str:
    return f"min {short(values.min)}, max {short(values.max)}"
