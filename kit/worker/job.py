"""The contract between the host and the worker: job.json in, result.json and files out. Standard library only.

The host writes `<in>/job.json` beside the model and the data; the worker writes `<out>/result.json`, with
`model.tflite` and `golden.npz` beside it where it succeeded, `answers.npz` where the job asks for it, and JSON lines of
progress on its stdout.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, TypeVar

FORMAT = 1
JOB, RESULT = "job.json", "result.json"
MODEL, GOLDEN, ANSWERS = "model.tflite", "golden.npz", "answers.npz"
CALIBRATION, EVALUATION = "calibration.npz", "evaluation.npz"
SIGNATURE = "serving_default"


@dataclass(frozen=True)
class InputWish:
    """What the recipe says of an input. `shape` is without the batch axis, None where the model decides."""

    name: str
    picture: bool = False
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True)
class OutputWish:
    """What the recipe says of an output. `labels` is the number of labels, None where there are none."""

    name: str
    classes: bool = False
    labels: int | None = None
    activation: str = "none"


@dataclass(frozen=True)
class Job:
    """One conversion. File names are relative to the job's input folder."""

    model: str  # a copy of the source model
    legacy_keras: bool  # load it with Keras 2 (tf_keras)
    allow_code: bool  # the model may run Python code of its own on load
    scheme: str  # float32 float16 dynamic int8
    io: str  # float32 uint8 int8
    inputs: tuple[InputWish, ...]
    outputs: tuple[OutputWish, ...]
    calibrate: bool  # calibration.npz is there: <name> [N, ...] in the model's own values
    evaluate: bool  # evaluation.npz is there: input/<name> [N, ...], and y where known
    pixels: bool = False  # golden.npz gets the pictures behind the vectors: pixels/<name>
    golden: int = 8  # how many golden vectors
    answers: bool = False  # also write answers.npz: what the file answers to every evaluation sample
    seed: int = 7
    format: int = FORMAT


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of the produced file. real = scale * (q - zero_point); both None for a float tensor."""

    name: str  # the name that the source model gave it
    shape: tuple[int, ...]  # with the batch axis; -1 marks a dynamic axis
    dtype: str  # numpy name: "uint8"
    scale: float | None = None
    zero_point: int | None = None


@dataclass(frozen=True)
class OutputMeasure:
    """One output on the evaluation data: the produced file against the float Keras model, and against y.

    Errors are absolute, in the output's real values; `worst_steps` is the worst in quantization steps.
    """

    name: str
    worst_error: float
    mean_error: float
    worst_steps: float | None = None
    agreement: float | None = None  # fraction of equal top-1; classes only
    float_accuracy: float | None = None  # fraction of top-1 equal to y, before
    accuracy: float | None = None  # and after


@dataclass(frozen=True)
class Result:
    """What the worker made and measured."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    measures: tuple[OutputMeasure, ...]
    samples: int  # how many samples the measures are of
    measured_on: str  # "checks", "representative" or "random"
    parameters: int  # weights of the source model
    loader: str  # "keras 3.15.1", "tf_keras 2.19.0"
    tensorflow: str
    machine: str  # the architecture that it ran on: "x86_64"
    portable: bool  # float sums are cut the same on every CPU: the file does not depend on its type
    format: int = FORMAT


@dataclass(frozen=True)
class Refusal:
    """Why there is no result. `kind` is one of kit.errors.KINDS."""

    kind: str
    message: str
    hint: str = ""


class JobError(Exception):
    """Raised inside the worker; becomes a Refusal."""

    def __init__(self, kind: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.refusal = Refusal(kind, message, hint)


def dump(value: Job | Result | Refusal) -> str:
    """Return the value as JSON text, the same for the same value."""
    return json.dumps({type(value).__name__.lower(): dataclasses.asdict(value)}, indent=1, sort_keys=True) + "\n"


def load_job(text: str) -> Job:
    """Read job.json. Raises ValueError for another format's."""
    raw = _checked(json.loads(text)["job"])
    raw["inputs"] = tuple(InputWish(**{**item, "shape": _tuple(item["shape"])}) for item in raw["inputs"])
    raw["outputs"] = tuple(_build(OutputWish, item) for item in raw["outputs"])
    return Job(**raw)


def load_result(text: str) -> Result | Refusal:
    """Read result.json. Raises ValueError for another format's."""
    raw = json.loads(text)
    if "refusal" in raw:
        return Refusal(**raw["refusal"])
    raw = _checked(raw["result"])
    for key in ("inputs", "outputs"):
        raw[key] = tuple(TensorSpec(**{**item, "shape": tuple(item["shape"])}) for item in raw[key])
    raw["measures"] = tuple(_build(OutputMeasure, item) for item in raw["measures"])
    return Result(**raw)


T = TypeVar("T")


def _build(kind: type[T], item: dict[str, Any]) -> T:
    return kind(**item)


def _checked(raw: dict[str, Any]) -> dict[str, Any]:
    if raw.get("format") != FORMAT:
        raise ValueError(f"format {raw.get('format')!r} is not {FORMAT}")
    return raw


def _tuple(value: list[int] | None) -> tuple[int, ...] | None:
    return None if value is None else tuple(value)
