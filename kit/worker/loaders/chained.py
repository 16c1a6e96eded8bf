"""Several models end to end as one Source: what one gives the next takes, by the names at the joint.

Variables and tensors inside keep their names behind their file's: "net/head/kernel". Always, not only where two
names are the same: what a recipe names must not depend on what else is joined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kit.shared.job import JobError
from kit.worker.source.model import Call, Port, Signature, Source, Variable, unique


def join(sources: Sequence[Source], names: Sequence[str]) -> Source:
    """Return the composition of their main signatures; names are the files', which their prefixes come from.

    Raises JobError (kind "recipe") where a joint does not fit.
    """
    prefixes = unique([name.partition(".")[0] for name in names])
    mains = [source.signatures[0] for source in sources]
    joints = [_joint(mains[i], mains[i + 1], names[i], names[i + 1]) for i in range(len(mains) - 1)]

    def call(
        feeds: Mapping[str, Any], inner: Sequence[str] = (), given: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        fed, predictions = dict(feeds), {}
        for i, (main, prefix) in enumerate(zip(mains, prefixes, strict=True)):
            own = [name.removeprefix(f"{prefix}/") for name in inner if name.startswith(f"{prefix}/")]
            start = f"{prefix}/"
            inside = {name.removeprefix(start): each for name, each in (given or {}).items() if name.startswith(start)}
            predictions = main.call(fed, own, inside)
            found |= {f"{prefix}/{name}": predictions[name] for name in own}
            if i < len(joints):
                fed = {taken: predictions[given] for given, taken in joints[i].items()}
        return {port.name: predictions[port.name] for port in mains[-1].outputs} | found

    made: Call = call
    return Source(
        (Signature(mains[0].key, mains[0].inputs, mains[-1].outputs, made),),
        tuple(
            Variable(f"{prefix}/{variable.name}", variable.value)
            for source, prefix in zip(sources, prefixes, strict=True)
            for variable in source.variables
        ),
        tuple(f"{prefix}/{name}" for source, prefix in zip(sources, prefixes, strict=True) for name in source.inner),
        " + ".join(dict.fromkeys(source.loader for source in sources)),
        tuple(note for source in sources for note in source.notes),
        weights=tuple(
            f"{prefix}/{name}" for source, prefix in zip(sources, prefixes, strict=True) for name in source.weights
        )
        if all(source.weights for source in sources)
        else (),
    )


def _joint(before: Signature, after: Signature, giver: str, taker: str) -> dict[str, str]:
    """Return which input each output becomes. One to one joins whatever the names."""
    reported = f"{giver} gives {_shown(before.outputs)}; {taker} takes {_shown(after.inputs)}"
    if len(before.outputs) == len(after.inputs) == 1:
        pairs = [(before.outputs[0], after.inputs[0])]
    else:
        given, taken = {p.name: p for p in before.outputs}, {p.name: p for p in after.inputs}
        missing, left = [n for n in taken if n not in given], [n for n in given if n not in taken]
        if missing or left:
            what = f"'{missing[0]}' has nothing to feed it" if missing else f"'{left[0]}' goes nowhere"
            raise JobError(
                "recipe",
                f"[model] path: {giver} and {taker} do not join: {what}: {reported}",
                "give the outputs of the one the names of the inputs of the other, and save it again",
            )
        pairs = [(given[name], taken[name]) for name in taken]
    for one, other in pairs:
        if one.dtype != other.dtype or not _fits(one, other):
            raise JobError(
                "recipe",
                f"[model] path: {giver} and {taker} do not join: '{one.name}' does not fit '{other.name}': {reported}",
                "save one of them again, so that it gives what the other takes: the same type and shape",
            )
    return {one.name: other.name for one, other in pairs}


def _fits(one: Port, other: Port) -> bool:
    return len(one.shape) == len(other.shape) and all(
        None in (a, b) or a == b for a, b in zip(one.shape, other.shape, strict=True)
    )


def _shown(ports: Sequence[Port]) -> str:
    return ", ".join(f"{port.name} {port.dtype}{_shape(port)}" for port in ports)


def _shape(port: Port) -> str:
    return "[" + ", ".join("any" if n is None else str(n) for n in port.shape) + "]"
