"""The kept variables as --variables shows them."""

import numpy as np

from .entries import Variable
from .interpreter import Runner, ask
from .numbers import number
from .outputs import values_of
from .signature import Variables


def variables_of(kept: Variables, runner: Runner) -> tuple[tuple[str, Variable], ...]:
    """Return what --variables says of each kept variable, by name. Raises EmulateError."""
    found = ask(runner, kept.read, {})
    return tuple(
        (name, Variable(values_of(tensor, found[name]), number(found[name].mean(dtype=np.float64))))
        for name, tensor in kept.tensors.items()
    )
