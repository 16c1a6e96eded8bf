"""What fills the Kotlin templates: a bundle's signatures, tensors, labels and variables, every name chosen."""

from __future__ import annotations

from dataclasses import dataclass

from kit.android.codegen.decoders import Decoder
from kit.android.codegen.kotlin_names import Scope, upper_camel
from kit.android.codegen.kotlin_tensor import Tensor
from kit.android.codegen.runtime_api import Api
from kit.updates.terms import UpdateTerms


@dataclass(frozen=True)
class Label:
    """One constant of a label enum."""

    const: str
    text: str


@dataclass(frozen=True)
class Labels:
    """The labels of one output: an enum, or where they are too many for one the lines of an asset."""

    name: str  # the enum's, or the list's
    asset: str  # labels.txt
    output: str  # the output's own name
    entries: tuple[Label, ...]
    enum: bool

    @property
    def parameter(self) -> str:
        """Return it as the private property of a constructor."""
        return f"private val {self.name}: List<String>"


@dataclass(frozen=True)
class Output:
    """One output and what its values mean."""

    tensor: Tensor
    form: str  # scores, yes (one unit), quantized, plain
    activation: str = "none"
    labels: Labels | None = None
    threshold: str = ""  # a Float; "" without
    threshold_const: str = ""
    decoder: Decoder | None = None

    @property
    def scored(self) -> bool:
        """Say whether its values are scores of several classes."""
        return self.form == "scores"

    @property
    def label_type(self) -> str:
        """Return the Kotlin type of a label; Int, a class number, where the output has none."""
        if self.labels is None:
            return "Int"
        return self.labels.name if self.labels.enum else "String"


@dataclass(frozen=True)
class ImageInput:
    """How a bitmap becomes one input."""

    tensor: Tensor
    width: int
    height: int
    channels: int
    color: str
    resize: str  # STRETCH, CROP, LETTERBOX
    pad: str  # an IntArray: what LETTERBOX fills with
    mean: str  # a FloatArray, one value a channel
    std: str
    feed: str  # the property that turns images into it
    rotation: str  # the parameters for how it is looked at
    mirror: str
    region: str
    many: bool  # its batch is open: a call takes several

    @property
    def input(self) -> str:
        """Return the Kotlin expression that makes its pixels."""
        pad = f", {self.pad}" if self.resize == "LETTERBOX" else ""
        return f"ImageInput({self.width}, {self.height}, ImageColor.{self.color}, ImageResize.{self.resize}{pad})"

    @property
    def shown(self) -> str:
        """Say what of the image the model sees."""
        shown = {"CROP": "its centre cut to the shape", "LETTERBOX": "the whole of it, and colour around it"}
        return shown.get(self.resize, "the whole of it")

    @property
    def count(self) -> int:
        """Return how many values one image becomes."""
        return self.height * self.width * self.channels


@dataclass(frozen=True)
class TextInput:
    """How a text becomes one input."""

    tensor: Tensor
    feed: str  # the property that turns texts into it
    vocabulary: str  # the asset
    standardize: str
    split: str
    unknown: int

    @property
    def make(self) -> str:
        """Return the Kotlin expression that makes its ids."""
        lines = f'readLabels(assets, "$ID/{self.vocabulary}")'
        form = f"Standardize.{self.standardize.upper()}, Split.{self.split.upper()}, {self.unknown}"
        return f"TextInput({lines}, {form})"


@dataclass(frozen=True)
class SoundInput:
    """How sound becomes one input."""

    tensor: Tensor
    feed: str  # the property that turns sound into it
    rate: int  # samples a second that the model takes
    hop: int
    given_rate: str  # the parameters that say what the sound is
    channels: str

    @property
    def make(self) -> str:
        """Return the Kotlin expression that makes its feed."""
        affine = f", {self.tensor.affine.kotlin}" if self.tensor.affine else ""
        return f"AudioFeed({self.tensor.const}, AudioInput({self.rate}, {self.tensor.count}){affine})"


@dataclass(frozen=True)
class Call:
    """One signature and the function that runs it."""

    key: str
    const: str  # the constant that holds the key
    ident: str  # the property with its buffers
    verb: str  # the function
    twin: str  # its suspending twin
    outputs_class: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Output, ...]
    images: tuple[ImageInput, ...] = ()
    texts: tuple[TextInput, ...] = ()
    sounds: tuple[SoundInput, ...] = ()
    prefix: str = ""  # of its outputs in what selfTest records
    train: bool = False
    consts: tuple[Tensor, ...] = ()  # whose names have no constant yet

    @property
    def lists(self) -> list[Labels]:
        """Return the labels that are too many for an enum."""
        return [output.labels for output in self.outputs if output.labels and not output.labels.enum and output.scored]

    @property
    def feeds(self) -> tuple[ImageInput | TextInput | SoundInput, ...]:
        """Return the inputs that a call makes of images, texts and sounds."""
        return (*self.images, *self.texts, *self.sounds)

    @property
    def stream(self) -> SoundInput | None:
        """Return the one input where it is sound, of which a stream may come."""
        return self.sounds[0] if len(self.inputs) == len(self.sounds) == 1 and not self.prefix else None

    @property
    def many(self) -> bool:
        """Say whether a call takes a list of images."""
        return any(image.many for image in self.images)

    @property
    def decoders(self) -> list[Decoder]:
        """Return what reads its boxes, masks, keypoints and embeddings."""
        return [output.decoder for output in self.outputs if output.decoder]

    @property
    def placed(self) -> bool:
        """Say whether some output has places in the frame."""
        return any(decoder.placed for decoder in self.decoders)

    @property
    def frame(self) -> tuple[int, int]:
        """Return width and height that places are given in where no image was: the input's, or 1 and 1."""
        return (self.images[0].width, self.images[0].height) if len(self.images) == 1 else (1, 1)

    @property
    def floats(self) -> list[Tensor]:
        """Return the outputs that a decoder reads and that are no floats yet."""
        read = {tensor.name: tensor for decoder in self.decoders for tensor in decoder.tensors}
        return [tensor for tensor in read.values() if tensor.dtype != "float32"]

    @property
    def parameters(self) -> str:
        """Return the parameters of the constructor of its outputs."""
        decoders = [f"private val {decoder.ident}: {decoder.type}" for decoder in self.decoders]
        return ", ".join([*(labels.parameter for labels in self.lists), *decoders])

    @property
    def arguments(self) -> str:
        """Return what a copy of its outputs is made with."""
        return ", ".join([*(labels.name for labels in self.lists), *(decoder.ident for decoder in self.decoders)])

    @property
    def new_outputs(self) -> str:
        """Return the Kotlin expression that makes the object for its outputs."""
        return f"{self.outputs_class}({self.arguments})"

    @property
    def raw(self) -> tuple[Tensor, ...]:
        """Return the inputs that no image, no text and no sound fills."""
        filled = {feed.tensor.name for feed in self.feeds}
        return tuple(tensor for tensor in self.inputs if tensor.name not in filled)


@dataclass(frozen=True)
class Variables:
    """The variables that the model keeps."""

    read: str
    assign: str
    tensors: tuple[Tensor, ...]
    assigned: Tensor  # what the assigning signature gives


@dataclass(frozen=True)
class BindingsModel:
    """All that the templates say."""

    id: str
    version: str
    package: str  # as a package line wants it
    package_path: str  # as folders
    runtime: str  # the package of the fixed files, as a package line wants it
    runtime_path: str
    name: str  # the class
    api: Api
    calls: tuple[Call, ...]
    labels: tuple[Labels, ...]
    variables: Variables | None
    flex: tuple[str, ...]
    resets: bool  # an operator keeps state, which is reset before each call
    header: tuple[str, ...] = ()  # lines of a comment at the top of each file
    linked: str = ""  # the runtime that the app links: "litert:2.3.0"
    verify: bool = False  # an accelerator is tried before it is used
    updates: UpdateTerms | None = None

    @property
    def main(self) -> Call:
        """Return the call of the main signature."""
        return self.calls[0]

    @property
    def tensors(self) -> list[Tensor]:
        """Return every tensor of the calls, then the kept variables and the count that assigning them gives."""
        kept = self.variables
        named = [t for call in self.calls for t in (*call.inputs, *(output.tensor for output in call.outputs))]
        return [*named, *([] if kept is None else [*kept.tensors, kept.assigned])]

    @property
    def open(self) -> bool:
        """Whether some tensor has an open axis."""
        return any(tensor.open for tensor in self.tensors)

    @property
    def images(self) -> list[ImageInput]:
        """Return the inputs that take bitmaps, of all calls."""
        return [image for call in self.calls for image in call.images]

    @property
    def texts(self) -> list[TextInput]:
        """Return the inputs that take texts, of all calls."""
        return [text for call in self.calls for text in call.texts]

    @property
    def sounds(self) -> list[SoundInput]:
        """Return the inputs that take sound, of all calls."""
        return [sound for call in self.calls for sound in call.sounds]

    @property
    def forms(self) -> set[str]:
        """Return the forms that the outputs have."""
        return {output.form for call in self.calls for output in call.outputs}

    @property
    def activations(self) -> set[str]:
        """Return the activations of the outputs that have scores, several or one."""
        scored = ("scores", "yes")
        return {output.activation for call in self.calls for output in call.outputs if output.form in scored}

    @property
    def quantizers(self) -> list[tuple[str, Tensor]]:
        """Return the inputs that an app quantizes, numbers and not images, each behind its function's name."""
        scope = Scope()
        numbers = [tensor for call in self.calls for tensor in call.raw if tensor.affine and not tensor.open]
        return [(scope.take(f"quantize{upper_camel(one.const.replace('INPUT_', ''), 'Of')}"), one) for one in numbers]

    @property
    def decoders(self) -> list[Decoder]:
        """Return what reads boxes, masks, keypoints and embeddings, of all calls."""
        return [decoder for call in self.calls for decoder in call.decoders]
