"""The contract between the host and the worker: job.json in, result.json and files out. Standard library only.

The host writes `<in>/job.json` beside the model and the data; the worker writes `<out>/result.json`, with
`model.tflite`, `evaluated.npz` and `golden.npz` beside it where it succeeded, and JSON lines of progress on its stdout.

calibration.npz and evaluation.npz have input/<name> [N, ...] as a user gave it, so uint8 pixels where an image's
InputSpec says how they are normalized, and y; kit.shared.rows makes of them what the model and the product take.
evaluated.npz is of the main signature and all evaluation samples: float/<name> the source model's outputs (float32),
output/<name> the file's in TensorFlow's own interpreter, raw, each [N, ...], and y; input/<name> as the file was fed,
of random samples alone, which are in no file of the job.
golden.npz has the same of the first samples of every signature, the others' below signature/<key>/, with
tolerance/<name> and what a bundle holds beside: pixels/<name>, variable/<name>. kit.build.golden puts the app's
runtime into it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kit.shared.values import from_json

FORMAT = 3
JOB, RESULT = "job.json", "result.json"
MODEL, GOLDEN, EVALUATED = "model.tflite", "golden.npz", "evaluated.npz"
CALIBRATION, EVALUATION = "calibration.npz", "evaluation.npz"
# What a freezing job writes, beside result.json.
FROZEN, SAVED_MODEL, FROZEN_WEIGHTS, FROZEN_STRUCTURE = "frozen.pb", "saved_model.zip", "weights.npz", "model.json"
CODE, STRUCTURE = "custom.py", "structure.json"
SIGNATURE = "serving_default"
READ, ASSIGN, TRAIN = "read_variables", "assign_variables", "train"  # the signatures of kept variables
DYNAMIC = -1  # an axis or a batch of any size


@dataclass(frozen=True)
class InputSpec:
    """What the recipe says of an input. `shape` is without the batch axis, None where the model decides."""

    name: str  # in the product
    source: str = ""  # in the model; "" where it is the same
    image: bool = False
    shape: tuple[int, ...] | None = None  # -1: an axis that stays open
    dtype: str = ""  # of the product, where it is not the model's
    range: tuple[float, float] | None = None  # of random samples
    normalized: bool = False  # the recipe has mean and std for it, and does not mean a second normalization
    mean: tuple[float, ...] = (0.0,)  # of uint8 pixels: (pixel - mean) / std is what the model takes
    std: tuple[float, ...] = (1.0,)
    sizes: tuple[tuple[int, ...], ...] = ()  # what the open axes are tried at, in their order; () is the kit's choice


@dataclass(frozen=True)
class OutputSpec:
    """What the recipe says of an output. `labels` is the number of labels, None where there are none."""

    name: str  # in the product
    source: str = ""  # in the model, or the layer that gives it; "" where it is the same
    classes: bool = False
    labels: int | None = None
    activation: str = "none"


@dataclass(frozen=True)
class ModelPart:
    """One of the files that are joined to the source model: mostly the only one."""

    file: str  # a file, or a SavedModel's folder, in the job's input folder
    format: str  # ".keras", ".h5", "SavedModel", or "weights": without structure
    legacy_keras: bool  # load it with Keras 2 (tf_keras)
    name: str = ""  # what the user's file is called: the prefix of names inside, where several are joined


@dataclass(frozen=True)
class TrainSpec:
    """The signature that takes a step of training on the kept variables."""

    loss: str
    optimizer: str
    learning_rate: float
    batch: int


@dataclass(frozen=True)
class Job:
    """One conversion. File names are relative to the job's input folder."""

    parts: tuple[ModelPart, ...]
    allow_code: bool  # the model may run Python code of its own on load
    scheme: str  # float32 float16 dynamic int8
    io: str  # float32 uint8 int8
    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    calibrate: bool  # calibration.npz is there
    evaluate: bool  # evaluation.npz is there, with y where it is known
    golden: int = 8  # how many golden vectors
    code: bool = False  # custom.py is there: the model's own layers and functions
    structure: bool = False  # structure.json is there: the model as JSON, for a file of weights alone
    allow_flex: bool = False
    freeze: bool = False  # write the formats beside .tflite instead
    signatures: tuple[str, ...] = ()  # which of a SavedModel's, the main one first; () is all
    input_order: tuple[str, ...] = ()  # () is the model's
    output_order: tuple[str, ...] = ()  # which outputs, in this order; () is the model's, then inner ones
    batch: int | None = None  # None: the model's where it is fixed, else 1
    keep: tuple[str, ...] = ()  # patterns of variables that stay variables
    train: TrainSpec | None = None
    gate: bool = True  # refuse what is wrong beyond doubt
    streaming: bool = False  # one step of the sequence in each call, the state as kept variables
    fused_lstm: bool = False  # TensorFlow's own operator for LSTMs, whose state is reset before each call
    seed: int = 7
    unsure: Mapping[str, float] = field(default_factory=dict, hash=False)  # another build's record: range_grid
    trusted: bool = False  # the model may ask for more than computing: functions and files by their names
    format: int = FORMAT


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of the produced file. real = scale * (q - zero_point); both None for a float tensor."""

    name: str
    shape: tuple[int, ...]  # with the batch axis, where it has one; -1 marks a dynamic axis
    dtype: str  # numpy name: "uint8"
    scale: float | None = None
    zero_point: int | None = None
    batched: bool = True  # axis 0 counts samples
    origin: str = ""  # what the source model calls it, where that is another name


@dataclass(frozen=True)
class SignatureSpec:
    """A named way to call the produced file, its tensors in the order of the contract."""

    key: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True)
class VariableStatus:
    """What became of one variable of the source model."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    status: str  # "kept", "constant", "folded", "unused"
    where: str = ""  # the ops that read it, or that it is folded into; why it is unused


@dataclass(frozen=True)
class Result:
    """What the worker made."""

    signature: SignatureSpec  # the main one
    others: tuple[SignatureSpec, ...]  # further ones for inference
    kept: tuple[TensorSpec, ...]  # variables that stayed variables
    train: SignatureSpec | None
    variables: tuple[VariableStatus, ...]  # every one of the source model's
    flex: tuple[str, ...]  # TensorFlow's own kernels that the file needs
    notes: tuple[str, ...]  # what a user should know, a sentence each
    drawn: tuple[str, ...]  # outputs of the main signature that are another in each call
    samples: int  # how many evaluation samples there are
    measured_on: str  # "checks", "representative" or "random"
    parameters: int  # weights of the source model
    loader: str  # "keras 3.15.1", "tf_keras 2.19.0"
    tensorflow: str
    machine: str  # the architecture that it ran on: "x86_64"
    portable: bool  # float sums are cut the same on every CPU: the file does not depend on its type
    scaled: tuple[str, ...] = ()  # image inputs whose pixels the model itself scales, directly behind them
    sha256: str = ""  # of model.tflite, in hex: the host runs this file and no other
    unsure: Mapping[str, float] = field(default_factory=dict, hash=False)  # ends of ranges by name: range_grid
    layers: tuple[str, ...] = ()  # names inside of the source model: its layers, and those inside of them
    weights: tuple[str, ...] = ()  # of a freezing job: names in the order of Keras's model.weights
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
    return from_json(Job, _checked(json.loads(text)["job"]))


def load_result(text: str) -> Result | Refusal:
    """Read result.json. Raises ValueError for another format's, and TypeError or KeyError for what is none."""
    raw = json.loads(text)
    if "refusal" in raw:
        return from_json(Refusal, raw["refusal"])
    return from_json(Result, _checked(raw["result"]))


def _checked(raw: dict[str, Any]) -> dict[str, Any]:
    if raw.get("format") != FORMAT:
        raise ValueError(f"format {raw.get('format')!r} is not {FORMAT}")
    return raw
