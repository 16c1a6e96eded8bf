"""What metadata says, as values. Knows the words of the format, none of its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NAME = "TFLITE_METADATA"  # of the entry in the model's own table of metadata
PARSER = "1.0.0"  # min_parser_version: nothing else that we write came into the format later
AUDIO_PARSER = "1.3.0"  # what says of sound

Content = Literal["", "feature", "image", "audio"]
Color = Literal["", "rgb", "grayscale"]  # "" is unknown: the format has no BGR
FileKind = Literal["unknown", "descriptions", "labels", "value labels", "score calibration", "vocabulary", "index"]


@dataclass(frozen=True)
class AssociatedFile:
    """A file in the archive behind the model, and what it is for."""

    name: str
    kind: FileKind
    description: str = ""


@dataclass(frozen=True)
class TensorNote:
    """One input or output of a subgraph. Numbers are float32's."""

    name: str
    description: str = ""
    content: Content = ""
    color: Color = ""
    size: tuple[int, int] | None = None  # of an image: width, height
    rate: int = 0  # of audio: samples a second, in one channel
    mean: tuple[float, ...] = ()  # value = (pixel - mean) / std, one for each channel or one for all
    std: tuple[float, ...] = ()
    sigmoid: bool = False  # scores are calibrated as a file of parameters says
    threshold: float | None = None
    low: tuple[float, ...] = ()  # the lowest and highest value of the tensor, in its own type
    high: tuple[float, ...] = ()
    files: tuple[AssociatedFile, ...] = ()


@dataclass(frozen=True)
class SubgraphNote:
    """A subgraph, its tensors in the order of the subgraph's own inputs and outputs."""

    name: str
    inputs: tuple[TensorNote, ...]
    outputs: tuple[TensorNote, ...]


@dataclass(frozen=True)
class Metadata:
    """All that a file says of itself. Readers take subgraph 0 for the model."""

    name: str
    description: str
    version: str
    author: str
    license: str
    subgraphs: tuple[SubgraphNote, ...]
    min_parser_version: str = PARSER
