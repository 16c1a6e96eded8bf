"""[quantize] of a recipe: which scheme the weights get, who quantizes, and what belongs together."""

from __future__ import annotations

from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from kit.errors import RecipeError
from kit.recipe.table import Name, Table

Plain = Literal["float32", "float16", "dynamic", "weight8", "int8", "int16x8", "int4"]
Scheme = Literal["float32", "float16", "dynamic", "weight8", "int8", "int16x8", "int4", "auto"]
Io = Literal["float32", "uint8", "int8"]
_WHOLE = ("int8", "int16x8")
_SCALED = ("dynamic", "int4")
_LITERT = ("weight8", "int16x8", "int4", "auto")  # TensorFlow's converter has none of these, or not as they should be


class LayerScheme(Table):
    """Layers of the source model that get a scheme of their own."""

    match: Name = Field(description="a pattern of the source's layer names such as 'head/*' or 'conv1'")
    scheme: Plain = Field(description="the scheme of these layers")


class Quantize(Table):
    """How the model becomes smaller."""

    scheme: Scheme = Field(
        default="float32",
        description="float32; float16: weights in half precision; dynamic: weights in 8 bits, each call quantizes what "
        "it calculates; weight8: weights in 8 bits, float arithmetic; int8: whole numbers throughout; int16x8: the "
        "same with 16 bits between the operators; int4: weights of convolutions and dense layers in 4 bits, of others "
        "in 8; auto: the smallest of these and their mixes that keeps the checks",
    )
    quantizer: Literal["tensorflow", "litert"] | None = Field(
        default=None,
        description="who quantizes: TensorFlow's converter (default for float32, float16, dynamic and int8), or "
        "LiteRT's own quantizer on the float32 file (default for the others, and where layers have their own schemes)",
    )
    rounding: Literal["minmax", "octav", "oscar"] | None = Field(
        default=None,
        description="litert: how a weight's scale is found: by its extremes (default), by the least squared error "
        "(octav, default for int4), or as that, and in dense layers by the least error of their outputs on the "
        "calibration data, with a scale for each channel of their inputs (oscar, for dynamic and int4)",
    )
    bias_correction: bool = Field(
        default=False,
        description="litert: take out of each bias what its outputs differ by on the calibration data, in the mean",
    )
    layers: list[LayerScheme] = Field(
        default=[], description="layers that get a scheme of their own; a later entry counts before an earlier one"
    )
    tune: bool = Field(
        default=False,
        description="int8: take other rounding, bias correction, or float for the worst layers where that loses less "
        "on the data, at the same size or a smaller one",
    )
    prefer: Literal["size", "speed"] = Field(
        default="size",
        description="auto: of the candidates that keep the checks, take the smallest, or the one whose calls cost "
        "least by a stated model of multiply-adds and bytes",
    )
    io: Io | None = Field(
        default=None,
        description="what the app feeds and reads; int8 with an image gives uint8 unless said otherwise, else float32",
    )
    representative: Name | None = Field(
        default=None,
        description="calibration data: .npz by input name, or a folder of images; int8 needs it, but for a model "
        "whose ranges quantization-aware training learned",
    )
    count: int = Field(default=200, ge=1, le=100_000, description="how many calibration samples to use")
    fused_lstm: bool = Field(
        default=False,
        description="TensorFlow's fused operator for the LSTMs of a Keras 2 model: one operator for all steps, whose "
        "state the generated code resets before each call; for the Interpreter API alone",
    )

    keep_names: bool = Field(
        default=False,
        description="keep the names of inner tensors in the file; else those of inputs and outputs alone stay, and "
        "provenance/tensors.json of the bundle has all of them",
    )

    @property
    def measured(self) -> bool:
        """Say whether LiteRT's quantizer needs calibration data for it."""
        schemes = {self.scheme, *(layer.scheme for layer in self.layers)}
        return self.bias_correction or self.rounding == "oscar" or bool(schemes & {"int8", "int16x8"})

    @property
    def by_litert(self) -> bool:
        """Say whether LiteRT's quantizer makes the file out of the float32 one."""
        asked = bool(self.layers or self.rounding or self.bias_correction or self.tune)
        return self.quantizer == "litert" or asked or self.scheme in _LITERT

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.by_litert:
            self._fits_litert()
        if self.prefer != "size" and self.scheme != "auto":
            raise ValueError(f"prefer is for scheme 'auto', which has a choice: scheme '{self.scheme}' has none")
        if self.tune and self.scheme != "int8":
            raise ValueError(f"tune is for scheme 'int8', and not for '{self.scheme}': scheme 'auto' tries all of them")
        if self.tune and (self.layers or self.rounding or self.bias_correction):
            raise ValueError("tune finds rounding, bias_correction and layers itself: leave them or tune out")
        if self.scheme == "auto" and (self.layers or self.rounding or self.bias_correction):
            raise ValueError("scheme 'auto' finds rounding, bias_correction and layers itself: leave them out")
        if self.io in {"uint8", "int8"} and self.scheme != "int8":
            raise ValueError(
                f"io '{self.io}' needs scheme 'int8': scheme '{self.scheme}' keeps float inputs and outputs"
            )
        return self

    def _fits_litert(self) -> None:
        """Refuse what LiteRT's quantizer does not do."""
        if self.quantizer == "tensorflow":
            keys = ["layers"] * bool(self.layers) + ["rounding"] * bool(self.rounding)
            keys += ["bias_correction"] * self.bias_correction + ["tune"] * self.tune
            what = keys[0] if keys else f"scheme '{self.scheme}'"
            raise ValueError(f"{what} needs the quantizer 'litert': leave quantizer out")
        if self.io in {"uint8", "int8"}:
            raise ValueError(
                f"io '{self.io}' needs the quantizer 'tensorflow', which has none of: scheme weight8, int16x8, int4, "
                "auto, layers, rounding, bias_correction, tune"
            )
        schemes = {self.scheme, *(layer.scheme for layer in self.layers)}
        if self.rounding == "oscar" and (schemes & set(_WHOLE) or not schemes & set(_SCALED)):
            raise ValueError(
                "rounding 'oscar' is for schemes 'dynamic' and 'int4', whose dense layers take floats, and for none "
                "beside 'int8' or 'int16x8': use 'octav' or 'minmax'"
            )
        if self.fused_lstm:
            raise ValueError("fused_lstm needs the quantizer 'tensorflow': LiteRT's does not know that operator")


def check_scheme(name: str) -> None:
    """Refuse a word on the command line that is no scheme. Raises RecipeError."""
    if name not in (known := get_args(Scheme)):
        raise RecipeError(f"--scheme {name!r} is unknown", f"there is: {', '.join(known)}")
