"""What tensorflow-model-optimization (tfmot) writes of a layer's quantization, as values: what is rounded, and how.

Its classes are looked up by their names in a table here, and nothing of the file runs. Source: tfmot 0.8.1, schemes
default_8bit, prune_preserve and cluster_preserve, which write the same configurations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from kit.shared.job import JobError

_SAVED_MODEL = (
    "save it as a SavedModel with the code that trained it, tf.saved_model.save(model, 'folder'): that holds the "
    "operations themselves; then [model] path = 'folder'"
)
# Which activations tfmot rounds before they are applied, and which behind: quantize_aware_activation.py.
_BEFORE = {"softmax", "sigmoid", "tanh", "gelu"}
_BEHIND = {"linear", "relu", "swish", "gelu"}
_ACTIVATION_LAYER = {"relu", "swish", "gelu", "relu6"}  # those whose output an Activation layer rounds


@dataclass(frozen=True)
class Quantizer:
    """How one tensor is rounded to 8 bits, in a range that training learned or that is fixed."""

    narrow: bool = False  # 255 steps, symmetric about zero
    per_channel: bool = False  # a range for each place of the last axis
    fixed: tuple[float, float] | None = None
    nothing: bool = False  # tfmot's NoQuantizer

    def build(self, shape: Any, name: str, layer: Any) -> list[Any]:
        """Add the variables of the range to a Keras layer, in the order of tfmot: its least and its largest.

        They are float32 scalars, or [channels] where each channel has a range.
        """
        if self.fixed is not None or self.nothing:
            return []
        size = (shape[-1],) if self.per_channel else ()
        return [layer.add_weight(f"{name}_{end}", shape=size, trainable=False) for end in ("min", "max")]

    def __call__(self, x: Any, variables: list[Any]) -> Any:
        """Return x, float32 of any shape, rounded.

        variables: the range's least and largest, float32 scalars, or [channels] where each channel has a range.
        """
        if self.nothing:
            return x
        if self.fixed is not None:
            return tf.quantization.fake_quant_with_min_max_args(x, *self.fixed, narrow_range=self.narrow)
        kind = "_per_channel" if self.per_channel else ""
        rounded = getattr(tf.quantization, f"fake_quant_with_min_max_vars{kind}")
        return rounded(x, *variables, narrow_range=self.narrow)


@dataclass(frozen=True)
class Quantized:
    """What of a layer is rounded: attributes that hold weights, attributes that hold activations, its output."""

    weights: tuple[str, ...] = ()
    activations: tuple[str, ...] = ()
    output: bool = False
    of_activation: bool = False  # an Activation layer's output is rounded by what the activation is
    weight: Quantizer = Quantizer(narrow=True)
    activation: Quantizer = Quantizer()

    def rounds_output(self, layer: Any) -> bool:
        """Say whether the output of this Keras layer is rounded."""
        return self.output and (not self.of_activation or _name(layer.activation) in _ACTIVATION_LAYER)


def rounded_before(activation: Any) -> bool:
    """Say whether what goes into an activation is rounded."""
    return _name(activation) in _BEFORE


def rounded_behind(activation: Any) -> bool:
    """Say whether what an activation gives is rounded."""
    return _name(activation) in _BEHIND


def read_quantizer(raw: Mapping[str, Any] | None, layer: str) -> Quantizer:
    """Read a quantizer of a QuantizeLayer. Raises JobError (kind "model") for one that is not tfmot's own."""
    if raw is None:
        return Quantizer(nothing=True)
    name, config = str(raw.get("class_name")), raw.get("config") or {}
    if name not in {
        "AllValuesQuantizer",
        "LastValueQuantizer",
        "MovingAverageQuantizer",
        "FixedQuantizer",
        "NoQuantizer",
    }:
        raise _unknown("quantizer", name, layer)
    _refuse_bits(config.get("num_bits", 8), layer)
    narrow = bool(config.get("narrow_range"))
    if name == "FixedQuantizer":
        return Quantizer(narrow, fixed=(float(config["init_min"]), float(config["init_max"])))
    # A moving average and all values have one range, whatever per_axis says.
    per_channel = name == "LastValueQuantizer" and bool(config.get("per_axis"))
    return Quantizer(narrow, per_channel, nothing=name == "NoQuantizer")


def read_config(raw: Mapping[str, Any], layer: str) -> Quantized:
    """Read a layer's quantize_config. Raises JobError (kind "model") for one that is not tfmot's own."""
    name, config = str(raw.get("class_name")), raw.get("config") or {}
    output = bool(config.get("quantize_output", True))
    if name == "NoOpQuantizeConfig":
        return Quantized()
    if name == "Default8BitOutputQuantizeConfig":
        return Quantized(output=output)
    if name == "Default8BitActivationQuantizeConfig":
        return Quantized(output=output, of_activation=True)
    if name == "OutputOnlyConfig":
        return replace(read_config(config["quantize_config"], layer), weights=())
    if name == "FixedQuantizeConfig":
        _refuse_bits(config["num_bits"], layer)
        fixed = Quantizer(bool(config["narrow_range"]), fixed=(float(config["init_min"]), float(config["init_max"])))
        return replace(read_config(config["config"], layer), activation=fixed)
    if name not in _WEIGHTS:
        raise _unknown("quantize_config", name, layer)
    return Quantized(tuple(config["weight_attrs"]), tuple(config["activation_attrs"]), output, weight=_WEIGHTS[name])


_WEIGHTS = {
    "Default8BitQuantizeConfig": Quantizer(narrow=True),
    "Default8BitConvQuantizeConfig": Quantizer(narrow=True, per_channel=True),
    # tfmot transposes the kernel first, which is nothing to a range of the whole.
    "Default8BitConvTransposeQuantizeConfig": Quantizer(narrow=True),
}


def _refuse_bits(bits: int, layer: str) -> None:
    if bits != 8:
        raise JobError(
            "model",
            f"layer '{layer}' was trained for {bits} bits, and TFLite's int8 operators have 8",
            "train it with tfmot's default scheme of 8 bits: quantize_apply(model)",
        )


def _unknown(what: str, name: str, layer: str) -> JobError:
    if "NBit" in name:
        return JobError(
            "model",
            f"layer '{layer}' was trained with tfmot's experimental n-bit scheme ({name}), and TFLite's int8 operators "
            "have 8 bits",
            "train it with tfmot's default scheme of 8 bits: quantize_apply(model)",
        )
    return JobError(
        "model", f"layer '{layer}' was trained with the {what} '{name}', which is not one of tfmot's own", _SAVED_MODEL
    )


def _name(activation: Any) -> str:
    return str(getattr(activation, "__name__", type(activation).__name__))
