"""What a bundle says of itself becomes metadata: names and kinds from its signature, sentences from the recipe."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kit.bundle.signature import BundleSignature, ClassesEntry, ImageEntry, SignatureEntry, TensorEntry
from kit.tflite.metadata.types import AUDIO_PARSER, PARSER, AssociatedFile, Color, Metadata, SubgraphNote, TensorNote
from kit.tflite.model import Signature, Subgraph, TfliteFile

if TYPE_CHECKING:
    from kit.recipe.schema import Recipe

_COLORS: Mapping[str, Color] = {"rgb": "rgb", "grayscale": "grayscale"}
_LIMITS = {"uint8": (0, 255), "int8": (-128, 127)}


@dataclass(frozen=True)
class About:
    """What only the user can say of a model. tensors: a sentence on an input or output, by its name."""

    name: str
    version: str
    description: str = ""
    author: str = ""
    license: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)


def about(recipe: Recipe) -> About:
    """Return what a recipe says of its model in sentences."""
    model = recipe.model
    return About(
        name=model.id,
        version=model.version,
        description=model.description or "",
        author=model.author or "",
        license=model.license or "",
        inputs={each.name: each.description for each in recipe.inputs if each.description},
        outputs={each.name: each.description for each in recipe.outputs if each.description},
    )


def describe(file: TfliteFile, signature: BundleSignature, reported: About) -> Metadata:
    """Return the metadata of a model file with that signature."""
    entries = {entry.key: entry for entry in reversed(signature.all_signatures())}
    last = max((each.subgraph for each in file.signatures), default=0)
    subgraphs = tuple(
        _subgraph(graph, [each for each in file.signatures if each.subgraph == index], entries, reported)
        for index, graph in enumerate(file.subgraphs[: last + 1])
    )
    heard = any(note.content == "audio" for graph in subgraphs for note in graph.inputs)
    return Metadata(
        reported.name,
        reported.description,
        reported.version,
        reported.author,
        reported.license,
        subgraphs,
        AUDIO_PARSER if heard else PARSER,
    )


def calibrations(signature: BundleSignature) -> dict[str, bytes]:
    """Return the files that make readers apply a sigmoid: scale 1, slope 1, offset 0 in a line for each class."""
    outputs = [output for output in signature.outputs if _sigmoid(output)]
    # No newline at the end: MediaPipe takes what is behind it for one class more.
    return {_calibration(output): b"\n".join([b"1,1,0"] * output.shape[-1]) for output in outputs}


def _subgraph(
    graph: Subgraph, signatures: Sequence[Signature], entries: Mapping[str, SignatureEntry], reported: About
) -> SubgraphNote:
    """Return a subgraph's note: its signature's names, or its own where it has none."""
    key = signatures[0].key if signatures else ""
    entry = entries.get(key, SignatureEntry(key, (), ()))
    notes: list[tuple[TensorNote, ...]] = []
    for indices, way, sentences in (
        (graph.inputs, "inputs", reported.inputs),
        (graph.outputs, "outputs", reported.outputs),
    ):
        names = {index: name for name, index in getattr(signatures[0], way).items()} if signatures else {}
        known = {tensor.name: tensor for tensor in getattr(entry, way)}
        notes.append(
            tuple(
                _tensor(names.get(index, graph.tensors[index].name), known, sentences, image=way == "inputs")
                for index in indices
            )
        )
    return SubgraphNote(key or graph.name, *notes)


def _tensor(name: str, known: Mapping[str, TensorEntry], sentences: Mapping[str, str], *, image: bool) -> TensorNote:
    tensor = known.get(name)
    sentence = sentences.get(name, "") if tensor else ""
    if tensor and tensor.image and image:
        return _image(tensor, tensor.image, sentence)
    if tensor and tensor.audio and image:
        return TensorNote(name, sentence, content="audio", rate=tensor.audio.rate)
    if tensor and tensor.classes:
        return _classes(tensor, tensor.classes, sentence)
    files = (_labels(tensor, tensor.labels),) if tensor and tensor.labels and not image else ()
    return TensorNote(name, sentence, content="feature", files=files)


def _image(tensor: TensorEntry, image: ImageEntry, sentence: str) -> TensorNote:
    """Return an image's note. What it says of normalization holds for the real values, also of a quantized tensor."""
    mean, std = _singles(image.mean), _singles(image.std)
    ends = [sorted(_value(tensor, (pixel - m) / s) for pixel in (0, 255)) for m, s in zip(mean, std, strict=True)]
    height, width = tensor.shape[1:3]
    return TensorNote(
        tensor.name,
        sentence,
        content="image",
        color=_COLORS.get(image.color, ""),
        size=(width, height) if width > 0 and height > 0 else None,
        mean=mean,
        std=std,
        low=_singles(low for low, _ in ends),
        high=_singles(high for _, high in ends),
    )


def _classes(tensor: TensorEntry, classes: ClassesEntry, sentence: str) -> TensorNote:
    files, sigmoid = [], _sigmoid(tensor)
    if classes.labels:
        files.append(_labels(tensor, classes.labels))
    if sigmoid:
        files.append(AssociatedFile(_calibration(tensor), "score calibration", "makes each value a sigmoid's"))
    # A reader holds the threshold against values that no softmax was applied to: it would mean something else there.
    threshold = classes.threshold if classes.activation in {"none", "sigmoid"} else None
    return TensorNote(
        tensor.name,
        sentence,
        content="feature",
        sigmoid=sigmoid,
        threshold=None if threshold is None else _singles([threshold])[0],
        files=tuple(files),
    )


def _labels(tensor: TensorEntry, file: str) -> AssociatedFile:
    what = "value" if tensor.classes else "class or point"
    return AssociatedFile(file, "labels", f"what each {what} of {tensor.name} is for")


def _sigmoid(tensor: TensorEntry) -> bool:
    return bool(tensor.classes and tensor.classes.activation == "sigmoid" and tensor.shape[-1] > 0)


def _calibration(tensor: TensorEntry) -> str:
    """Return the name of the file that belongs to an output: unique, as the labels' is, also where there are none."""
    stem = tensor.labels or f"{tensor.name}.txt"
    return f"calibration_{stem.replace('/', '_')}"


def _value(tensor: TensorEntry, real: float) -> float:
    """Return a real value as the tensor holds it."""
    if tensor.dtype not in _LIMITS or not tensor.scale:
        return real
    low, high = _LIMITS[tensor.dtype]
    return float(min(max(round(real / tensor.scale) + (tensor.zero_point or 0), low), high))


def _singles(values: Sequence[float] | Iterator[float]) -> tuple[float, ...]:
    """Return numbers as float32 has them, so that what is read again is equal to what was written."""
    numbers = tuple(values)
    return struct.unpack(f"<{len(numbers)}f", struct.pack(f"<{len(numbers)}f", *numbers))
