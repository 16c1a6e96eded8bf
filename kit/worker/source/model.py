"""The source model in memory, whatever file it came from: its signatures, its variables, what lies inside it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

_READ = 60  # names in a message


@dataclass(frozen=True)
class Port:
    """An input or output of the source model."""

    name: str
    shape: tuple[int | None, ...]  # with the batch axis, where it has one; None where the model leaves an axis open
    dtype: str  # numpy name: "float32"
    batched: bool = True  # axis 0 counts samples


class Call(Protocol):
    """Runs a signature: input tensors by name -> output tensors by name, in inference mode."""

    def __call__(
        self, feeds: Mapping[str, Any], inner: Sequence[str] = (), given: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return every output, and beside them the tensors inside that `inner` names.

        feeds: of the ports' shapes and dtypes, as the outputs are. given: tensors by names inside, which take the place
        of what the model computes there, in its shape and dtype. Raises JobError (kind "recipe") for a name inside that
        a call does not come by.
        """


@dataclass(frozen=True)
class Signature:
    """One way to call the model, its inputs and outputs in the model's own order."""

    key: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    call: Call


@dataclass(frozen=True)
class Variable:
    """A variable of the model, by the name that a user knows it by: "head/kernel"."""

    name: str
    value: Any  # a tf.Variable


@dataclass(frozen=True)
class Source:
    """A loaded model. The first signature is the main one."""

    signatures: tuple[Signature, ...]
    variables: tuple[Variable, ...]
    inner: tuple[str, ...]  # the names that Call's `inner` takes
    loader: str  # "keras 3.15.1", "tf_keras 2.19.0", "SavedModel of TensorFlow 2.15.1"
    notes: tuple[str, ...] = field(default=())
    structure: str = ""  # as JSON, where Keras can say it
    weights: tuple[str, ...] = ()  # variables in the order of Keras's model.weights; () where Keras does not say

    @property
    def states(self) -> frozenset[str]:
        """Return the variables that Keras counts not among the weights: what random layers draw from, new each time."""
        return frozenset(each.name for each in self.variables if self.weights) - frozenset(self.weights)

    @property
    def parameters(self) -> int:
        """Count the weights: the numbers in all variables."""
        return sum(int(variable.value.shape.num_elements()) for variable in self.variables)


def nearest(wanted: str, names: Sequence[str]) -> str:
    """Return a hint: the nearest of the names, and all there are, as far as a user would read on."""
    near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.4)
    more = f" and {len(names) - _READ:,} more" if len(names) > _READ else ""
    return (f"did you mean '{near[0]}'? " if near else "") + "there is: " + ", ".join(names[:_READ]) + more


def unique(names: Sequence[str]) -> list[str]:
    """Give the second "dense" the name "dense_1", as Keras itself does."""
    given: set[str] = set(names)
    seen: set[str] = set()
    result = []
    for name in names:
        own, count = name, 0
        while own in seen or (count and own in given):
            count += 1
            own = f"{name}_{count}"
        seen.add(own)
        result.append(own)
    return result
