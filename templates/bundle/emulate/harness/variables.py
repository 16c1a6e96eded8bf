"""The kept variables as --variables shows them."""

from dataclasses import dataclass

import numpy as np

from .entries import Values
from .interpreter import Runner, ask
from .numbers import Json, Number, number
from .outputs import values_of
from .signature import Variables


@dataclass(frozen=True)
class Variable:
    """A kept variable as it is now."""

    values: Values
    mean: Number

    def to_json(self) -> Json:
        return {"dtype": self.values.dtype, "mean": self.mean, **self.values.to_json()}


def variables_of(kept: Variables, runner: Runner) -> tuple[tuple[str, Variable], ...]:
    """Return what --variables says of each kept variable, by name. Raises EmulateError."""
    found = ask(runner, kept.read, {})
    return tuple(
        (name, Variable(values_of(tensor, found[name]), number(found[name].mean(dtype=np.float64))))
        for name, tensor in kept.tensors.items()
    )
