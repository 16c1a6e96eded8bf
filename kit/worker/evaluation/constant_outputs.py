"""Why an int8 file cannot be prepared: an output that calibration does not move has no range, and no scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kit.shared.job import JobError
from kit.shared.rows import Arrays as Samples
from kit.worker.evaluation.metrics import reference
from kit.worker.source.contract import Contract

Arrays = Mapping[str, np.ndarray]


def still_outputs(contracts: Sequence[Contract], calibration: Mapping[str, Samples]) -> list[tuple[str, float]]:
    """Return the outputs that the float model gives the same for all calibration data [N, ...], with that value.

    calibration: [N, ...] by signature and input name, in its dtype.
    """
    found = []
    for contract in contracts:
        if contract.key in calibration:
            outputs = reference(contract, calibration[contract.key])
            found += [
                (name, float(array.flat[0])) for name, array in outputs.items() if array.size and not np.ptp(array)
            ]
    return found


def unprepared(error: JobError, contracts: Sequence[Contract], calibration: Mapping[str, Samples]) -> JobError:
    """Return what to say where the file cannot be prepared: the outputs at fault, where there are any.

    calibration: [N, ...] by signature and input name, in its dtype.
    """
    if "prepare" not in error.refusal.message:
        return error
    still = still_outputs(contracts, calibration)
    if not still:
        return error
    names = ", ".join(f"'{name}' is always {value:g}" for name, value in still)
    return JobError(
        "model",
        f"int8 has no scale for an output that does not change in the calibration data: {names}",
        "give calibration data in which it changes; leave that output out: [model] outputs; or use "
        'scheme = "dynamic" or "float16"',
    )
