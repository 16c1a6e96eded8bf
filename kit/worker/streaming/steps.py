"""One step of a sequence in each call: what such a call takes and gives, and whole sequences as runs of steps."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from kit.shared.calls import calls
from kit.shared.job import DYNAMIC, JobError, TensorSpec
from kit.shared.rows import Arrays as Samples
from kit.worker.failures.causes import described
from kit.worker.source.contract import Contract
from kit.worker.streaming.stream import WITHOUT

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Steps:
    """The signature as the source has it, on whole sequences, and as the product has it, on one step."""

    whole: Contract
    contract: Contract
    sequences: frozenset[str]  # inputs of which a call takes one step; the others it takes whole, in each

    def runs(self, samples: Samples) -> Iterator[list[dict[str, np.ndarray]]]:
        """Yield, for each call's worth of samples [N, steps, ...], what its steps take, in order.

        A step has [rows, 1, ...] of each sequence and the whole of each other input, in the samples' dtype.
        """
        for call in calls(self.whole.inputs, samples):
            length = next(call[name].shape[1] for name in sorted(self.sequences))
            yield [
                {name: array[:, at : at + 1] if name in self.sequences else array for name, array in call.items()}
                for at in range(length)
            ]

    def joined(self, rows: Sequence[Arrays]) -> dict[str, np.ndarray]:
        """Return the whole sequence's outputs of those of its steps: of every step, or the last one's.

        rows: by output name [rows, 1, ...] for each step; returned [rows, steps, ...], or the last one, in their dtype.
        """
        return {
            name: np.concatenate([row[name] for row in rows], axis=1) if each else rows[-1][name]
            for name, each in self.each_step.items()
        }

    @property
    def each_step(self) -> dict[str, bool]:
        """Say of each output whether the source gives it for every step, on axis 1."""
        pairs = zip(self.contract.outputs, self.whole.outputs, strict=True)
        return {one.name: one.shape != whole.shape for one, whole in pairs}


def one_step(contracts: Sequence[Contract]) -> Steps:
    """Return the main signature for one step in each call.

    Raises JobError where the model has no sequence to take a step of, or cannot be run on one step.
    """
    whole, *others = contracts
    if others:
        raise JobError(
            "recipe",
            f"[model] streaming is for one signature, and the file would get {len(contracts)}",
            f'choose the one that takes a sequence: [model] signatures = ["{whole.key}"]',
        )
    if whole.batch is None or whole.batch == DYNAMIC:
        raise JobError(
            "recipe",
            "[model] streaming needs a fixed number of samples in a call: the state has a shape",
            "leave [model] batch out: one sample in each call",
        )
    sequences = _sequences(whole)
    inputs = [_step(spec) if spec.name in sequences else spec for spec in whole.inputs]
    if left := [spec.name for spec in inputs if DYNAMIC in spec.shape]:
        raise JobError(
            "recipe",
            f"[model] streaming: the input '{left[0]}' leaves another axis open than the sequence's",
            f'fix it: [[inputs]] name = "{left[0]}" and shape = [...], without the batch axis',
        )
    try:
        with _any_length():
            contract = whole.reshaped(inputs)
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise JobError(
            "model", f"[model] streaming: the model cannot be run on one step: {described(error)}", WITHOUT
        ) from error
    steps = Steps(whole, contract, sequences)
    _refuse_lengths(steps)
    return steps


def _sequences(whole: Contract) -> frozenset[str]:
    """Return the inputs with an axis of steps: open ones, else those of steps and features, else all."""
    able = [spec for spec in whole.inputs if len(spec.shape) > 1]
    found = [spec for spec in able if spec.shape[1] == DYNAMIC] or [s for s in able if len(s.shape) > 2] or able
    lengths = {spec.name: spec.shape[1] for spec in found}
    if len(set(lengths.values())) != 1:
        named = ", ".join(f"'{name}' {length}" for name, length in lengths.items())
        raise JobError(
            "recipe",
            f"[model] streaming needs sequences of one length, on axis 1: {named or 'no input has one'}",
            f"give all the same length: [[inputs]] shape; or {WITHOUT}",
        )
    return frozenset(lengths)


def _step(spec: TensorSpec) -> TensorSpec:
    return replace(spec, shape=(spec.shape[0], 1, *spec.shape[2:]))


def _refuse_lengths(steps: Steps) -> None:
    """Refuse an output whose shape follows the length in another way than one entry a step."""
    for one, whole in zip(steps.contract.outputs, steps.whole.outputs, strict=True):
        if one.shape not in (whole.shape, (*whole.shape[:1], 1, *whole.shape[2:])) or not one.batched:
            raise JobError(
                "model",
                f"[model] streaming: the output '{one.name}' is {list(whole.shape)} for a whole sequence and "
                f"{list(one.shape)} for one step",
                f"take outputs that lie before it: [model] outputs; or {WITHOUT}",
            )


@contextmanager
def _any_length() -> Iterator[None]:
    """Let Keras trace a model on another length than it was built for, during the block.

    A layer whose weights or shapes hang on the length still fails, in its own operators.
    """
    saved: list[tuple[Any, str, Any]] = []
    for name, module in list(sys.modules.items()):
        places = []
        if name.endswith(("keras.engine.input_spec", "keras.src.engine.input_spec")):
            places = [(module, "assert_input_compatibility")]
        elif name.endswith("keras.src.layers.layer"):
            places = [(module.Layer, "_assert_input_compatibility")]
        saved += [(place, key, getattr(place, key)) for place, key in places]
    for place, key, _ in saved:
        setattr(place, key, lambda *_args, **_kwargs: None)
    try:
        yield
    finally:
        for place, key, original in saved:
            setattr(place, key, original)
