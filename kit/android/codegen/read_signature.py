"""signature.json as plain values for the Kotlin templates: every name chosen, every number a literal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kit.android.codegen.app_model import AppModel
from kit.android.codegen.decoders import SUFFIXES, Decoder
from kit.android.codegen.kotlin_model import (
    BindingsModel,
    Call,
    ImageInput,
    Label,
    Labels,
    Output,
    SoundInput,
    TextInput,
    Variables,
)
from kit.android.codegen.kotlin_names import Scope, camel, package_name, upper_camel, upper_snake, words_of
from kit.android.codegen.kotlin_tensor import OPEN, Tensor, float_array, float_literal, read_tensor
from kit.android.codegen.runtime_api import COMPILED_MODEL, Api
from kit.bundle.output_forms import BoxesForm
from kit.bundle.signature import SignatureEntry, TensorEntry, VariablesEntry
from kit.errors import ModelError

MOST_CONSTANTS = 2000  # labels of an enum: its initializer must stay below the JVM's 64 kB a method
MOST_PARAMETERS = 120  # of a function; the JVM has 255 slots, and the suspending twin needs some

# What the templates themselves name: nothing of a model may take these from them.
CLASSES = words_of(
    """
    AbstractList AbstractMap Accelerator Activation Affine Any Array ArrayList AssetManager Attempt AudioFeed
    AudioInput AudioStream AutoCloseable Bitmap Boolean BooleanArray Box BoxAnchors BoxCorners BoxFormat BoxSelector
    BundleModel BundleSpec Byte ByteArray ByteLookup Call Char Check Color Companion CompiledModel Context
    CoordinateDecoder Double DoubleArray Embedding EmbeddingDecoder Engine Entry Enum Environment Exception Float
    File FloatArray FloatLookup Frame Golden GpuPrecision HeatmapDecoder IllegalArgumentException
    IllegalStateException ImageColor ImageFeed ImageInput ImageResize Int IntArray Interpreter InterpreterApi
    IOException JvmOverloads JvmStatic Keypoint LazyThreadSafetyMode LinkedInterpreter List Long LongArray Lookup Map
    Mask MaskDecoder ModelSource ModelUpdates Nothing Number Object Options Pair Place RateConverter RawFeed Reals
    Region Resampler RgbaFrame Score ScoreForm ScoresDecoder Section SelfTest SelfTester Set Short ShortArray
    ShortLookup Slot Spec Split SsdDecoder Standardize String Suppression System Tasks Tensor Test TextFeed TextInput
    TfLite Throwable Top Triple Unit UpdateContents UpdateFault UpdateManifest UpdateRefusedException UpdateTerms
    Variables Verification WindowListener YoloDecoder YoloLayout YuvFrame
    """
)
# Of the class: what it inherits, what it names itself, and Kotlin's functions on every object.
MEMBERS = words_of(
    """
    accelerator also apply assets assigner assignVariables attempts awaitAssignVariables awaitReadVariables
    awaitSelfTest classify close copy create dispatcher engine filled images let locked mainCall reader readVariables
    run selfTest source spec to updates use with withContext
    """
)
# Of a call: a parameter of one of these names would hide what its body uses.
PARAMETERS = words_of("filled frame images locked mirror region reuse rotationDegrees withContext")
SOUND_PARAMETERS = words_of("channels rate")
# Of what a call gives. Its properties are named in full where a function has a name of its own.
RESULTS = words_of("copy place")
COLORS = {"grayscale": "GRAYSCALE", "rgb": "RGB", "bgr": "BGR"}


def class_name(bundle_id: str) -> str:
    """Return the class of a bundle: `face_mood2` -> FaceMood2; Model behind what Kotlin or the templates use."""
    name = upper_camel(bundle_id, "Model")
    taken = {one.casefold() for one in CLASSES}
    return f"{name}Model" if name.casefold() in taken or name.casefold() in {"outputs"} else name


def runtime_package(package: str, bundle_id: str) -> str:
    """Return the package of the fixed files: below the bundle's own, and no other bundle's."""
    own = package if package.rpartition(".")[2] == bundle_id else f"{package}.{bundle_id}"
    return f"{own}.dropkit"


def read_bindings(model: AppModel, api: Api, allowed: Mapping[str, float]) -> BindingsModel:
    """Return the values for the templates.

    allowed: by "<signature>/<output>" how far an output may be from its golden vectors. Raises ModelError or
    RecipeError for what the API cannot hold.
    """
    signature = model.signature
    package = model.package or f"com.example.{model.id}"
    runtime = runtime_package(package, model.id)
    name = class_name(model.id)
    reader = _Reader(api, allowed, Scope([*CLASSES, name, "Outputs"]), model.labels)
    calls = [reader.main(signature.main)]
    calls += [reader.other(entry) for entry in signature.others]
    calls += [reader.other(signature.train, train=True)] if signature.train else []
    kept = reader.variables(signature.variables) if signature.variables else None
    return BindingsModel(
        id=model.id,
        version=model.version,
        package=package_name(package),
        package_path=package.replace(".", "/"),
        runtime=package_name(runtime),
        runtime_path=runtime.replace(".", "/"),
        name=name,
        api=api,
        calls=tuple(calls),
        labels=tuple(reader.enums),
        variables=kept,
        flex=signature.flex,
        resets=signature.resets,
        header=tuple(model.header.strip().splitlines()),
        linked=model.runtime,
        verify=model.verify and api == COMPILED_MODEL,
        updates=model.updates,
    )


@dataclass(frozen=True)
class _Names:
    """What an entry point is called in Kotlin."""

    const: str  # the constant that holds its key
    verb: str  # the function that runs it
    outputs: str  # the class of what it gives
    ident: str = ""  # the property with its buffers; "": the verb's
    prefix: str = ""  # of the constants of its tensors


class _Reader:
    """Chooses names, in the order of signature.json, so that none meets another."""

    def __init__(
        self, api: Api, allowed: Mapping[str, float], classes: Scope, labels: Mapping[str, Sequence[str]]
    ) -> None:
        self.api = api
        self.allowed = allowed
        self.classes = classes
        self.members = Scope(MEMBERS)
        self.consts = Scope(["ID", "VERSION", "MODEL", "GOLDEN", "LABELS", "CREATOR"])
        self.texts = labels
        self.enums: list[Labels] = []

    def main(self, entry: SignatureEntry) -> Call:
        verb = "classify" if any(output.classes for output in entry.outputs) else "run"
        if any(tensor.audio for tensor in entry.inputs):
            self.members.take("stream")
        return self._call(entry, _Names("SIGNATURE", verb, "Outputs", ident="mainCall"))

    def other(self, entry: SignatureEntry, *, train: bool = False) -> Call:
        key = entry.key
        names = _Names(
            const=self.consts.take(f"SIGNATURE_{upper_snake(key, 'OF')}"),
            verb=camel(key, "signature"),
            outputs=self.classes.take(f"{upper_camel(key, 'Signature')}Outputs"),
            prefix=f"{upper_snake(key, 'SIGNATURE')}_",
        )
        return self._call(entry, names, train=train)

    def variables(self, entry: VariablesEntry) -> Variables:
        scope = Scope(["field", "value"])
        tensors = tuple(
            read_tensor(
                variable,
                self.consts.take(f"VARIABLE_{upper_snake(variable.name, 'OF')}"),
                scope.take(camel(variable.name, "variable")),
                self.api,
            )
            for variable in entry.tensors
        )
        # What the assigning signature gives: how many it has assigned.
        done = TensorEntry("assigned", (), "int32")
        return Variables(entry.read, entry.assign, tensors, read_tensor(done, "", "", self.api))

    def _call(self, entry: SignatureEntry, names: _Names, *, train: bool = False) -> Call:
        if len(entry.inputs) > MOST_PARAMETERS:
            raise ModelError(
                f"signature {entry.key!r} has {len(entry.inputs)} inputs, "
                f"and a Kotlin function takes {MOST_PARAMETERS}",
                "join inputs in the model",
            )
        prefix = names.prefix
        verb = names.verb if names.verb in {"run", "classify"} and not prefix else self.members.take(names.verb)
        self.members.take(verb)
        twin = self.members.take(f"await{verb[:1].upper()}{verb[1:]}")
        heard = any(tensor.audio for tensor in entry.inputs)
        parameters = Scope([*PARAMETERS, *(SOUND_PARAMETERS if heard else []), verb])
        suffixes = ("Rotation", "Mirror", "Region", "Shape", *(("Rate", "Channels") if heard else ()))
        inputs = tuple(
            read_tensor(
                tensor,
                self.consts.take(f"{prefix}INPUT_{upper_snake(tensor.name, 'OF')}"),
                parameters.take(camel(tensor.name, "input"), suffixes),
                self.api,
            )
            for tensor in entry.inputs
        )
        return Call(
            key=entry.key,
            const=names.const,
            ident=names.ident or self.members.take(f"{verb}Call"),
            verb=verb,
            twin=twin,
            outputs_class=names.outputs,
            inputs=inputs,
            outputs=self._outputs(entry, prefix),
            images=self._images(entry, inputs),
            texts=self._texts(entry, inputs),
            sounds=self._sounds(entry, inputs),
            prefix="" if not prefix else f"{entry.key}/",
            train=train,
        )

    def _images(self, entry: SignatureEntry, tensors: Sequence[Tensor]) -> tuple[ImageInput, ...]:
        """Return how bitmaps become the inputs of kind image, of which one call takes one."""
        fillable = [
            (given.image, tensor)
            for given, tensor in zip(entry.inputs, tensors, strict=True)
            if given.image and _fillable(tensor) and _takes_images(tensor, len(tensors))
        ]
        images = []
        for image, tensor in fillable:
            height, width, *channels = tensor.shape[1:]
            count = channels[0] if channels else 1
            images.append(
                ImageInput(
                    tensor,
                    width,
                    height,
                    count,
                    color=COLORS[image.color],
                    resize=image.resize.upper(),
                    pad=f"intArrayOf({', '.join(map(str, image.pad_color))})",
                    mean=float_array(image.mean, count),
                    std=float_array(image.std, count),
                    feed=self.members.take(f"{tensor.ident}Feed"),
                    rotation="rotationDegrees" if len(fillable) == 1 else f"{tensor.ident}Rotation",
                    mirror="mirror" if len(fillable) == 1 else f"{tensor.ident}Mirror",
                    region="region" if len(fillable) == 1 else f"{tensor.ident}Region",
                    many=tensor.open,
                )
            )
        return tuple(images)

    def _texts(self, entry: SignatureEntry, tensors: Sequence[Tensor]) -> tuple[TextInput, ...]:
        """Return how texts become the inputs of kind text, of which one call takes one."""
        return tuple(
            TextInput(
                tensor,
                self.members.take(f"{tensor.ident}Feed"),
                given.text.vocabulary,
                given.text.standardize,
                given.text.split,
                given.text.unknown,
            )
            for given, tensor in zip(entry.inputs, tensors, strict=True)
            if given.text and tensor.dtype in ("int32", "int64") and not tensor.open and tensor.shape[:1] in ((1,), ())
        )

    def _sounds(self, entry: SignatureEntry, tensors: Sequence[Tensor]) -> tuple[SoundInput, ...]:
        """Return how sounds become the inputs of kind audio, of which one call takes one window."""
        pairs = zip(entry.inputs, tensors, strict=True)
        fillable = [
            (given.audio, tensor)
            for given, tensor in pairs
            if given.audio and _fillable(tensor) and tensor.dtype != "int16" and tensor.count == given.audio.window
        ]
        single = len(fillable) == 1
        return tuple(
            SoundInput(
                tensor,
                self.members.take(f"{tensor.ident}Feed"),
                audio.rate,
                audio.hop,
                "rate" if single else f"{tensor.ident}Rate",
                "channels" if single else f"{tensor.ident}Channels",
            )
            for audio, tensor in fillable
        )

    def _outputs(self, entry: SignatureEntry, prefix: str) -> tuple[Output, ...]:
        scope = Scope(RESULTS)
        outputs = [self._output(output, f"{entry.key}/{output.name}", prefix, scope) for output in entry.outputs]
        tensors = {output.tensor.name: output.tensor for output in outputs}
        pairs = zip(outputs, entry.outputs, strict=True)
        return tuple(replace(output, decoder=_decoder(given, tensors)) for output, given in pairs)

    def _output(self, entry: TensorEntry, place: str, prefix: str, scope: Scope) -> Output:
        name, classes = entry.name, entry.classes
        const = self.consts.take(f"{prefix}OUTPUT_{upper_snake(name, 'OF')}")
        suffixes = ("Real", "Reals", "Scores", "Score", "Top", "Yes", "Shape", *SUFFIXES)
        ident = scope.take(camel(name, "output"), suffixes)
        tensor = read_tensor(entry, const, ident, self.api, allowed=self.allowed.get(place, 0.0))
        labels = self._labels(classes.labels, tensor) if classes and classes.labels and name in self.texts else None
        form = _form(entry, tensor)
        threshold = classes.threshold if classes else None
        threshold_const = ""
        if form in {"scores", "yes"} and threshold is not None:
            threshold_const = self.consts.take(f"THRESHOLD_{upper_snake(name, 'OF')}")
        text = "" if threshold is None else float_literal(threshold)
        return Output(tensor, form, classes.activation if classes else "none", labels, text, threshold_const)

    def _labels(self, asset: str, tensor: Tensor) -> Labels:
        texts = self.texts[tensor.name]
        if tensor.shape and len(texts) != tensor.shape[-1]:
            raise ModelError(
                f"output {tensor.name!r} has {tensor.shape[-1]} classes and {len(texts)} labels",
                "give the model's own labels, one a line",
            )
        enum = len(texts) <= MOST_CONSTANTS
        word = upper_snake(tensor.name, "LABEL")
        scope = Scope()
        entries = tuple(Label(scope.take(upper_snake(text, word)) if enum else "", text) for text in texts)
        name = f"{upper_camel(tensor.name, 'Output')}Label"
        name = self.classes.take(name) if enum else self.members.take(f"{camel(tensor.name, 'output')}Labels")
        labels = Labels(name, asset, tensor.name, entries, enum)
        self.enums.append(labels)
        return labels


def _decoder(entry: TensorEntry, tensors: Mapping[str, Tensor]) -> Decoder | None:
    """Return what reads an output that is more than numbers; None for others, and where an axis is open."""
    form = entry.form
    if form is None:
        return None
    parts = {}
    if isinstance(form, BoxesForm):
        named = {"scores": form.scores, "classes": form.classes, "count": form.count}
        parts = {part: tensors[name] for part, name in named.items() if name is not None}
    decoder = Decoder(entry.kind, tensors[entry.name], form, parts)
    return None if any(tensor.open for tensor in decoder.tensors) else decoder


def _form(entry: TensorEntry, tensor: Tensor) -> str:
    """Return what an output's values are. Several rows of scores are numbers for the app, as emulate.py has it."""
    scores = entry.classes and tensor.dtype != "bool" and not tensor.open and tensor.shape
    if scores and tensor.count == tensor.shape[-1]:
        return "yes" if tensor.count == 1 else "scores"
    return "quantized" if tensor.affine else "plain"


def _takes_images(tensor: Tensor, inputs: int) -> bool:
    """Say whether an input takes one image a call, or as the only one several: its batch alone is open."""
    return (tensor.shape[0] == 1 and not tensor.open) or (
        inputs == 1 and tensor.shape[0] == OPEN and OPEN not in tensor.shape[1:]
    )


def _fillable(tensor: Tensor) -> bool:
    return tensor.dtype == "float32" or (tensor.affine is not None and tensor.dtype in ("uint8", "int8", "int16"))
