"""How long a call of each candidate takes on the app's runtime, beside float32's: shown, and part of no choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from kit.build.plan import Plan
from kit.bundle.latency import Latency
from kit.emulation.latency import Order, TimedFile, latencies, time_files
from kit.search.trials import Trial
from kit.shared.job import GOLDEN, MODEL
from kit.toolchains.toolchain import find_runtime
from kit.toolchains.venv import runtime_venv

SECONDS = 0.6  # of calls for each candidate; six rounds of one call where a call takes longer
TOGETHER = 256 << 20  # bytes of the model files in one process: an interpreter takes two or three times as much


def with_latencies(plan: Plan, trials: Sequence[Trial], notify: Callable[[str], None]) -> list[Trial]:
    """Return the candidates, those that run with their latency: beside float32's, else beside the first one's.

    A model that keeps variables is not timed.
    """
    timed = [trial for trial in trials if trial.halves is not None and trial.made is not None]
    timed.sort(key=lambda trial: trial.candidate.quantize.scheme != "float32")  # stable: the first stays the first
    if not timed or any(trial.made[0].kept for trial in timed if trial.made):
        return list(trials)
    runtime = find_runtime(plan.recipe.android.runtime)
    python = runtime_venv(runtime, plan.runtime_lock, notify)
    found: dict[str, Latency | None] = {}
    for group in _groups(timed):
        files = tuple(_file(trial) for trial in group)
        names = [trial.candidate.name for trial in group]
        for name, latency in zip(names, latencies(names, time_files(python, Order(files, SECONDS))), strict=True):
            found.setdefault(name, latency)
    return [replace(trial, latency=found.get(trial.candidate.name)) for trial in trials]


def _groups(timed: Sequence[Trial]) -> Iterator[list[Trial]]:
    """Yield as many candidates as fit into one process, the first one in each, and at least one beside it."""
    first, *others = timed
    group = [first]
    for trial in others:
        if len(group) > 1 and sum(each.size for each in group) + trial.size > TOGETHER:
            yield group
            group = [first]
        group.append(trial)
    yield group


def _file(trial: Trial) -> TimedFile:
    assert trial.made is not None
    result, job = trial.made
    return TimedFile(str(Path(job.out) / MODEL), str(Path(job.out) / GOLDEN), result.signature.key)
