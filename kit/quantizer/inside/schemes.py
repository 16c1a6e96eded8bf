"""A scheme as rules of litert-quantizer, which match operators by the names of their outputs. Measures nothing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from litert_quantizer.algorithm_manager import AlgorithmName
from litert_quantizer.qtyping import TFLOperationName as Name
from litert_quantizer.quantizer import Quantizer
from litert_quantizer.utils.tfl_flatbuffer_utils import TFL_OP_CODE_TO_NAME, get_op_scope

from kit.shared.layers import layers_of_tensor
from kit.shared.quantization import LayerScheme, Quantization

_EVERY = ".*"
# In four bits: the kernels of these take such weights; LiteRT's depthwise convolution does not.
_FOUR_BITS = (Name.FULLY_CONNECTED, Name.CONV_2D)
# OSCAR is for dense layers alone; the others go by OCTAV then.
_ROUNDING = {
    "minmax": AlgorithmName.MIN_MAX_UNIFORM_QUANT,
    "octav": AlgorithmName.OCTAV,
    "oscar": AlgorithmName.OCTAV,
}
# The weights' bits of the schemes whose dense layers take floats, which OSCAR scales.
_SCALED = {"dynamic": 8, "int4": 4}


@dataclass(frozen=True)
class Operator:
    """An operator of the float file: its rule's place, its name, and the layers of the source that it belongs to."""

    scope: str
    name: Name
    layers: tuple[str, ...]

    @property
    def output(self) -> str:
        """Return the name of its output; of several, all of them."""
        return self.scope.removesuffix(";")  # one: a name of the converter may end with another


def operators(model: Any, layers: Collection[str]) -> Iterator[Operator]:
    """Yield what litert-quantizer can quantize in a float model (a ModelT), in the file's order."""
    for number, graph in enumerate(model.subgraphs):
        outputs = _outputs(model, number)
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex].builtinCode
            if code not in TFL_OP_CODE_TO_NAME:
                continue
            scope = get_op_scope(operator, graph.tensors)
            own = layers_of_tensor(scope.rstrip(";"), layers)
            # The converter gives the model's outputs names of its own; an output mostly has the name of its layer.
            own += [name for at in operator.outputs if (name := outputs.get(at, "")) in layers and name not in own]
            yield Operator(scope, TFL_OP_CODE_TO_NAME[code], tuple(own))


def apply(
    quantizer: Quantizer, wanted: Quantization, found: Sequence[Operator], scaled: Mapping[str, int]
) -> list[str]:
    """Give a quantizer the rules of what is wanted; return the patterns that no operator's layer has.

    scaled: see scaled_layers.
    """
    _rules(quantizer, wanted.scheme, wanted.rounding, _EVERY, None)
    # The app's border stays in float: the quantizer's own way to whole numbers there is no uint8.
    for border in (Name.INPUT, Name.OUTPUT):
        quantizer.update_quantization_recipe(_EVERY, border, algorithm_key=AlgorithmName.NO_QUANTIZE)
    unmatched = []
    for layer in wanted.layers:
        matched = _matched(layer, found)
        for operator in matched:
            _rules(quantizer, layer.scheme, wanted.rounding, f"^{re.escape(operator.scope)}$", operator.name)
        if not matched:
            unmatched.append(layer.match)
    for scope, bits in scaled.items():
        only, algorithm = Name.FULLY_CONNECTED, AlgorithmName.OSCAR
        quantizer.add_dynamic_config(f"^{re.escape(scope)}$", only, bits, algorithm_key=algorithm)
    return unmatched


def scaled_layers(wanted: Quantization, found: Sequence[Operator], able: Collection[str]) -> dict[str, int]:
    """Return the scopes of the dense layers whose inputs get scales, with the bits of their weights.

    able: the scopes of those that OSCAR can take.
    """
    if not wanted.scaled:
        return {}
    schemes = {operator.scope: wanted.scheme for operator in found}
    for layer in wanted.layers:
        schemes |= {operator.scope: layer.scheme for operator in _matched(layer, found)}
    return {scope: _SCALED[schemes[scope]] for scope in able if schemes.get(scope) in _SCALED}


def _matched(layer: LayerScheme, found: Sequence[Operator]) -> list[Operator]:
    """Return the operators of the layers that a pattern means."""
    return [each for each in found if any(fnmatchcase(name, layer.match) for name in each.layers)]


def _outputs(model: Any, graph: int) -> dict[int, str]:
    """Return the names of a subgraph's outputs in its signatures, by the number of the tensor."""
    signatures = [each for each in model.signatureDefs or [] if each.subgraphIndex == graph]
    return {output.tensorIndex: _text(output.name) for each in signatures for output in each.outputs or []}


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _rules(quantizer: Quantizer, scheme: str, rounding: str, scope: str, only: Name | None) -> None:
    """Add the rules of one scheme for a scope: for all operators, or for only one kind of them.

    A kind that has no such scheme, as a softmax has no weights of 8 bits, stays in float.
    """
    name, algorithm = only or Name.ALL_SUPPORTED, _ROUNDING[rounding]
    quantizer.update_quantization_recipe(scope, Name.ALL_SUPPORTED, algorithm_key=AlgorithmName.NO_QUANTIZE)
    # Of ALL_SUPPORTED it passes such a kind over in silence; one that is named it refuses.
    with suppress(ValueError) if only else nullcontext():
        if scheme == "float16":
            quantizer.add_weight_only_config(scope, name, 16, algorithm_key=AlgorithmName.FLOAT_CASTING)
        elif scheme == "weight8":
            quantizer.add_weight_only_config(scope, name, 8, algorithm_key=algorithm)
        elif scheme == "int8":
            quantizer.add_static_config(scope, name, 8, 8, algorithm_key=algorithm)
        elif scheme == "int16x8":
            quantizer.add_static_config(scope, name, 16, 8, algorithm_key=algorithm)
        elif scheme in {"dynamic", "int4"}:
            quantizer.add_dynamic_config(scope, name, 8, algorithm_key=algorithm)
    if scheme == "int4":
        for kind in _FOUR_BITS:
            if only in {None, kind}:
                quantizer.add_dynamic_config(scope, kind, 4, algorithm_key=algorithm)
