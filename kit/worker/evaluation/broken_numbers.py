"""Weights and outputs that are not numbers: a training that diverged leaves NaN, and no conversion mends it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from kit.shared.job import Job, JobError
from kit.worker.source.model import Variable


def refuse_nan_weights(job: Job, variables: Sequence[Variable]) -> None:
    """Raise JobError (kind "model") for NaN in the model's weights, by their names; not where the gate is off."""
    broken = [
        f"'{each.name}' ({int(np.isnan(values).sum()):,} of {values.size:,})"
        for each in variables
        if each.value.dtype.is_floating and np.isnan(values := _values(each)).any()
    ]
    if broken and job.gate:
        more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
        raise JobError(
            "model",
            f"the model's weights hold NaN: {', '.join(broken[:3])}{more}; its training diverged, or a file is damaged",
            "give a checkpoint from before that; or, where no output needs those weights, write [checks] gate = false",
        )


def has_nan_output(predictions: Iterable[Mapping[str, np.ndarray]]) -> bool:
    """Say whether an output is NaN in every sample. predictions: float32 [N, ...] by output name, of each signature."""
    return any(_is_nan(array) for floats in predictions for array in floats.values())


def refuse_nan_outputs(job: Job, floats: Mapping[str, np.ndarray], *, random: bool) -> None:
    """Raise JobError for an output of the float model that is NaN in every sample; not where the gate is off.

    floats: float32 [N, ...] by output name; random: the samples are random numbers, not the recipe's data.
    """
    for name, array in floats.items():
        if job.gate and _is_nan(array):
            raise JobError(
                "recipe",
                f"the model itself gives nothing but NaN for the output '{name}' on "
                + ("random inputs" if random else "the recipe's data"),
                "say what the inputs hold: [[inputs]] range = [lowest, highest]; or give data: [checks] data"
                if random
                else "give data in the range that the model was trained on; or leave that output out: [model] outputs",
            )


def _is_nan(array: np.ndarray) -> bool:
    """Say whether an output, float32 [N, ...], has values and all of them are NaN."""
    return bool(array.size and np.isnan(array).all())


def _values(variable: Variable) -> np.ndarray:
    """Return a variable's values as float32, of its own shape."""
    return np.asarray(variable.value.numpy(), np.float32)
