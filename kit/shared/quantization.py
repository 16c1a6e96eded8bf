"""The contract between the host and the quantizer's script: what to make of a float32 file. Standard library only.

A job's folder IN has ORDER, a QuantizerJob as JSON; EXACT, a folder with what a job to float32 wrote (its model and
result), and that job's own data. The script writes <i>.tflite and <i>.json, a Quantized, for each request into OUT, and
keeps what it measured there, for another order. Another script compares PRODUCT, a folder like EXACT, with it, and
writes one Quantized with the errors alone; a third one compares the files of a FilePair.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from kit.shared.values import from_json

ORDER, EXACT, PRODUCT = "order.json", "exact", "product"
KEPT = ("ranges.json", "moments.json")  # what was measured
PERFECT = 200.0  # decibels of a LayerError's snr: no difference at all
# What calculates with whole numbers, and so needs the ranges of what is calculated.
STATIC = ("int8", "int16x8")


@dataclass(frozen=True)
class LayerScheme:
    """A scheme of its own for the layers of a pattern such as "head/*", by their names in the source model."""

    match: str
    scheme: str


@dataclass(frozen=True)
class Quantization:
    """What to make of the float32 file.

    rounding: how the scale of a weight is found: "minmax" from its extremes, "octav" by the least squared error,
    "oscar" as that, and in dense layers by the least error of what they calculate, with scales for their inputs.
    bias_correction: what an operator's outputs differ by on the calibration data, in the mean of each channel, is
    taken out of its bias.
    """

    scheme: str
    layers: tuple[LayerScheme, ...] = ()
    rounding: str = "minmax"
    bias_correction: bool = False

    @property
    def static(self) -> bool:
        """Say whether an operator of it calculates with whole numbers, whose ranges are to be measured."""
        return any(scheme in STATIC for scheme in (self.scheme, *(layer.scheme for layer in self.layers)))

    @property
    def scaled(self) -> bool:
        """Say whether what dense layers are fed gets scales, for which its mean squares are to be measured."""
        return self.rounding == "oscar"


@dataclass(frozen=True)
class QuantizerJob:
    """What is asked of the script.

    layers: the names of the source model's; compared: samples to compare tensors on; unsure: what another build of the
    model recorded, see kit.shared.range_grid.
    """

    requests: tuple[Quantization, ...]
    layers: tuple[str, ...]
    compared: int = 0
    unsure: Mapping[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class LayerError:
    """How far the outputs of an operator are from the float file's: signal to noise in decibels, and its ranges."""

    tensor: str  # the name in the float32 file
    layers: tuple[str, ...]  # of the source model
    operator: str
    snr: float
    low: float  # of the float outputs
    high: float
    own: float = 0.0  # noise as a share of the signal that this operator adds to what it is fed
    weights: int = 0  # bytes of its constants in float32
    reason: str = ""
    added: float = 0.0  # as own, of each channel in the mean: a large channel hides what the others lose
    weight_low: float = 0.0
    weight_high: float = 0.0


@dataclass(frozen=True)
class Quantized:
    """What came of one request: the file beside it, or why there is none.

    errors: where an order asks for them; unsure: ends of measured ranges by name, see kit.shared.range_grid.
    """

    error: str = ""
    unmatched: tuple[str, ...] = ()  # patterns that no layer has
    errors: tuple[LayerError, ...] = ()
    unsure: Mapping[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class NamedFile:
    """A .tflite file, and the names of all its tensors, in its order; none where the file has them itself."""

    path: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class FilePair:
    """A float32 file and a product of the same model, to compare on inputs.

    inputs: an .npz with input/<name> [N, *shape of a call] as the product takes it; layers: the names of the source
    model's; signature: the key of the one that both have.
    """

    exact: NamedFile
    product: NamedFile
    inputs: str
    signature: str
    layers: tuple[str, ...]


def made_name(number: int) -> str:
    """Return the name of a request's file."""
    return f"{number}.tflite"


def said_name(number: int) -> str:
    """Return the name of what is said of it, which is there once it is done."""
    return f"{number}.json"


_T = TypeVar("_T", QuantizerJob, Quantized, FilePair)


def dump(value: QuantizerJob | Quantized | FilePair) -> str:
    """Return a value as JSON text, the same for the same value."""
    return json.dumps(dataclasses.asdict(value), indent=1, sort_keys=True) + "\n"


def load(kind: type[_T], text: str) -> _T:
    """Read what dump wrote. Raises ValueError, TypeError or KeyError for what is none."""
    return from_json(kind, json.loads(text))
