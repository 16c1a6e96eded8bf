"""What `auto` tries: plain schemes, their options, and mixes of schemes by layer. Runs none of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kit.recipe.quantize import LayerScheme, Quantize
from kit.recipe.toml_value import toml_value
from kit.shared.quantization import LayerError

# What a layer gets that a scheme hurts: the next one that is nearer to float32.
_MILDER = {"int4": "dynamic", "int8": "float32", "dynamic": "float32", "weight8": "float32"}


@dataclass(frozen=True)
class Candidate:
    """One way to quantize: what a recipe would say of it, and its name in tables."""

    name: str
    quantize: Quantize

    def lines(self) -> str:
        """Return the recipe's lines that ask for it and search nothing."""
        quantize = self.quantize
        rows = ["[quantize]", _line("scheme", quantize.scheme)]
        rows += [_line("quantizer", quantize.quantizer)] * bool(quantize.quantizer)
        rows += [_line("rounding", quantize.rounding)] * bool(quantize.rounding)
        rows += [_line("bias_correction", True)] * quantize.bias_correction
        rows += [_line("io", quantize.io)] * bool(quantize.io)
        rows += [_line("keep_names", True)] * quantize.keep_names
        if quantize.representative:
            rows += [_line("representative", quantize.representative), _line("count", quantize.count)]
        for layer in quantize.layers:
            rows += ["", "[[quantize.layers]]", _line("match", layer.match), _line("scheme", layer.scheme)]
        return "\n".join(rows) + "\n"


def _line(key: str, value: object) -> str:
    return f"{key} = {toml_value(value)}"


def plain_candidates(asked: Quantize, *, calibrated: bool) -> list[Candidate]:
    """Return every scheme that applies, and its options. calibrated: there is representative data."""
    found = [
        _of(asked, "float32", scheme="float32"),
        _of(asked, "float16", scheme="float16"),
        _of(asked, "weight8", scheme="weight8"),
        _of(asked, "dynamic", scheme="dynamic"),
        _of(asked, "int4", scheme="int4", rounding="octav"),
        _of(asked, "int4, min-max", scheme="int4", rounding="minmax"),
    ]
    if calibrated:
        found += [
            _of(asked, "int8", scheme="int8"),
            _of(asked, "int8, bias correction", scheme="int8", bias_correction=True),
            _of(asked, "int4, bias correction", scheme="int4", rounding="octav", bias_correction=True),
            _of(asked, "int4, min-max, bias correction", scheme="int4", rounding="minmax", bias_correction=True),
            _of(asked, "int4, oscar", scheme="int4", rounding="oscar"),
            _of(asked, "int4, oscar, bias correction", scheme="int4", rounding="oscar", bias_correction=True),
        ]
    return found


def int8_options(asked: Quantize) -> list[Candidate]:
    """Return what LiteRT's quantizer makes of scheme int8: plain, and with its options."""
    return [
        _of(asked, "int8", scheme="int8"),
        _of(asked, "int8, octav", scheme="int8", rounding="octav"),
        _of(asked, "int8, bias correction", scheme="int8", bias_correction=True),
        _of(asked, "int8, octav, bias correction", scheme="int8", rounding="octav", bias_correction=True),
    ]


def mixes(base: Candidate, errors: Sequence[LayerError]) -> Iterator[tuple[int, Candidate]]:
    """Yield a candidate with ever more layers in a milder scheme, those first that add most noise; with their number.

    1, 2, 4, 8 ... layers. errors: of the base's file.
    """
    ranked = ranked_layers(errors)
    count = 1
    while base.quantize.scheme in _MILDER and count < len(ranked):
        yield count, mixed(base, ranked[:count])
        count *= 2


def mixed(base: Candidate, layers: Sequence[str]) -> Candidate:
    """Return a candidate with some layers in a milder scheme."""
    scheme = _MILDER[base.quantize.scheme]
    own = [LayerScheme.model_validate({"match": layer, "scheme": scheme}) for layer in layers]
    shown = ", ".join(layers[:2]) + (f" and {len(layers) - 2} more" if len(layers) > 2 else "")
    return Candidate(f"{base.name}; {shown} in {scheme}", base.quantize.model_copy(update={"layers": own}))


def ranked_layers(errors: Sequence[LayerError]) -> list[str]:
    """Return the layers with weights by the noise that they add, the worst first."""
    noise: dict[str, float] = {}
    for error in errors:
        if error.weights and error.layers:
            noise[error.layers[0]] = noise.get(error.layers[0], 0.0) + error.own
    return sorted(noise, key=lambda layer: (-noise[layer], layer))


def tensorflow_int8(asked: Quantize) -> Candidate:
    """Return TensorFlow's own int8: it knows loops, masks, and the app's border in whole numbers."""
    border = {"io": "float32"} if asked.tune else {}  # the others have no other: the app's side is the same for all
    return _of(asked, "int8 of TensorFlow", scheme="int8", quantizer="tensorflow", **border)


def _of(asked: Quantize, name: str, **changes: str | bool) -> Candidate:
    """Return a candidate with the recipe's own data; of LiteRT's quantizer, where nothing else is said."""
    plain = asked.model_copy(
        update={"quantizer": "litert", "rounding": None, "bias_correction": False, "layers": [], "io": None}
        | {"prefer": "size", "tune": False}
    )
    return Candidate(name, plain.model_copy(update=dict(changes)))
