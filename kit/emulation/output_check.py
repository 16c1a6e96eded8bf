"""What is found of one output on another processor, in words: what the reports of a GPU and of arm64 share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class InputError:
    """A file that cannot be used."""

    input: str
    error: str
    hint: str


@dataclass(frozen=True)
class OutputCheck:
    """One output in one set of inputs, and how far its values are from what they should be."""

    inputs: str  # "golden vectors", "drawn inputs", "your files"
    signature: str  # a key; "" is the main one
    output: str
    calls: int
    unit: str  # of distances: "steps" of quantization, or "absolute"
    allowed: float
    top1: tuple[int, int] | None  # rows with the same best class, of how many
    passed: bool

    @property
    def sentence(self) -> str:
        """Say how far it is off."""
        raise NotImplementedError

    def distance(self, worst: float) -> str:
        """Return a largest difference with its unit: "1 step", "0.0012"."""
        return f"{worst:.3g}" + ("" if self.unit != "steps" else " step" if worst == 1 else " steps")


def check_lines(checks: Sequence[OutputCheck], indent: str) -> Iterator[str]:
    """Yield a line for each check; which signature it is of, where there are several."""
    several = len({check.signature for check in checks}) > 1
    for check in checks:
        of = f" of {check.signature}" if several and check.signature else ""
        calls = f"{check.calls} call{'s' if check.calls != 1 else ''}"
        yield f"{indent}{check.inputs}{of}, {calls}: {check.sentence}: {'pass' if check.passed else 'FAIL'}"
