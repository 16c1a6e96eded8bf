"""A job's data as what single calls of its float32 file take. Knows the job's folders, nothing of quantization."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kit.shared.calls import Feeds, calls
from kit.shared.job import CALIBRATION, EVALUATION, JOB, RESULT, Result, load_job, load_result
from kit.shared.npz import map_npz
from kit.shared.quantization import EXACT
from kit.shared.rows import signature_rows


def calibration_calls(inputs: Path) -> dict[str, Sequence[Feeds]]:
    """Return the calls of each signature that has data, the main one first: by input name [...], in its dtype.

    The representative data; where there is none, that of the checks.
    """
    job = load_job((inputs / JOB).read_text("utf-8"))
    made = load_result((inputs / EXACT / RESULT).read_text("utf-8"))
    assert isinstance(made, Result)
    given = map_npz(inputs / (CALIBRATION if job.calibrate else EVALUATION))
    requests = {request.name: request for request in job.inputs}
    found: dict[str, Sequence[Feeds]] = {}
    for signature in (made.signature, *made.others):
        prefix = "input/" if signature is made.signature else f"input/{signature.key}/"
        if signature.inputs and all(prefix + spec.name in given for spec in signature.inputs):
            found[signature.key] = calls(signature.inputs, signature_rows(signature.inputs, given, requests, prefix))
    return found
