"""One input or output as signature.json describes it: its shape, type, and what its values mean."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import preprocess

from .errors import broken
from .files import read_bytes, read_labels

if TYPE_CHECKING:
    from audio import AudioForm
    from text import TextForm

    from .forms import Form

FORMS = ("boxes", "mask", "keypoints", "embedding")  # kinds of outputs that have one
DTYPES = ("float32", "float16", "uint8", "int8", "int16", "int32", "int64", "bool")
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Tensor:
    """One input or output of a signature."""

    name: str
    shape: Shape  # of one call; -1: any size
    dtype: str  # of the model file, numpy's name: "int8"
    scale: float | None  # real = scale * (q - zero_point); None: not quantized
    zero_point: int
    kind: str  # an input's: image, text, audio, tensor; an output's: classes, tensor, or one of FORMS
    batched: bool = True  # axis 0 is the batch
    mean: tuple[float, ...] = ()  # image: model value = (pixel - mean) / std, of pixels 0..255
    std: tuple[float, ...] = ()
    color: str = ""
    resize: str = ""
    pad_color: tuple[int, ...] = (0,)  # of resize "letterbox"
    labels: tuple[str, ...] | None = None  # classes
    activation: str = "none"
    form: Form | None = None  # of such an output
    text: TextForm | None = None  # text: how it becomes ids
    audio: AudioForm | None = None  # audio: how sound becomes windows

    @classmethod
    def from_json(cls, entry: Mapping[str, Any], folder: Path, kinds: tuple[str, ...]) -> Tensor:
        """Return a tensor of signature.json, checked. folder: of the labels; kinds: those that it may be of.

        Raises KeyError, TypeError or ValueError for what no build writes, EmulateError for labels that cannot be read.
        """
        tensor = _plain(entry, kinds)
        if tensor.kind == "image":
            return _image(tensor, entry)
        if tensor.kind == "text":
            return _text(tensor, entry["text"], folder)
        if tensor.kind == "audio":
            return _audio(tensor, entry["audio"])
        if tensor.kind == "classes":
            return _classes(tensor, entry, folder)
        if tensor.kind in FORMS:
            from .forms import read_form

            return replace(tensor, form=read_form(tensor.kind, entry[tensor.kind], folder))
        return tensor

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"

    @property
    def sample(self) -> Shape:
        """The shape of one sample: without the batch axis."""
        return self.shape[1:] if self.batched else self.shape

    @property
    def rows(self) -> int:
        """How many samples one call takes: one, unless the file has another fixed batch."""
        return max(self.shape[0], 1) if self.batched else 1


def fits(shape: Shape, pattern: Shape) -> bool:
    """Say whether a shape is what signature.json says, where -1 stands for any size from 1 on."""
    return len(shape) == len(pattern) and all(
        size > 0 and wanted in (size, -1) for size, wanted in zip(shape, pattern, strict=True)
    )


def _plain(entry: Mapping[str, Any], kinds: tuple[str, ...]) -> Tensor:
    """Return what any kind of tensor has. Raises KeyError, TypeError or ValueError."""
    name, shape, dtype = str(entry["name"]), tuple(int(size) for size in entry["shape"]), entry["dtype"]
    batched, kind, scale = bool(entry.get("batched", True)), entry.get("kind", "tensor"), entry.get("scale")
    if (batched and not shape) or not fits(tuple(map(abs, shape)), shape):
        raise ValueError(f"{name}: its shape is {list(shape)}, and sizes >= 1, or -1 for any, are needed")
    if kind not in kinds or dtype not in DTYPES:
        raise ValueError(f"{name}: a {dtype!r} of kind {kind!r} is not known")
    scale = None if scale is None else float(scale)
    if scale is not None and not (dtype in preprocess.QUANTIZED and 0 < scale < math.inf):
        raise ValueError(f"{name}: a scale of {scale} does not go with {dtype}")
    return Tensor(name, shape, dtype, scale, int(entry.get("zero_point") or 0), kind, batched)


def _image(tensor: Tensor, entry: Mapping[str, Any]) -> Tensor:
    """Return tensor with an image's keys. Raises ValueError where they do not fit its shape."""
    mean, std = (tuple(float(value) for value in entry[key]) for key in ("mean", "std"))
    pad_color = tuple(int(value) for value in entry.get("pad_color", (0,)))
    # An open height or width may be any; channels may not.
    sizes = [abs(size) for size in tensor.sample[:2]] + list(tensor.sample[2:])
    height, width = preprocess.image_size(sizes, entry["color"])
    preprocess.ImageSpec(height, width, entry["color"], entry["resize"], pad_color)
    preprocess.normalize(np.zeros(tensor.sample[2:] or 1), mean, std)
    return replace(tensor, mean=mean, std=std, color=entry["color"], resize=entry["resize"], pad_color=pad_color)


def _text(tensor: Tensor, form: Mapping[str, Any], folder: Path) -> Tensor:
    """Return tensor with what turns text into its ids. Raises ValueError where no text can become it."""
    from text import TextForm, read_vocabulary

    if not tensor.batched or len(tensor.sample) > 1 or not tensor.dtype.startswith("int"):
        raise ValueError(f"{tensor.name}: {tensor} is no row of ids")
    place = folder / form["vocabulary"]
    try:
        vocabulary = read_vocabulary(read_bytes(place))
        return replace(tensor, text=TextForm(vocabulary, form["standardize"], form["split"], int(form["unknown"])))
    except ValueError as error:
        raise broken(place, str(error)) from error


def _audio(tensor: Tensor, entry: Mapping[str, Any]) -> Tensor:
    """Return tensor with what makes windows of sound. Raises ValueError where none can become it."""
    from audio import AudioForm

    form = AudioForm(*(int(entry[key]) for key in ("rate", "window", "hop")))
    if math.prod(tensor.sample) != form.window or not 1 <= form.hop <= form.window or form.rate < 1:
        raise ValueError(f"{tensor.name}: {tensor} takes no {form}")
    if tensor.scale is None and not tensor.dtype.startswith("float"):
        raise ValueError(f"{tensor.name}: {tensor} holds no sound from -1 to 1")
    return replace(tensor, audio=form)


def _classes(tensor: Tensor, entry: Mapping[str, Any], folder: Path) -> Tensor:
    """Return tensor with its labels and activation. Raises ValueError where they do not fit its shape."""
    if entry["activation"] not in preprocess.ACTIVATIONS:
        raise ValueError(f"{tensor.name}: activation {entry['activation']!r} is not known")
    if not tensor.shape:
        raise ValueError(f"{tensor.name}: a single number has no classes")
    labels = None if entry["labels"] is None else read_labels(folder / entry["labels"])
    if labels is not None and len(labels) != tensor.shape[-1]:
        found = f"{entry['labels']} has {len(labels)} lines"
        raise ValueError(f"{found}, and {tensor.name} {tensor.shape[-1]} classes")
    return replace(tensor, labels=labels, activation=entry["activation"])
