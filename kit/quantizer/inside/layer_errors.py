"""Where a product differs from its float file: the error of every operator's output, worst first, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kit.quantizer.inside.reasons import Seen, reason
from kit.quantizer.inside.schemes import Operator
from kit.quantizer.inside.tensor_sums import Sums
from kit.quantizer.inside.tensors import Tensors, real
from kit.shared.calls import Feeds
from kit.shared.quantization import LayerError

Calls = Iterable[tuple[Feeds, Feeds]]  # what the float file and the product take in one call, by input name [...]


@dataclass(frozen=True)
class Pair:
    """The float file and the product. partners: the product's tensor of each one of the float file, by name."""

    exact: Tensors
    product: Tensors
    partners: Mapping[str, str]


def by_name(found: Sequence[Operator]) -> dict[str, str]:
    """Return the outputs of operators as their own partners: LiteRT's quantizer keeps every name."""
    return {operator.output: operator.output for operator in found}


def by_layer(found: Sequence[Operator], product: Sequence[Operator]) -> dict[str, str]:
    """Return the outputs that both files have: by name, else the last ones of the same layers of the source.

    product: its operators. TensorFlow's converter keeps most names, and not those at the border or what it rewrote. One
    that has a partner by its name is no other's.
    """
    names = {operator.output for operator in product}
    last = {operator.layers: operator.output for operator in product if operator.layers}
    own = {operator.layers: operator.output for operator in found if operator.layers}
    partners = {name: name for name in (operator.output for operator in found) if name in names}
    taken = set(partners.values())
    by_place = {own[layers]: last[layers] for layers in own if layers in last and last[layers] not in taken}
    return by_place | partners


def with_outputs(partners: Mapping[str, str], exact: Tensors, product: Tensors, signature: str) -> dict[str, str]:
    """Return partners with the outputs of a signature, which both files know by the same names."""
    wanted, made = exact.outputs(signature), product.outputs(signature)
    return {**partners, **{tensor: made[name] for name, tensor in wanted.items() if name in made}}


def layer_errors(pair: Pair, signature: str, calls: Calls, found: Sequence[Operator]) -> tuple[LayerError, ...]:
    """Return the error of each operator of the float file whose output both files have, the worst first.

    calls: what both take, by input name [...] in its dtype.
    """
    compared, scales = _compared(pair, signature, calls), pair.product.scales(signature)
    fed = _fed(pair.exact, signature)
    errors = []
    for operator in found:
        name = operator.output
        if name not in compared:
            continue
        inputs, weights = fed.get(name, ((), ()))
        sums, before = compared[name], tuple(compared[each] for each in inputs if each in compared)
        seen = Seen(operator.name, weights, sums, before, _span(sums, scales.get(pair.partners[name])))
        errors.append(
            LayerError(
                tensor=name,
                layers=operator.layers,
                operator=operator.name.value,
                snr=round(sums.snr, 2),
                low=sums.low,
                high=sums.high,
                own=max(0.0, sums.share - max((each.share for each in before), default=0.0)),
                added=max(0.0, sums.channel_share - max((each.channel_share for each in before), default=0.0)),
                weights=sum(array.nbytes for array in weights),
                weight_low=min((float(array.min()) for array in weights[:1]), default=0.0),
                weight_high=max((float(array.max()) for array in weights[:1]), default=0.0),
                reason=reason(seen),
            )
        )
    return tuple(sorted(errors, key=lambda each: (each.snr, each.tensor)))


def _compared(pair: Pair, signature: str, calls: Calls) -> dict[str, Sums]:
    """Return the sums of each tensor of the float file that the product has, too.

    calls: as layer_errors has them, [...] in the dtype of each input.
    """
    scales, compared = pair.product.scales(signature), dict[str, Sums]()
    for call, fed in calls:
        floats = dict(pair.exact.values(signature, call, pair.partners))
        product = dict(pair.product.values(signature, fed, set(pair.partners.values())))
        for name, exact in floats.items():
            value = product.get(pair.partners[name])
            if value is not None and value.shape == exact.shape and exact.dtype == np.float32:
                got = real(value, scales.get(pair.partners[name]))
                compared.setdefault(name, Sums()).add(exact.astype(np.float64), got, value)
    return compared


def _span(sums: Sums, scale: tuple[np.ndarray, np.ndarray, int] | None) -> float | None:
    """Return what the steps of a tensor's type cover; None for a float. scale: as Tensors.scales, float32 [n]."""
    return sums.steps * float(scale[0][0]) if sums.steps and scale is not None else None


def _fed(exact: Tensors, signature: str) -> dict[str, tuple[tuple[str, ...], tuple[np.ndarray, ...]]]:
    """Return by an operator's first output the names of what it is fed, and its constants of numbers, float32 [...].

    Of the first subgraph: the interpreter lists the operators of no other.
    """
    if exact.graphs[signature] != 0:
        return {}
    names = {place: name for name, place in exact.places[signature].items()}
    operators = exact.interpreter._get_ops_details()
    calculated = {int(at) for operator in operators for at in operator["outputs"]}
    calculated |= {int(detail["index"]) for detail in exact.interpreter.get_input_details()}
    found: dict[str, tuple[tuple[str, ...], tuple[np.ndarray, ...]]] = {}
    for operator in operators:
        named = [int(at) for at in operator["inputs"] if int(at) in names]
        constants = [exact.interpreter.get_tensor(at) for at in named if at not in calculated]
        weights = tuple(array for array in constants if array.dtype == np.float32 and array.size > 1)
        outputs = [names[int(at)] for at in operator["outputs"][:1] if int(at) in names]
        found |= {output: (tuple(names[at] for at in named), weights) for output in outputs}
    return found
