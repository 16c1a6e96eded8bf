"""A job's data as what single calls of its float32 file take. Knows the job's folders, nothing of quantization."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kit.shared.job import CALIBRATION, EVALUATION, JOB, RESULT, InputSpec, Result, SignatureSpec, load_job, load_result
from kit.shared.lazy import Lazy
from kit.shared.npz import map_npz
from kit.shared.rows import Array, given_rows, whole_calls

Feeds = dict[str, np.ndarray]


def calibration_calls(inputs: Path, out: Path) -> dict[str, Sequence[Feeds]]:
    """Return the calls of each signature that has data, the main one first: by input name [...], in its dtype.

    The representative data; where there is none, that of the checks.
    """
    job, made = load_job((inputs / JOB).read_text("utf-8")), load_result((out / RESULT).read_text("utf-8"))
    assert isinstance(made, Result)
    given = map_npz(inputs / (CALIBRATION if job.calibrate else EVALUATION))
    requests = {request.name: request for request in job.inputs}
    found: dict[str, Sequence[Feeds]] = {}
    for signature in (made.signature, *made.others):
        prefix = "input/" if signature is made.signature else f"input/{signature.key}/"
        if signature.inputs and all(prefix + spec.name in given for spec in signature.inputs):
            found[signature.key] = _calls(signature, given, prefix, requests)
    return found


def _calls(
    signature: SignatureSpec, given: Mapping[str, np.ndarray], prefix: str, requests: Mapping[str, InputSpec]
) -> Sequence[Feeds]:
    """Return the calls of one signature, by input name [...] in its dtype.

    given: <prefix><name> [N, ...] of any dtype.
    """
    step = max(next((spec.shape[0] for spec in signature.inputs if spec.batched), 1), 1)
    rows: dict[str, Array] = {}
    for spec in signature.inputs:
        array, request = given[prefix + spec.name], requests.get(spec.name, InputSpec(spec.name))
        inner = spec.shape[1:] if spec.batched else spec.shape
        inner = array.shape[1:] if -1 in inner else inner
        rows[spec.name] = whole_calls(given_rows(array, request, inner, spec.dtype), step)
    batched = {spec.name: spec.batched for spec in signature.inputs}

    def call(number: int) -> Feeds:
        """Return what one call takes: by input name [...], in its dtype."""
        at = slice(number * step, (number + 1) * step)
        return {
            name: np.require(array[at] if batched[name] else array[number], requirements="A")
            for name, array in rows.items()
        }

    return Lazy(len(next(iter(rows.values()))) // step, call)
