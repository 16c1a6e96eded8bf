"""Run the user's own metrics where the worker runs: in a container, or behind the walls of the local engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kit.bounded import MOST_JSON, printable, read_bounded
from kit.engine.base import Engine, JobFolder, Limits
from kit.engine.logs import keep_log
from kit.engine.run import lay_out, refuse_links
from kit.errors import KINDS, RecipeError
from kit.files import temporary_folder
from kit.process import Exit
from kit.shared.job import RESULT, Refusal
from kit.shared.own_metrics import ARRAYS, CODE, METRICS, MetricJob, MetricValue, dump, load_values
from kit.toolchains.toolchain import Toolchain

if TYPE_CHECKING:
    import numpy as np

SECONDS = 600.0  # that all functions of one file may take, where --timeout allows as many


@dataclass(frozen=True)
class MetricPlace:
    """Where a user's file runs. engine: made ready for the toolchain; code: the file."""

    engine: Engine
    toolchain: Toolchain
    code: Path
    limits: Limits


def run_metrics(place: MetricPlace, job: MetricJob, arrays: Mapping[str, np.ndarray]) -> tuple[MetricValue, ...]:
    """Return a value for each request.

    arrays: as kit.shared.own_metrics has them, [N, ...] in their dtype. Raises RecipeError where the user's code
    raises, gives no number, takes too long or ends the process.
    """
    limits = replace(place.limits, seconds=min(place.limits.seconds, SECONDS))
    doing = [f"run {job.file}"]

    def note(line: str) -> None:
        """Keep what is being run."""
        with suppress(ValueError, KeyError, TypeError):
            doing[0] = printable(str(json.loads(line)["stage"]))[:200]

    with temporary_folder("dropkit-metrics-") as root:
        folder = JobFolder(root / "in", root / "out", root / "worker.log")
        folder.inputs.mkdir()
        lay_out(folder, {CODE: place.code}, {ARRAYS: arrays}, {METRICS: dump(job)})
        ended = place.engine.run(place.toolchain, folder, limits, note)
        refuse_links(folder.out)
        try:
            found = load_values(read_bounded(folder.out / RESULT, MOST_JSON).decode("utf-8"))
            complete = isinstance(found, Refusal) or len(found.values) == len(job.requests)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            complete = False
        if not complete or ended.status != 0:
            raise _died(place, limits, ended, doing[0], keep_log(folder.log, "own-metrics"))
    if isinstance(found, Refusal):
        raise KINDS.get(str(found.kind), RecipeError)(str(found.message), str(found.hint))
    return found.values


def _died(place: MetricPlace, limits: Limits, ended: Exit, doing: str, log: Path) -> RecipeError:
    """Return the error of a process that left no values."""
    if ended.timed_out:
        return RecipeError(
            f"{place.code}: it was to {doing}, and did not end within {limits.seconds:g} s",
            "calculate with whole arrays, without a loop over samples; or give fewer samples: [checks] data",
        )
    return RecipeError(
        f"{place.code}: it was to {doing}, and the process ended without a result: {ended.cause}\n  whole log: {log}",
        "correct what ends the process there; of too little memory, as in --memory 16g",
    )
