"""signature.json as values: names, order, types and shapes of what the model takes and gives, by entry point.

The app's Kotlin, the harness and the metadata are made from it, so its keys stay: some may come, none goes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kit.bounded import MOST_JSON, read_bounded
from kit.bundle.manifest_check import shape_faults
from kit.bundle.output_forms import BoxesForm, EmbeddingForm, KeypointsForm, MaskForm, OutputForm
from kit.errors import RecipeError
from kit.shared.job import MODEL, SignatureSpec, TensorSpec
from kit.shared.values import from_json

FORMAT = 1
_FORMS = ("boxes", "mask", "keypoints", "embedding")
_IMAGE = ("color", "resize", "mean", "std", "pad_color")
_COMMON = ("name", "shape", "dtype", "scale", "zero_point", "kind", "batched", "origin", "text", "audio", *_FORMS)


@dataclass(frozen=True)
class ImageEntry:
    """How an image becomes an input: model value = (pixel - mean) / std, one value for all channels or one each."""

    color: str  # grayscale, rgb, bgr
    resize: str = "stretch"  # or crop, letterbox
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    pad_color: tuple[int, ...] = (0,)  # of letterbox: for all channels, or red, green, blue, also where color is bgr


@dataclass(frozen=True)
class TextEntry:
    """How text becomes the ids of an input, as kit.shared.text.TextForm has it. vocabulary: the name of its file."""

    vocabulary: str
    standardize: str
    split: str
    unknown: int  # the id of a token that is not in the vocabulary


@dataclass(frozen=True)
class AudioEntry:
    """How sound becomes an input, as kit.shared.audio.AudioForm has it: one channel, -1 to 1."""

    rate: int  # samples a second
    window: int  # samples of one call
    hop: int  # from one call of a stream to the next


@dataclass(frozen=True)
class ClassesEntry:
    """What the values of an output of classes mean. labels: the name of their file, None where there are none."""

    labels: str | None = None
    activation: str = "none"  # what is still to be applied: none, softmax, sigmoid
    threshold: float | None = None


@dataclass(frozen=True)
class TensorEntry:
    """An input or output of one entry point. real = scale * (q - zero_point); both None for a float tensor."""

    name: str
    shape: tuple[int, ...]  # with the batch axis, where it has one; -1 marks an open axis
    dtype: str  # numpy's name: "uint8"
    scale: float | None = None
    zero_point: int | None = None
    kind: str = "tensor"  # tensor, image, text, audio, classes, boxes, mask, keypoints, embedding
    batched: bool = True  # axis 0 counts samples
    origin: str = ""  # what the source model calls it, where that is another name
    image: ImageEntry | None = None
    text: TextEntry | None = None
    audio: AudioEntry | None = None
    classes: ClassesEntry | None = None
    boxes: BoxesForm | None = None
    mask: MaskForm | None = None
    keypoints: KeypointsForm | None = None
    embedding: EmbeddingForm | None = None

    @staticmethod
    def of(spec: TensorSpec, image: ImageEntry | None = None, classes: ClassesEntry | None = None) -> TensorEntry:
        """Return the entry of a tensor of the produced file."""
        kind = "image" if image else "classes" if classes else "tensor"
        return TensorEntry(
            name=spec.name,
            shape=spec.shape,
            dtype=spec.dtype,
            scale=spec.scale,
            zero_point=spec.zero_point,
            kind=kind,
            batched=spec.batched,
            origin=spec.origin,
            image=image,
            classes=classes,
        )

    def with_text(self, text: TextEntry) -> TensorEntry:
        """Return the entry of an input whose ids are made of text."""
        return replace(self, kind="text", text=text)

    def with_audio(self, audio: AudioEntry) -> TensorEntry:
        """Return the entry of an input whose values are a window of sound."""
        return replace(self, kind="audio", audio=audio)

    def with_form(self, kind: str, form: OutputForm) -> TensorEntry:
        """Return the entry of an output whose values are boxes, a mask, keypoints or an embedding."""
        if isinstance(form, BoxesForm):
            return replace(self, kind=kind, boxes=form)
        if isinstance(form, MaskForm):
            return replace(self, kind=kind, mask=form)
        if isinstance(form, KeypointsForm):
            return replace(self, kind=kind, keypoints=form)
        return replace(self, kind=kind, embedding=EmbeddingForm(form.labels))

    @property
    def labels(self) -> str | None:
        """Return the name of its labels file."""
        form = self.classes or self.form
        return form.labels if form else None

    @property
    def form(self) -> OutputForm | None:
        """Return what its values are where they are boxes, a mask, keypoints or an embedding."""
        return self.boxes or self.mask or self.keypoints or self.embedding

    @property
    def rows(self) -> int:
        """Return how many samples one call takes: 1 where the batch is open or there is none."""
        return max(self.shape[0], 1) if self.batched and self.shape else 1

    def to_json(self) -> dict[str, Any]:
        """Return its entry in signature.json. A batch axis and the model's own name are the rule, and left out."""
        entry: dict[str, Any] = {
            "name": self.name,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "scale": self.scale,
            "zero_point": self.zero_point,
            "kind": self.kind,
        }
        if not self.batched:
            entry["batched"] = False
        if self.origin:
            entry["origin"] = self.origin
        if self.image:
            entry |= {"color": self.image.color, "resize": self.image.resize}
            entry |= {"mean": list(self.image.mean), "std": list(self.image.std)}
            if self.image.resize == "letterbox":  # a file of before there was one has no such key
                entry["pad_color"] = list(self.image.pad_color)
        if self.text:
            entry["text"] = asdict(self.text)
        if self.audio:
            entry["audio"] = asdict(self.audio)
        if self.classes:
            entry |= {"labels": self.classes.labels, "activation": self.classes.activation}
            if self.classes.threshold is not None:
                entry["threshold"] = self.classes.threshold
        if self.form:
            entry[self.kind] = self.form.to_json()
        return entry

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> TensorEntry:
        """Return the tensor of an entry. Raises TypeError or KeyError where it is none."""
        entry: dict[str, Any] = {key: raw[key] for key in _COMMON if key in raw}
        if raw.get("kind") == "image":
            entry["image"] = {key: raw[key] for key in _IMAGE if key in raw}
        if raw.get("kind") == "classes":
            entry["classes"] = {key: raw[key] for key in ("labels", "activation", "threshold") if key in raw}
        return from_json(TensorEntry, entry)


@dataclass(frozen=True)
class SignatureEntry:
    """One entry point of the model file: a key, and tensors in the order of the contract."""

    key: str
    inputs: tuple[TensorEntry, ...]
    outputs: tuple[TensorEntry, ...]

    @staticmethod
    def plain(spec: SignatureSpec) -> SignatureEntry:
        """Return an entry point that the recipe says nothing of."""
        return SignatureEntry(
            spec.key,
            tuple(TensorEntry.of(tensor) for tensor in spec.inputs),
            tuple(TensorEntry.of(tensor) for tensor in spec.outputs),
        )

    def to_json(self) -> dict[str, Any]:
        """Return its entry in signature.json."""
        return {
            "signature": self.key,
            "inputs": [tensor.to_json() for tensor in self.inputs],
            "outputs": [tensor.to_json() for tensor in self.outputs],
        }

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> SignatureEntry:
        """Return the entry point of an entry. Raises TypeError or KeyError where it is none."""
        return SignatureEntry(
            str(raw["signature"]),
            tuple(TensorEntry.from_json(tensor) for tensor in raw["inputs"]),
            tuple(TensorEntry.from_json(tensor) for tensor in raw["outputs"]),
        )


@dataclass(frozen=True)
class VariableEntry:
    """A variable that the model keeps."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> VariableEntry:
        """Return the variable of an entry. Raises KeyError where it is none."""
        return VariableEntry(str(raw["name"]), tuple(int(size) for size in raw["shape"]), str(raw["dtype"]))


@dataclass(frozen=True)
class VariablesEntry:
    """The variables that an app reads and assigns, and the keys of the entry points that do it."""

    read: str
    assign: str
    tensors: tuple[VariableEntry, ...]


@dataclass(frozen=True)
class BundleSignature:
    """signature.json: the main entry point, further ones, kept variables, training."""

    main: SignatureEntry
    id: str = ""
    version: str = ""
    others: tuple[SignatureEntry, ...] = ()
    train: SignatureEntry | None = None
    variables: VariablesEntry | None = None
    streaming: bool = False  # one step of a sequence in each call, the state in the variables
    resets: bool = False  # an operator keeps state, which whoever runs the file resets before each call
    flex: tuple[str, ...] = ()  # TensorFlow's own kernels that the file needs
    model: str = MODEL

    @property
    def inputs(self) -> tuple[TensorEntry, ...]:
        """Return the inputs of the main entry point."""
        return self.main.inputs

    @property
    def outputs(self) -> tuple[TensorEntry, ...]:
        """Return the outputs of the main entry point."""
        return self.main.outputs

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the names of the labels files."""
        return tuple(output.labels for output in self.outputs if output.labels)

    def all_signatures(self) -> tuple[SignatureEntry, ...]:
        """Return every entry point that runs the model: the main one, the others, training."""
        return (self.main, *self.others, *((self.train,) if self.train else ()))

    def with_prefixes(self) -> Iterator[tuple[SignatureEntry, str]]:
        """Yield every entry point with the prefix that its arrays have in golden.npz."""
        for entry in self.all_signatures():
            yield entry, "" if entry is self.main else f"signature/{entry.key}/"

    def to_json(self) -> dict[str, Any]:
        """Return signature.json."""
        document = {"format": FORMAT, "id": self.id, "version": self.version, "model": self.model}
        document |= self.main.to_json()
        if self.others:
            document["others"] = [entry.to_json() for entry in self.others]
        if self.variables:
            tensors = [{"name": v.name, "shape": list(v.shape), "dtype": v.dtype} for v in self.variables.tensors]
            document["variables"] = {"read": self.variables.read, "assign": self.variables.assign, "tensors": tensors}
        if self.streaming:
            document["streaming"] = True
        if self.resets:
            document["resets"] = True
        if self.train:
            document["train"] = self.train.to_json()
        if self.flex:
            document["flex"] = list(self.flex)
        return document

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> BundleSignature:
        """Return the signature of signature.json. Raises TypeError or KeyError where it is none."""
        keys = ("id", "version", "model", "others", "train", "variables", "streaming", "resets", "flex")
        return from_json(BundleSignature, {"main": raw} | {key: raw[key] for key in keys if raw.get(key)})


def read_signature(path: Path) -> BundleSignature:
    """Return the signature of a bundle's signature.json. Raises RecipeError where it is none that a build writes."""
    try:
        raw = json.loads(read_bounded(path, MOST_JSON))
        signature = BundleSignature.from_json(raw)
        if why := next(shape_faults(raw), ""):
            raise ValueError(why)
        return signature
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RecipeError(f"{path}: no signature that a build writes: {error}", "build the bundle again") from error
