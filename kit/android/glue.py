"""signature.json as plain values for the Kotlin templates: every name chosen, every number a literal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kit.android.api import Api
from kit.android.names import Scope, camel, comment, package_name, upper_camel, upper_snake
from kit.android.tensors import Affine, Tensor, float_array, float_literal, read_tensor
from kit.errors import ModelError

MOST_CONSTANTS = 2000  # labels of an enum: its initializer must stay below the JVM's 64 kB a method
MOST_PARAMETERS = 120  # of a function; the JVM has 255 slots, and the suspending twin needs some

# What the templates themselves name: nothing of a model may take these from them.
CLASSES = (
    "Accelerator AbstractList AbstractMap Any Array ArrayList AssetManager Attempt AutoCloseable Bitmap Boolean"
    " BooleanArray Buffer Byte ByteArray ByteBuffer ByteOrder CRC32 Call Char Check Color Companion CompiledModel"
    " Context Dispatchers Double DoubleArray Engine Entry Environment Exception FileChannel FileInputStream Float"
    " FloatArray Golden IllegalArgumentException IllegalStateException Int IntArray Interpreter IOException List Long"
    " LongArray Lookup Map NoInputs Nothing Number Object Options Pair Picture Ranking Resampler ReentrantLock Score"
    " Section SelfTest Set Short ShortArray Slot Spec String System Tensor TensorBuffer Test Throwable Triple Unit"
    " Variables"
).split()
MEMBERS = (
    "all assets assign assignVariables attempts await bitmap call calls check checks close closed context create dispatcher"
    " engine error fresh golden index into input lock locked main model names output outputs pictures pixels quantize"
    " raw read readVariables record require rotationDegrees run scope selfTest slot spec threads use values variables"
    " vectors write accelerator with it to of name ordinal entries"
).split()
COLORS = {"grayscale": "GRAYSCALE", "rgb": "RGB", "bgr": "BGR"}


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
    def reader(self) -> str:
        """Return the function that reads the asset."""
        return f"read{self.name[:1].upper()}{self.name[1:]}"

    @property
    def read(self) -> str:
        return f"{self.reader}(assets)"

    @property
    def parameter(self) -> str:
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

    @property
    def scored(self) -> bool:
        return self.form == "scores"

    @property
    def label_type(self) -> str:
        if self.labels is None:
            return "Int"
        return self.labels.name if self.labels.enum else "String"


@dataclass(frozen=True)
class Picture:
    """How a bitmap becomes one input."""

    tensor: Tensor
    width: int
    height: int
    channels: int
    color: str
    crop: bool
    mean: str  # a FloatArray, one value a channel
    std: str
    rotation: str  # the parameter for its rotation


@dataclass(frozen=True)
class Call:
    """One signature and the function that runs it."""

    key: str
    const: str  # the constant that holds the key
    ident: str  # the property with its buffers
    verb: str  # the function
    twin: str  # its suspending twin
    outputs_class: str
    outputs_ident: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Output, ...]
    pictures: tuple[Picture, ...] = ()
    prefix: str = ""  # of its outputs in what selfTest records
    train: bool = False
    consts: tuple[Tensor, ...] = ()  # whose names have no constant yet

    @property
    def lists(self) -> list[Labels]:
        """Return the labels that are too many for an enum."""
        return [output.labels for output in self.outputs if output.labels and not output.labels.enum and output.scored]

    @property
    def raw(self) -> tuple[Tensor, ...]:
        """Return the inputs that no bitmap fills."""
        filled = {picture.tensor.name for picture in self.pictures}
        return tuple(tensor for tensor in self.inputs if tensor.name not in filled)


@dataclass(frozen=True)
class Variables:
    """The variables that the model keeps."""

    read: str
    assign: str
    tensors: tuple[Tensor, ...]
    assigned: Tensor  # what the assigning signature answers


@dataclass(frozen=True)
class Glue:
    """All that the templates say."""

    id: str
    version: str
    package: str  # as a package line wants it
    package_path: str  # as folders
    name: str  # the class
    api: Api
    calls: tuple[Call, ...]
    labels: tuple[Labels, ...]
    variables: Variables | None
    flex: tuple[str, ...]

    @property
    def main(self) -> Call:
        return self.calls[0]

    @property
    def tensors(self) -> list[Tensor]:
        kept = self.variables
        named = [t for call in self.calls for t in (*call.inputs, *(output.tensor for output in call.outputs))]
        return [*named, *([] if kept is None else [*kept.tensors, kept.assigned])]

    @property
    def dtypes(self) -> list[str]:
        """Return every dtype in use, sorted: the class has code for these and no other."""
        return sorted({tensor.dtype for tensor in self.tensors})

    @property
    def storages(self) -> list[Any]:
        """Return every storage in use, by its array's name."""
        return sorted({tensor.storage for tensor in self.tensors}, key=lambda storage: storage.array)

    @property
    def pictures(self) -> list[Picture]:
        return [picture for call in self.calls for picture in call.pictures]

    @property
    def forms(self) -> set[str]:
        return {output.form for call in self.calls for output in call.outputs}

    @property
    def activations(self) -> set[str]:
        scored = ("scores", "yes")
        return {output.activation for call in self.calls for output in call.outputs if output.form in scored}

    @property
    def quantized(self) -> list[str]:
        """Return the array types that some output is dequantized from, sorted."""
        outputs = [output for call in self.calls for output in call.outputs if output.form != "plain"]
        return sorted({output.tensor.dtype for output in outputs})

    @property
    def quantizable(self) -> list[Tensor]:
        """Return the inputs that an app quantizes: numbers, not pictures."""
        return [tensor for call in self.calls for tensor in call.raw if tensor.affine]

    @property
    def lookups(self) -> list[str]:
        """Return the dtypes that pixels become, sorted."""
        return sorted({picture.tensor.dtype for picture in self.pictures})


def class_name(bundle_id: str) -> str:
    """Return the class of a bundle: `face_mood2` -> FaceMood2; Model behind what Kotlin or the templates use."""
    name = upper_camel(bundle_id, "Model")
    taken = {one.casefold() for one in CLASSES}
    return f"{name}Model" if name.casefold() in taken or name.casefold() in {"outputs"} else name


def read_glue(  # noqa: PLR0913
    signature: Mapping[str, Any],
    *,
    id: str,  # noqa: A002
    version: str,
    package: str | None,
    api: Api,
    labels: Mapping[str, Sequence[str]],
    allowed: Mapping[str, float],
) -> Glue:
    """Return the values for the templates.

    labels: the texts by output name. allowed: by "<signature>/<output>" how far an output may be from its golden
    vectors. Raises ModelError or RecipeError for what the API cannot hold.
    """
    package = package or f"com.example.{id}"
    name = class_name(id)
    reader = _Reader(api, allowed, Scope([*CLASSES, name, "Outputs"]), labels)
    calls = [reader.main(signature)]
    calls += [reader.other(entry) for entry in signature.get("others") or []]
    calls += [reader.other(signature["train"], train=True)] if signature.get("train") else []
    kept = reader.variables(signature["variables"]) if signature.get("variables") else None
    return Glue(
        id=id,
        version=version,
        package=package_name(package),
        package_path=package.replace(".", "/"),
        name=name,
        api=api,
        calls=tuple(calls),
        labels=tuple(reader.enums),
        variables=kept,
        flex=tuple(map(str, signature.get("flex") or [])),
    )


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

    def main(self, entry: Mapping[str, Any]) -> Call:
        verb = "classify" if any(one["kind"] == "classes" for one in entry["outputs"]) else "run"
        return self._call(entry, "SIGNATURE", "main", verb, "Outputs", "")

    def other(self, entry: Mapping[str, Any], *, train: bool = False) -> Call:
        key = str(entry["signature"])
        const = self.consts.take(f"SIGNATURE_{upper_snake(key, 'OF')}")
        verb = camel(key, "signature")
        name = self.classes.take(f"{upper_camel(key, 'Signature')}Outputs")
        return self._call(entry, const, "", verb, name, f"{upper_snake(key, 'SIGNATURE')}_", train=train)

    def variables(self, entry: Mapping[str, Any]) -> Variables:
        scope = Scope([*MEMBERS, "copy", "size", "value", "field"])
        tensors = tuple(
            read_tensor(
                one,
                self.consts.take(f"VARIABLE_{upper_snake(one['name'], 'OF')}"),
                scope.take(camel(one["name"], "variable")),
                self.api,
            )
            for one in entry["tensors"]
        )
        # What the assigning signature answers: how many it has assigned.
        done = {"name": "assigned", "dtype": "int32", "shape": []}
        return Variables(str(entry["read"]), str(entry["assign"]), tensors, read_tensor(done, "", "", self.api))

    def _call(  # noqa: PLR0913
        self,
        entry: Mapping[str, Any],
        const: str,
        ident: str,
        verb: str,
        outputs: str,
        prefix: str,
        *,
        train: bool = False,
    ) -> Call:
        key = str(entry["signature"])
        if len(entry["inputs"]) > MOST_PARAMETERS:
            raise ModelError(
                f"signature {key!r} has {len(entry['inputs'])} inputs, and a Kotlin function takes {MOST_PARAMETERS}",
                "join inputs in the model",
            )
        verb = verb if verb in {"run", "classify"} and not prefix else self.members.take(verb)
        self.members.take(verb)
        twin = self.members.take(f"await{verb[:1].upper()}{verb[1:]}")
        parameters = Scope(MEMBERS)
        inputs = tuple(
            read_tensor(
                one,
                self.consts.take(f"{prefix}INPUT_{upper_snake(one['name'], 'OF')}"),
                parameters.take(camel(one["name"], "input"), ("Picture", "Lookup", "Rotation")),
                self.api,
            )
            for one in entry["inputs"]
        )
        return Call(
            key=key,
            const=const,
            ident=ident or self.members.take(f"{verb}Call"),
            verb=verb,
            twin=twin,
            outputs_class=outputs,
            outputs_ident=self.members.take(f"{outputs[:1].lower()}{outputs[1:]}Reused"),
            inputs=inputs,
            outputs=self._outputs(entry, prefix),
            pictures=_pictures(entry, inputs),
            prefix="" if not prefix else f"{key}/",
            train=train,
        )

    def _outputs(self, entry: Mapping[str, Any], prefix: str) -> tuple[Output, ...]:
        scope = Scope([*MEMBERS, "copy"])
        return tuple(
            self._output(one, f"{entry['signature']}/{one['name']}", prefix, scope) for one in entry["outputs"]
        )

    def _output(self, entry: Mapping[str, Any], place: str, prefix: str, scope: Scope) -> Output:
        name = str(entry["name"])
        const = self.consts.take(f"{prefix}OUTPUT_{upper_snake(name, 'OF')}")
        suffixes = ("Real", "Scores", "Score", "Top", "Ranking", "Yes")
        ident = scope.take(camel(name, "output"), suffixes)
        tensor = read_tensor(entry, const, ident, self.api, allowed=self.allowed.get(place, 0.0))
        labels = self._labels(entry, tensor) if entry.get("labels") and name in self.texts else None
        form = _form(entry, tensor)
        threshold = entry.get("threshold")
        threshold_const = ""
        if form in {"scores", "yes"} and threshold is not None:
            threshold_const = self.consts.take(f"THRESHOLD_{upper_snake(name, 'OF')}")
        text = "" if threshold is None else float_literal(float(threshold))
        return Output(tensor, form, entry.get("activation") or "none", labels, text, threshold_const)

    def _labels(self, entry: Mapping[str, Any], tensor: Tensor) -> Labels:
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
        labels = Labels(name, str(entry["labels"]), tensor.name, entries, enum)
        self.enums.append(labels)
        return labels


def _form(entry: Mapping[str, Any], tensor: Tensor) -> str:
    """Return what an output's values are. Several rows of scores are numbers for the app, as emulate.py has it."""
    if entry["kind"] == "classes" and tensor.dtype != "bool" and tensor.shape and tensor.count == tensor.shape[-1]:
        return "yes" if tensor.count == 1 else "scores"
    return "quantized" if tensor.affine else "plain"


def _pictures(entry: Mapping[str, Any], tensors: Sequence[Tensor]) -> tuple[Picture, ...]:
    """Return how bitmaps become the inputs of kind image, of which one call takes one."""
    images = [
        (one, tensor)
        for one, tensor in zip(entry["inputs"], tensors, strict=True)
        if one.get("kind") == "image" and tensor.shape[0] == 1 and _fillable(tensor)
    ]
    pictures = []
    for one, tensor in images:
        height, width, *channels = tensor.shape[1:]
        count = channels[0] if channels else 1
        rotation = "rotationDegrees" if len(images) == 1 else f"{tensor.ident}Rotation"
        pictures.append(
            Picture(
                tensor,
                width,
                height,
                count,
                COLORS[one["color"]],
                one["resize"] == "crop",
                float_array(one["mean"], count),
                float_array(one["std"], count),
                rotation,
            )
        )
    return tuple(pictures)


def _fillable(tensor: Tensor) -> bool:
    return tensor.dtype == "float32" or (tensor.affine is not None and tensor.dtype in ("uint8", "int8", "int16"))


__all__ = ["Affine", "Glue", "class_name", "comment", "read_glue"]
