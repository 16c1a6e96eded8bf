"""The produced file against the float model: golden vectors, errors, agreement, accuracy. Judges nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from kit.preprocess import apply_activation
from kit.worker.contract import Contract
from kit.worker.data import Data
from kit.worker.job import Job, JobError, OutputMeasure, OutputWish, SignatureSpec, TensorSpec
from kit.worker.product import Product, calls, joined, real

Arrays = Mapping[str, np.ndarray]

# What another runtime or CPU may differ by and still be right. Integers: LiteRT's kernel families differ by
# one step. Floats: sums in another order; dynamic range re-quantizes activations on the fly, which amplifies it.
STEPS = 1.0
ABSOLUTE = {"float32": 1e-4, "float16": 1e-3, "dynamic": 5e-3}
BATCH = 64
ALONE = 1e-3  # what a sample's float outputs may differ by between a batch and a call of its own


def reference(contract: Contract, samples: Arrays, *, stateful: bool = False) -> dict[str, np.ndarray]:
    """Return the float source model's answers [N, ...] to samples [N, ...], by name, as float32.

    Many samples at a time where that is the same as what an app does: one call after the other.
    """
    single = calls(contract.inputs, samples)
    flexible = contract.loose and not stateful and all(spec.batched for spec in contract.outputs)
    if flexible:
        count = len(next(iter(samples.values())))
        answers = _asked(
            contract, [{name: a[at : at + BATCH] for name, a in samples.items()} for at in range(0, count, BATCH)]
        )
        if len(single) in {1, count} and not _batch_matters(contract, single, answers):
            return answers
    return _asked(contract, single)


def _asked(contract: Contract, feeds: Sequence[Arrays]) -> dict[str, np.ndarray]:
    rows = [contract.graph({name: tf.constant(a) for name, a in each.items()}) for each in feeds]
    return {
        spec.name: joined([np.asarray(row[spec.name], np.float32) for row in rows], spec) for spec in contract.outputs
    }


def _batch_matters(contract: Contract, single: Sequence[Arrays], answers: Arrays) -> bool:
    """Say whether samples that are run alone get other outputs than in a batch: tried on the ends and the middle."""
    for at in {0, len(single) // 2, len(single) - 1} if len(single) > 1 else ():
        alone = contract.traced(*(tf.constant(single[at][spec.name]) for spec in contract.inputs))
        for spec, value in zip(contract.outputs, alone, strict=True):
            wanted = answers[spec.name][at : at + 1]
            off = np.abs(np.asarray(value, np.float32) - wanted).max(initial=0.0)
            if off > ALONE * max(1.0, float(np.abs(wanted).max(initial=0.0))):
                return True
    return False


def measure(
    job: Job, data: Data, signature: SignatureSpec, floats: Arrays, answers: Arrays
) -> tuple[OutputMeasure, ...]:
    """Return one measure per output of the main signature, on all of the evaluation data."""
    wishes = {wish.name: wish for wish in job.outputs}
    first = next((wish.name for wish in job.outputs if wish.classes), None)
    if data.y is not None and first is None:
        raise JobError(
            "recipe",
            "the checks' data has y, and no output is of kind 'classes'",
            'say which: [[outputs]] name = ... kind = "classes"; or leave y out of the data',
        )
    return tuple(
        _measure(
            spec,
            floats[spec.name],
            real(answers[spec.name], spec),
            wishes.get(spec.name),
            data.y if spec.name == first else None,
        )
        for spec in signature.outputs
    )


def golden(job: Job, product: Product, key: str, fed: Arrays, answers: Arrays, floats: Arrays) -> dict[str, np.ndarray]:
    """Return a signature's arrays of golden.npz: the first vectors of the evaluation, by key."""
    signature = product.signatures[key]
    batch = next((max(spec.shape[0], 1) for spec in signature.inputs if spec.batched), 1)
    rows = slice(0, -(-job.golden // batch) * batch)
    arrays: dict[str, np.ndarray] = {f"input/{name}": array[rows] for name, array in fed.items()}
    for spec in signature.outputs:
        answer, exact = answers[spec.name][rows], floats[spec.name][rows]
        off = float(np.max(np.abs(real(answer, spec) - exact), initial=0.0))
        arrays[f"output/{spec.name}"] = answer
        arrays[f"float/{spec.name}"] = exact
        drawn = spec.name in product.random.get(key, ())
        tolerance = _spread(spec, answer, exact) if drawn else _tolerance(job, spec, product, key)
        arrays[f"tolerance/{spec.name}"] = np.array(tolerance)
        arrays[f"drift/{spec.name}"] = np.array(off if spec.scale is None else off / spec.scale)
    return arrays


def _spread(spec: TensorSpec, answer: np.ndarray, exact: np.ndarray) -> float:
    """Return by how much any two draws of an output may differ: in steps for integers, in real values for floats."""
    spread = float(np.ptp(np.concatenate([np.ravel(real(answer, spec)), np.ravel(exact)])))
    return spread if spec.scale is None else spread / spec.scale


def _tolerance(job: Job, spec: TensorSpec, product: Product, key: str) -> float:
    """Return what another runtime may differ by: in steps for integers, in real values for floats."""
    if spec.scale is not None:
        return STEPS
    if job.scheme == "int8":
        # The file computes in integers and dequantizes at the end: one step of what it dequantizes.
        return STEPS * 1.01 * product.hidden_steps.get((key, spec.name), 0.0) + ABSOLUTE["float32"]
    return ABSOLUTE[job.scheme]


def answered(job: Job, signature: SignatureSpec, answers: Arrays) -> dict[str, np.ndarray]:
    """Return the arrays of answers.npz: what the file answered to the whole evaluation data, to compare files by.

    real/<name> [N, ...] float32 real values; for an output of classes also top1/<name> [N, ...] int64.
    """
    wishes = {wish.name: wish for wish in job.outputs}
    arrays = {}
    for spec in signature.outputs:
        arrays[f"real/{spec.name}"] = values = real(answers[spec.name], spec)
        wish = wishes.get(spec.name)
        if wish is not None and wish.classes:
            arrays[f"top1/{spec.name}"] = top1(values, wish.activation).astype(np.int64)
    return arrays


def _measure(
    spec: TensorSpec, exact: np.ndarray, got: np.ndarray, wish: OutputWish | None, y: np.ndarray | None
) -> OutputMeasure:
    if not np.isfinite(got).all() and np.isfinite(exact).all():
        raise JobError(
            "model",
            f"output '{spec.name}' of the produced file holds NaN or infinity, the Keras model's does not",
            'try scheme = "float32" to see whether quantization is the cause',
        )
    off = np.abs(got - exact)
    worst = float(off.max(initial=0.0))
    steps = None if spec.scale is None else worst / spec.scale
    if wish is None or not wish.classes:
        return OutputMeasure(spec.name, worst, float(off.mean()), steps)
    before, after = top1(exact, wish.activation), top1(got, wish.activation)
    accuracies: tuple[float | None, float | None] = (None, None)
    if y is not None:
        truth = _truth(y, before.shape, exact.shape[-1])
        accuracies = float(np.mean(before == truth)), float(np.mean(after == truth))
    return OutputMeasure(spec.name, worst, float(off.mean()), steps, float(np.mean(before == after)), *accuracies)


def top1(values: np.ndarray, activation: str) -> np.ndarray:
    """Return the winning class along the last axis; a single unit wins above one half, as Keras counts it."""
    if values.shape[-1] == 1:
        return (apply_activation(values, activation)[..., 0] > 0.5).astype(np.int64)
    return np.asarray(np.argmax(values, axis=-1))


def _truth(y: np.ndarray, shape: tuple[int, ...], classes: int) -> np.ndarray:
    """Return y as class numbers of the given shape; takes class numbers or one-hot rows."""
    if y.shape == (*shape, classes) and classes > 1:
        return np.asarray(np.argmax(y, axis=-1))
    if y.size != int(np.prod(shape)):
        raise JobError(
            "recipe",
            f"checks data: y has shape {list(y.shape)}, the samples need {list(shape)}",
            "give one class number a sample",
        )
    y = y.reshape(shape)
    top = max(classes, 2)
    if not np.isin(y, np.arange(top)).all():
        raise JobError(
            "recipe",
            f"checks data: y holds {y.min()}..{y.max()}, the model's classes are 0..{top - 1}",
            "number the classes from 0, in the order of the labels",
        )
    return y
