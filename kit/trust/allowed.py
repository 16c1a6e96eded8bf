"""The allowlists: classes, functions and symbols of Keras and TensorFlow, and operators, that only compute.

allowed.json was read off the pinned toolchains and gone through by name: what opens a file, writes one, talks to
another process, loads a library or runs Python is not in it, nor what changes the process's settings.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_V1 = "compat.v1."
_RAW = "raw_ops."


@dataclass(frozen=True)
class Ask:
    """Something that a model file asks for and that is no computing.

    kind: "symbol", a function, class or operator of TensorFlow, Keras or Python; "file", a path.
    """

    kind: str
    where: str  # "layer 'write'", "operation 'Write' in function 'init'"
    what: str  # "calls tf.io.write_file"

    def __str__(self) -> str:
        return f"{self.where} {self.what}"


@dataclass(frozen=True)
class Allowed:
    """The lists. symbols are TensorFlow's and Keras 2's exported functions by their dotted names, as `nn.relu`."""

    classes: frozenset[str]
    functions: frozenset[str]
    operators: frozenset[str]
    symbols: frozenset[str]

    def symbol(self, name: str) -> bool:
        """Say whether an exported name, as a TFOpLambda layer has it, is one that computes."""
        if name.startswith(_RAW):
            return name.removeprefix(_RAW) in self.operators
        return name.removeprefix(_V1) in self.symbols


@cache
def allowed() -> Allowed:
    """Return the lists of allowed.json, which has them as lines of names."""
    raw = json.loads(Path(__file__).with_name("allowed.json").read_text("utf-8"))
    symbols = {f"{space}.{name}".lstrip(".") for space, lines in raw["symbols"].items() for name in _names(lines)}
    plain = {key: frozenset(_names(raw[key])) for key in ("classes", "functions", "operators")}
    return Allowed(**plain, symbols=frozenset(symbols))


def _names(lines: list[str]) -> list[str]:
    return [name for line in lines for name in line.split()]
