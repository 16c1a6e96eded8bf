"""Train on a golden vector: does the loss fall?"""

import numpy as np

from .calls import call_of
from .checks import TrainingCheck
from .golden import Golden
from .interpreter import Runner, ask
from .numbers import number
from .signature import Signature

STEPS = 10  # on one golden vector, after which the loss must be lower


def train(signature: Signature, runner: Runner, golden: Golden) -> TrainingCheck:
    """Return the losses of several steps on the first golden vector. Raises EmulateError."""
    vector = call_of(signature.inputs, golden.inputs(signature), 0)
    losses = [float(np.mean(ask(runner, signature, vector)["loss"])) for _ in range(STEPS)]
    return TrainingCheck(
        first=number(losses[0]),
        as_built=number(golden.of(signature, "output", "loss").reshape(-1)[0]),
        last=number(losses[-1]),
        steps=STEPS,
        passed=bool(np.isfinite(losses).all()) and losses[-1] < losses[0],
    )
