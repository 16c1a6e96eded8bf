"""The recipe: what a user writes in TOML. Types, cross-field rules, and messages that say what to type instead.

Knows the words and which go together; whether the model agrees is for the worker to say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, PrivateAttr, ValidationError, model_validator

from kit.errors import RecipeError
from kit.recipe.checks import Checks, MetricCheck
from kit.recipe.output import Output
from kit.recipe.quantize import LayerScheme, Quantize, check_scheme
from kit.recipe.report import Report
from kit.recipe.table import DYNAMIC, Axis, Name, OpenAxis, Pixel, Table

Byte = Annotated[int, Field(ge=0, le=255)]


class Model(Table):
    """The trained model, what the bundle is called, and which of its inputs and outputs the file gets."""

    path: Name | list[Name] = Field(
        description="a .keras, .h5 or .hdf5 file or a SavedModel folder, relative to the recipe; "
        "a list joins models end to end, by the names at each joint"
    )
    id: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$",
        max_length=100,
        description="asset folder, class name, artifact id: small letters, digits and _, a letter first",
    )
    version: str = Field(
        default="1.0.0",
        pattern=r"^[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$",
        description="the bundle's own version, as in 1.0.0 or 1.0.0-rc.1",
    )
    description: Name | None = Field(default=None, description="a sentence on what the model does, for its metadata")
    author: Name | None = Field(default=None, description="who made the model, for its metadata")
    license: Name | None = Field(default=None, description="the model's own licence, for its metadata")
    code: Name | None = Field(
        default=None,
        description="a .py file with the model's own layers and functions: CUSTOM_OBJECTS = {name: object}, "
        "and for a file of weights alone build_model()",
    )
    structure: Name | None = Field(
        default=None, description="for a file of weights alone: the model as JSON, as model.to_json() writes it"
    )
    allow_code: bool = Field(
        default=False,
        description="trust the model and the recipe: Python code of both runs in the local engine, too, which is no "
        "sandbox (a container always may), and the model may ask for functions and files that do more than compute",
    )
    allow_flex: bool = Field(
        default=False,
        description="take TensorFlow's own kernels where TFLite has none; the app has to link select-tf-ops",
    )
    signatures: list[Name] = Field(
        default=[], description="SavedModel: which signatures the file gets, the app's main one first (default: all)"
    )
    inputs: list[Name] = Field(default=[], description="the order of the inputs (default: the model's)")
    outputs: list[Name] = Field(
        default=[],
        description="which outputs the file gives, in this order: the model's, or tensors inside it by their layer "
        "(default: the model's, then the [[outputs]] that lie inside)",
    )
    batch: int | None = Field(
        default=None,
        ge=DYNAMIC,
        le=65536,
        description="samples in one call (default: the model's where that is fixed, else 1); -1: any number",
    )
    streaming: bool = Field(
        default=False,
        description="recurrent layers: one step of the sequence in each call, and the state as kept variables, "
        "which the app reads, assigns and resets",
    )

    @property
    def paths(self) -> list[str]:
        """Return the model files in the order in which they are joined: mostly one."""
        return [self.path] if isinstance(self.path, str) else self.path

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.paths:
            raise ValueError("path names no model")
        if self.batch == 0:
            raise ValueError("batch 0 is no batch: 1 or more, or -1 for any number")
        for key in ("signatures", "inputs", "outputs"):
            names = getattr(self, key)
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"{key} names '{name}' twice")
        if len(self.paths) > 1 and (self.signatures or self.structure):
            raise ValueError(
                f"{'signatures' if self.signatures else 'structure'} is for one model, and path has several"
            )
        if self.streaming and self.batch == DYNAMIC:
            raise ValueError("streaming keeps a state of a fixed shape: give batch a number, or leave it out")
        return self


class ToolchainChoice(Table):
    """Which TensorFlow converts."""

    tensorflow: str = Field(
        default="auto",
        pattern=r"^(auto|[0-9]+\.[0-9]+\.[0-9]+)$",
        description="a pinned version such as 2.19.1 (`kit toolchains` lists them), or auto: the newest",
    )


class Input(Table):
    """One input, and how the app fills it."""

    name: Name = Field(description="the name in the file, in the data and in the app")
    source: Name | None = Field(default=None, description="the model's own name for it, where that is another")
    kind: Literal["image", "tensor", "text", "audio"] = "tensor"
    description: Name | None = Field(default=None, description="a sentence on what goes in, for the model's metadata")
    shape: list[OpenAxis] | None = Field(
        default=None,
        description="without the batch axis; needed where the model leaves an axis open; -1 leaves it open for the app",
    )
    sizes: list[list[Axis]] = Field(
        default=[],
        description="of an input with open axes: the sizes that the build tries it at, as in [[64, 64], [128, 96]]; "
        "one number for each axis that is -1",
    )
    dtype: Literal["int32"] | None = Field(
        default=None, description="take whole numbers where the model takes them as floats: ids of an embedding"
    )
    range: list[Pixel] | None = Field(
        default=None,
        min_length=2,
        max_length=2,
        description="lowest and highest value: of the random samples that stand in where the recipe has no data",
    )
    mean: list[Pixel] = Field(default=[], description="image: per channel or one, in pixel units 0..255")
    std: list[Pixel] = Field(default=[], description="image: model value = (pixel - mean) / std")
    double_normalization: bool = Field(
        default=False, description="image: mean and std are meant, though the model itself normalizes pixels, too"
    )
    color: Literal["grayscale", "rgb", "bgr"] | None = Field(
        default=None, description="image: the order of channels; by the number of channels where not given"
    )
    resize: Literal["stretch", "crop", "letterbox"] | None = Field(
        default=None,
        description="image: stretch to the model's size (default), crop the centre, or letterbox: the whole image in "
        "its own proportions, and pad_color around it",
    )
    pad_color: list[Byte] = Field(
        default=[],
        max_length=3,
        description="letterbox: red, green and blue of what lies around the image, 0..255, also where color is bgr; "
        "or one value for all channels (default: black)",
    )

    rate: int | None = Field(
        default=None, ge=1000, le=768_000, description="audio: samples a second that the model was trained with"
    )
    window: int | None = Field(
        default=None, ge=1, le=1 << 26, description="audio: samples that a call takes (default: the model's shape)"
    )
    hop: int | None = Field(
        default=None,
        ge=1,
        le=1 << 26,
        description="audio: samples from one call of a stream to the next (default: half of a window)",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.shape is not None and 0 in self.shape:
            raise ValueError(f"shape {self.shape} of input '{self.name}' has an empty axis: -1 is one left open")
        self._check_sizes()
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError(f"range {self.range} of input '{self.name}' is not [lowest, highest]")
        if self.kind != "image":
            for key in ("mean", "std", "double_normalization", "color", "resize", "pad_color"):
                if getattr(self, key):
                    raise ValueError(f"'{key}' is for kind 'image', and input '{self.name}' is a '{self.kind}'")
        self._check_audio()
        if self.pad_color and self.resize != "letterbox":
            raise ValueError(f"pad_color of input '{self.name}' is for resize 'letterbox'")
        if any(abs(value) < 1e-6 for value in self.std):
            raise ValueError("std must not be 0: pixels are divided by it")
        if len(self.mean) != len(self.std):
            raise ValueError(
                f"mean has {len(self.mean)} values and std {len(self.std)}: give one for each channel, or one"
            )
        return self

    def _check_audio(self) -> None:
        if self.kind == "audio":
            if self.rate is None:
                raise ValueError(f"input '{self.name}' is an 'audio' without a rate: give rate = 16000, say")
            if self.dtype or self.range:
                key = "dtype" if self.dtype else "range"
                raise ValueError(f"'{key}' of input '{self.name}' is for kind 'tensor': sound is between -1 and 1")
            return
        for key in ("rate", "window", "hop"):
            if getattr(self, key):
                raise ValueError(f"'{key}' is for kind 'audio', and input '{self.name}' is a '{self.kind}'")

    def _check_sizes(self) -> None:
        axes = (self.shape or []).count(DYNAMIC)
        if self.sizes and not axes:
            raise ValueError(f"sizes of input '{self.name}' are for open axes, and its shape has no -1")
        for size in self.sizes:
            if len(size) != axes:
                raise ValueError(f"size {size} of input '{self.name}' needs {axes} numbers: one for each -1")


class Train(Table):
    """A signature `train` that takes a step on the kept variables: inputs and the true class in, the loss out."""

    loss: Literal["mean_squared_error", "binary_crossentropy", "categorical_crossentropy"]
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = Field(default=0.01, gt=0, le=1e3, allow_inf_nan=False)
    batch: int = Field(default=1, ge=1, le=65536, description="samples in one step")


class Variables(Table):
    """Which of the model's variables stay variables on the device."""

    keep: list[Name] = Field(
        default=[], description="patterns such as 'head/*': an app can read and assign these by name"
    )
    train: Train | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.train is not None and not self.keep:
            raise ValueError("[variables.train] changes kept variables, and keep names none")
        return self


class Android(Table):
    """The app that the bundle goes into."""

    package: str | None = Field(
        default=None,
        pattern=r"^[a-z][A-Za-z0-9_]*(\.[a-z][A-Za-z0-9_]*)+$",
        description="the Kotlin package of the generated code, as in com.example.app (default: com.example.<id>)",
    )
    runtime: str = Field(
        default="litert:2.3.0",
        description="the interpreter that the app links, or play:16.5.0 for Google Play services' own",
    )
    also: list[Name] = Field(
        default=[],
        description="further runtimes that the file has to run on as built; a build is refused where it does not",
    )
    header: str | None = Field(
        default=None,
        min_length=1,
        max_length=4000,
        description="the comment at the top of the generated class and its test, such as a copyright; lines stay lines",
    )
    verify: bool = Field(
        default=True,
        description="the app tries a GPU or an NPU on drawn inputs before it uses it; one that is wrong is passed over",
    )
    update_key: Name | None = Field(
        default=None,
        description="a public key of ECDSA P-256 in PEM: the class takes models over the air that `kit sign` signed "
        "with its private key",
    )
    update_version: int | None = Field(
        default=None,
        ge=1,
        le=2**31 - 1,
        description="of this model, for updates: the class takes those above it (default: 1)",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.update_version is not None and self.update_key is None:
            raise ValueError("update_version is for a class that takes updates, and update_key names no key")
        return self


class Recipe(Table):
    """A whole recipe. `load_recipe` makes one from a file."""

    model: Model
    toolchain: ToolchainChoice = ToolchainChoice()
    quantize: Quantize = Quantize()
    inputs: list[Input] = Field(default=[])
    outputs: list[Output] = Field(default=[])
    variables: Variables = Variables()
    android: Android = Android()
    checks: Checks = Checks()
    report: Report = Report()
    _path: Path = PrivateAttr(default=Path("recipe.toml"))

    @property
    def path(self) -> Path:
        """Return the file that it was read from."""
        return self._path

    def file(self, name: str) -> Path:
        """Return a file that the recipe names, which is relative to the recipe."""
        return self._path.parent / name

    @property
    def io(self) -> str:
        """Return the element type at the model's border: the recipe's word, or the one that suits it."""
        if self.quantize.io:
            return self.quantize.io
        images = any(tensor.kind == "image" for tensor in self.inputs)
        # MediaPipe and the Android image path read uint8, and neither takes int8.
        whole = self.quantize.scheme == "int8" and not self.quantize.by_litert
        return "uint8" if whole and images else "float32"

    def with_tensorflow(self, version: str) -> Recipe:
        """Return the same recipe for another TensorFlow. Raises RecipeError for what is no version."""
        try:
            choice = ToolchainChoice(tensorflow=version)
        except ValidationError as error:
            raise RecipeError(
                f"--tensorflow {version!r} is not a version", "give one such as 2.19.1, or auto: the newest"
            ) from error
        return self.model_copy(update={"toolchain": choice})

    def with_scheme(self, scheme: str) -> Recipe:
        """Return the same recipe for another scheme. Raises RecipeError for an unknown one.

        What a recipe says beside its own scheme (quantizer, layers, rounding, io and the like) belongs to that one.
        """
        check_scheme(scheme)
        mine = self.quantize
        if scheme == mine.scheme:
            return self
        plain = {"scheme": scheme, "count": mine.count}
        data = {"representative": mine.representative} if mine.representative else {}
        made = self.model_copy(update={"quantize": Quantize.model_validate(plain | data)})
        try:
            made._refuse_misfit()
        except ValueError as error:
            raise RecipeError(f"{self.path}: --scheme {scheme}: {error}", "give another scheme") from error
        return made

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self._refuse_misfit()
        return self

    def _refuse_misfit(self) -> None:
        """Raise ValueError for tables that do not go together."""
        for table, tensors in (("inputs", self.inputs), ("outputs", self.outputs)):
            names = [tensor.name for tensor in tensors]
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"two [[{table}]] are named '{name}'")
        if self.model.streaming and self.variables.train is not None:
            raise ValueError("[model] streaming takes one step of a sequence a call, and [variables.train] whole ones")
        if self.model.streaming and self.quantize.by_litert:
            raise ValueError(
                "[model] streaming needs the quantizer 'tensorflow', and [quantize] "
                f"scheme '{self.quantize.scheme}' asks for LiteRT's"
            )
        if self.quantize.fused_lstm and (self.model.streaming or self.variables.keep):
            other = "[model] streaming" if self.model.streaming else "[variables] keep"
            raise ValueError(f"[quantize] fused_lstm resets all state before each call, and {other} keeps it")
        self.checks.fits({tensor.name: tensor.kind for tensor in self.outputs}, bool(self.quantize.representative))


TABLES: dict[str, type[BaseModel]] = {
    "model": Model,
    "toolchain": ToolchainChoice,
    "quantize": Quantize,
    "quantize.layers": LayerScheme,
    "inputs": Input,
    "outputs": Output,
    "variables": Variables,
    "android": Android,
    "checks": Checks,
    "checks.metrics": MetricCheck,
    "report": Report,
}


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a recipe, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Recipe.model_json_schema(),
        "title": "dropkit recipe",
    }
