"""What calls gave, and the INPUTs that cannot be used, as values, in the keys that --json has of them.

There is one of some for each sample: these are tuples, which are made in a third of the time.
"""

from dataclasses import asdict, dataclass
from typing import NamedTuple

from .found import Found
from .numbers import Json, Number


@dataclass(frozen=True)
class TextCount:
    """How many tokens a text has, how many of them the vocabulary does not have, and how many are cut off."""

    tokens: int
    unknown: int
    cut: int


class ClassScore(NamedTuple):
    """One class of an output."""

    index: int
    label: str | None
    score: Number  # a real value, after the activation


class Classes(NamedTuple):
    """The best classes of an output, best first."""

    top: tuple[ClassScore, ...]

    def to_json(self) -> Json:
        return {"kind": "classes", "top": [score._asdict() for score in self.top]}


@dataclass(frozen=True)
class Values:
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
    index: int | None
    outputs: tuple[tuple[str, Classes | Values | Found], ...]
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
        plain |= {"texts": {name: asdict(count) for name, count in self.texts}} if self.texts else {}
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
        return f"{' '.join(self.input.splitlines())}: {self.error}; {self.hint}"

    def to_json(self) -> Json:
        return {"input": self.input, "error": self.error, "hint": self.hint}


@dataclass(frozen=True)
class Variable:
    """A kept variable as it is now."""

    values: Values
    mean: Number

    def to_json(self) -> Json:
        return {"dtype": self.values.dtype, "mean": self.mean, **self.values.to_json()}


@dataclass(frozen=True)
class Benchmark:
    """The time of one call, with its copies in and out."""

    median_ms: float
    p90_ms: float
    runs: int
    warm_up: int
    threads: int
