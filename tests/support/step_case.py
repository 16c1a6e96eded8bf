"""A refusal of the worker and what follows its next step, as values: next_steps.py and step_files.py have the cases."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import step_models as m
from failures import PLAIN

from kit.shared.job import Job, ModelPart, OutputSpec, TrainSpec

SAVED = replace(PLAIN, parts=(ModelPart("model", "SavedModel", False, "model"),), allow_code=False)
STATE = replace(PLAIN, keep=("memory/rnn*",))
STREAM = replace(PLAIN, streaming=True)
INT8 = replace(PLAIN, scheme="int8", calibrate=True)
TRAIN = TrainSpec("categorical_crossentropy", "sgd", 0.01, 4)
HEAD = replace(PLAIN, output_order=("digit",), keep=("digit/*",), train=TRAIN)
BOX_TRAIN = TrainSpec("mean_squared_error", "sgd", 0.001, 4)
BOX = replace(PLAIN, output_order=("box",), keep=("box/*",), train=BOX_TRAIN)
ROWS = m.numbers(40, 8)
STEPS = m.numbers(40, 6, 3)
DENSE, SEQUENCE = m.saves(m.dense()), m.saves(m.sequence("gru"))
WITHOUT = "leave [model] streaming out: the file then takes whole sequences"


@dataclass(frozen=True)
class Tried:
    """A model and a job on it."""

    write: m.Write
    job: Job
    code: str = ""


@dataclass(frozen=True)
class Case:
    """What is refused, words of the refusal and of its next step, and what follows the step, in each of its ways."""

    wrong: Tried
    says: str
    next: str
    right: tuple[Tried, ...]


def case(write: m.Write, job: Job, says: str, step: str, *right: Job) -> Case:
    """Return a case in which the same model is mended by other jobs."""
    return Case(Tried(write, job), says, step, tuple(Tried(write, each) for each in right))


def rebuilt(wrong: m.Write, job: Job, says: str, step: str, *right: m.Write) -> Case:
    """Return a case in which the same job is mended by other models."""
    return Case(Tried(wrong, job), says, step, tuple(Tried(each, job) for each in right))


def order(job: Job, *outputs: str) -> Job:
    return replace(job, output_order=outputs)


def with_data(write: m.Write, **arrays: Any) -> m.Write:
    return m.each(write, m.calibration(**arrays))


def named_apart(*pairs: tuple[str, str]) -> tuple[OutputSpec, ...]:
    return tuple(OutputSpec(name, source) for name, source in pairs)
