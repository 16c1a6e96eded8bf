"""The SavedModel that the converter reads: one named function for each signature, over the variables that are kept.

Names that TensorFlow cannot take as an argument's are replaced here; `signatures` gives the product the real ones.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import tensorflow as tf
from tensorflow.python.ops import gen_resource_variable_ops

from kit.shared.job import ASSIGN, READ
from kit.worker.graph.freeze import Frozen, imported
from kit.worker.graph.stand_ins import numbers_of
from kit.worker.source.contract import Contract
from kit.worker.source.model import Variable

# The quantizer drops an empty list of inputs and then cannot read its own file: the product gets rid of this one.
NOTHING = "nothing"
COUNT = "assigned"


@dataclass(frozen=True)
class Exported:
    """A signature as exported: the names that it has there, and those that the product gives them, in order."""

    key: str
    inputs: tuple[tuple[str, str], ...]  # (exported, real)
    outputs: tuple[tuple[str, str], ...]


class Module(tf.Module):  # type: ignore[misc]
    """What is saved: the kept variables, by name, and functions."""

    def __init__(self, kept: Sequence[Variable]) -> None:
        super().__init__()
        self.weights: dict[str, Any] = {}  # large constants, by their key
        self.names = [variable.name for variable in kept]
        # Fresh ones: the model's own may be placed, cast or watched by its framework.
        self.kept = [
            tf.Variable(variable.value.read_value(), name=plain(variable.name), trainable=False) for variable in kept
        ]

    def weight(self, key: str) -> Any:
        """Return a large constant, of its shape and dtype, as a tensor of the function that is being traced.

        key: as kit.worker.graph.stand_ins has it. The converter makes a constant of it where nothing assigns to it; in
        the graph itself it would be copied by every step that reads or writes one.
        """
        if key not in self.weights:
            numbers = numbers_of(key)
            with tf.init_scope():
                self.weights[key] = numbers if isinstance(numbers, tf.Variable) else tf.Variable(numbers, False)
        variable = self.weights[key]
        handle = tf.compat.v1.get_default_graph().capture(variable.handle)
        return gen_resource_variable_ops.read_variable_op(handle, variable.dtype)

    def add(self, name: str, initial: Any) -> Any:
        """Make one more kept variable, of initial's shape and dtype: what an optimizer remembers."""
        self.names.append(name)
        self.kept.append(tf.Variable(initial, name=plain(name), trainable=False))
        return self.kept[-1]

    def handles(self) -> dict[str, Any]:
        """Return the variables' resources by name, scalars of dtype resource, for the function that is being traced."""
        graph = tf.compat.v1.get_default_graph()
        return {name: graph.capture(value.handle) for name, value in zip(self.names, self.kept, strict=True)}


class Step(Protocol):
    """A train step: kit.worker.conversion.training has it."""

    key: str

    def function(self, module: Module) -> tuple[Any, Exported]:
        """Return it as a concrete function over the module's variables, and its names."""


def export(
    contracts: Sequence[tuple[Contract, Frozen]],
    module: Module,
    train: Step | None,
    folder: Path,
    *,
    quantizable: bool = True,
) -> tuple[Exported, ...]:
    """Write the SavedModel and return its signatures, the main one first.

    quantizable: for TFLite's quantizer, which takes no signature without inputs.
    """
    functions: dict[str, Any] = {}
    reported = []
    for contract, frozen in contracts:
        functions[contract.key], exported = _inference(module, contract, frozen)
        reported.append(exported)
    if train is not None:
        functions[train.key], exported = train.function(module)
        reported.append(exported)
    if module.kept:
        for key, function, exported in (_read(module, quantizable), _assign(module)):
            functions[key] = function
            reported.append(exported)
    # Without gradients: TensorFlow cannot save a custom one (swish) of a graph that was imported, and nothing needs it.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, str(folder), signatures=functions, options=options)
    return tuple(reported)


def plain(name: str) -> str:
    """Return a name that TensorFlow takes for an argument as it is."""
    word = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return word if re.match(r"[A-Za-z]", word) and not keyword.iskeyword(word) else f"x{word}"


def plain_names(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return (plain name, real name) of each, no two the same."""
    pairs: list[tuple[str, str]] = []
    for name in names:
        word, count = plain(name), 1
        while word in [other for other, _ in pairs]:
            word, count = f"{plain(name)}_{count}", count + 1
        pairs.append((word, name))
    return pairs


def specs(pairs: Sequence[tuple[str, str]], shapes: Sequence[Sequence[int]], dtypes: Sequence[Any]) -> dict[str, Any]:
    """Return named TensorSpecs, which make a function's arguments; -1 is an open axis."""
    return {
        word: tf.TensorSpec([None if n < 0 else n for n in shape], dtype, name=word)
        for (word, _), shape, dtype in zip(pairs, shapes, dtypes, strict=True)
    }


def _inference(module: Module, contract: Contract, frozen: Frozen) -> tuple[Any, Exported]:
    inputs = plain_names([spec.name for spec in contract.inputs])
    outputs = plain_names([spec.name for spec in contract.outputs])

    def serve(**feeds: Any) -> dict[str, Any]:
        """Return the outputs by exported name for the inputs by theirs, of the contract's shapes and dtypes."""
        handles = module.handles() if frozen.kept else {}
        predictions = imported(frozen, [feeds[word] for word, _ in inputs], handles, module.weight)
        return dict(zip([word for word, _ in outputs], predictions, strict=True))

    named = specs(inputs, [spec.shape for spec in contract.inputs], [spec.dtype for spec in contract.inputs])
    function = tf.function(serve, autograph=False).get_concrete_function(**named)
    return function, Exported(contract.key, tuple(inputs), tuple(outputs))


def _read(module: Module, quantizable: bool) -> tuple[str, Any, Exported]:
    outputs = plain_names(module.names)

    def read(**_: Any) -> dict[str, Any]:
        """Return the kept variables' values by exported name, each in its own shape and dtype."""
        return {word: _value(variable) for (word, _), variable in zip(outputs, module.kept, strict=True)}

    nothing = {NOTHING: tf.TensorSpec((), tf.int32, name=NOTHING)} if quantizable else {}
    function = tf.function(read, autograph=False).get_concrete_function(**nothing)
    return READ, function, Exported(READ, (), tuple(outputs))


def _value(variable: Any) -> Any:
    """Return what a variable holds, in its shape and dtype, as CompiledModel can give it to an app.

    READ_VARIABLE allocates a scalar while it runs, and CompiledModel has no buffer for such an output: so a scalar is
    taken out of a pair, which no optimizer sees through.
    """
    value = variable.read_value()
    return value if value.shape.rank != 0 else tf.gather(tf.stack([value, value]), 0)


def _assign(module: Module) -> tuple[str, Any, Exported]:
    inputs = plain_names(module.names)

    def assign(**values: Any) -> dict[str, Any]:
        """Assign each kept variable a value by exported name, of its shape and dtype.

        Returns their count, an int32 scalar.
        """
        for (word, _), value in zip(inputs, module.kept, strict=True):
            value.assign(values[word])
        return {COUNT: tf.constant(len(inputs), tf.int32)}

    named = specs(inputs, [value.shape for value in module.kept], [value.dtype for value in module.kept])
    function = tf.function(assign, autograph=False).get_concrete_function(**named)
    return ASSIGN, function, Exported(ASSIGN, tuple(inputs), ((COUNT, COUNT),))
