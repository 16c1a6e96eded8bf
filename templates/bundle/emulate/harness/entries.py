"""What calls gave, and the INPUTs that cannot be used, as values, in the keys that --json has of them.

What there is one of for each sample is a tuple: it is made in a third of a frozen dataclass's time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .words import one_word

if TYPE_CHECKING:
    from .found import Found
    from .numbers import Json, Number

    Outputs = tuple[tuple[str, "Classes | Values | Found"], ...]  # of a call, by name


class TextCount(NamedTuple):
    """How many tokens a text has, how many of them the vocabulary does not have, and how many are cut off."""

    tokens: int
    unknown: int
    cut: int


class ClassScore(NamedTuple):
    """One class of an output."""

    index: int  # type: ignore[assignment]  # of a tuple it is a method
    label: str | None
    score: Number  # a real value, after the activation


class Classes(NamedTuple):
    """The best classes of an output, best first."""

    top: tuple[ClassScore, ...]

    def to_json(self) -> Json:
        return {"kind": "classes", "top": [score._asdict() for score in self.top]}


class Values(NamedTuple):
    """An array of real values in numbers."""

    dtype: str  # of the model file
    shape: tuple[int, ...]
    min: Number  # of the finite ones
    max: Number
    values: tuple[Number, ...]  # the first, row by row
    truncated: bool

    def to_json(self) -> Json:
        return {
            "dtype": self.dtype,
            "shape": list(self.shape),
            "min": self.min,
            "max": self.max,
            "values": list(self.values),
            "truncated": self.truncated,
        }


class Result(NamedTuple):
    """The outputs of one call, by name."""

    input: str
    index: int | None  # type: ignore[assignment]  # of a tuple it is a method
    outputs: Outputs
    frame: tuple[int, int] | None = None  # width, height of what places are given in
    image: str | None = None  # the file that they are drawn in
    texts: tuple[tuple[str, TextCount], ...] = ()  # by input
    seconds: float | None = None  # of a sound: from its start to this window's

    def to_json(self) -> Json:
        outputs: Json = {
            name: {"kind": "tensor", **output.to_json()} if isinstance(output, Values) else output.to_json()
            for name, output in self.outputs
        }
        plain: Json = {"input": self.input, "index": self.index, "outputs": outputs}
        plain |= {} if self.frame is None else {"frame": list(self.frame)}
        plain |= {} if self.seconds is None else {"seconds": self.seconds}
        plain |= {"texts": {name: count._asdict() for name, count in self.texts}} if self.texts else {}
        return plain if self.image is None else plain | {"image": self.image}


@dataclass(frozen=True)
class InputError:
    """An INPUT that cannot be used: what is wrong with it, and the next step."""

    input: str
    error: str  # without the INPUT's name
    hint: str
    trace: str = ""  # for --debug

    @property
    def line(self) -> str:
        """All of it on one line, whatever the INPUT's name has in it."""
        return f"{one_word(self.input)}: {self.error}; {self.hint}"

    def to_json(self) -> Json:
        return {"input": self.input, "error": self.error, "hint": self.hint}
