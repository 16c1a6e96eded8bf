"""The proof that every input and output of the product is the source's of the same name.

Runs both on probes that tell them apart: a name that sits on another tensor shows, also where all have one shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import tensorflow as tf

from kit.worker.contract import Contract
from kit.worker.data import random_samples
from kit.worker.job import DYNAMIC, Job, JobError, TensorSpec
from kit.worker.measure import reference
from kit.worker.product import Product, raw, real

Arrays = Mapping[str, np.ndarray]
PROBES = 8  # calls' worth of samples for the inputs
SIZES = (2, 3)  # of each open axis, when it is run again: others than calibration and measures have
EXACT = 1e-3  # what float32 kernels may differ by, of the largest value


def prove(contract: Contract, product: Product, samples: Arrays, floats: Arrays, answers: Arrays) -> tuple[str, ...]:
    """Hold a signature's outputs, then its inputs, against the source's. samples, floats, answers: [N, ...] by name.

    Returns a sentence for each pair that the probes cannot tell apart. Raises JobError (kind "model") where a name
    sits on another tensor.
    """
    outputs = product.signatures[contract.key].outputs
    got = {spec.name: real(answers[spec.name], spec) for spec in outputs}
    notes = _outputs_agree(got, floats) + _inputs_agree(contract, product, samples, outputs)
    if product.exact:
        _refuse_other(got, floats)
    return notes


def resized(contract: Contract, product: Product, job: Job) -> None:
    """Run a signature with open axes at two more sizes: the app resizes it. Raises JobError where it fails there.

    The shapes have to be the source's, and the values, too, where the file is float32.
    """
    if not any(DYNAMIC in spec.shape for spec in contract.inputs):
        return
    for size in SIZES:
        samples = random_samples(contract, job, axis=size)
        rows = size if contract.batch == DYNAMIC else max(contract.batch or 1, 1)
        whole = {
            spec.name: samples[spec.name][:rows] if spec.batched else samples[spec.name][0] for spec in contract.inputs
        }
        specs = product.signatures[contract.key]
        answers = product.ask(contract.key, {spec.name: raw(whole[spec.name], spec) for spec in specs.inputs})
        wanted = {
            name: np.asarray(value, np.float32)
            for name, value in contract.graph({name: tf.constant(array) for name, array in whole.items()}).items()
        }
        got = {spec.name: real(answers[spec.name], spec) for spec in specs.outputs}
        for name, array in wanted.items():
            if got[name].shape != array.shape:
                raise JobError(
                    "model",
                    f"with other sizes of its open axes the output '{name}' has the shape {list(got[name].shape)}, "
                    f"and the model's has {list(array.shape)}",
                    "give the sizes in the recipe: [[inputs]] shape, [model] batch",
                )
        if product.exact:
            _refuse_other(got, wanted)


def _refuse_other(got: Arrays, wanted: Arrays) -> None:
    """Refuse a float32 file that answers otherwise than the model: a converter that loses weights says nothing."""
    for name, array in wanted.items():
        off, size = np.abs(got[name] - array).max(initial=0.0), np.abs(array).max(initial=0.0)
        if off > EXACT * max(1.0, float(size)):
            raise JobError(
                "model",
                f"the output '{name}' of the produced file is off by {off:.4g} from the model's, in float32",
                "the converter changed the model: try another TensorFlow version",
            )


def _outputs_agree(got: Arrays, wanted: Arrays) -> tuple[str, ...]:
    """Hold outputs [N, ...] by name against those that they should be. Returns the pairs that look the same."""
    notes = []
    for one, other in combinations(sorted(got), 2):
        if got[one].shape != got[other].shape:
            continue
        for name, stranger in ((one, other), (other, one)):
            if _nearer(got[name], wanted[stranger], wanted[name]):
                raise _swapped("output", name, stranger)
        if not _nearer(got[one], wanted[one], wanted[other]) or not _nearer(got[other], wanted[other], wanted[one]):
            notes.append(f"outputs '{one}' and '{other}' answer alike on the probes: not told apart")
    return tuple(notes)


def _inputs_agree(
    contract: Contract, product: Product, samples: Arrays, outputs: Sequence[TensorSpec]
) -> tuple[str, ...]:
    """Let two inputs change places in what the source is fed: the product must not answer like that."""
    pairs = [
        (one.name, other.name)
        for one, other in combinations(contract.inputs, 2)
        if (one.shape, one.dtype) == (other.shape, other.dtype)
    ]
    if not pairs:
        return ()
    few = {name: array[: PROBES * max(contract.batch or 1, 1)] for name, array in samples.items()}
    _, answers = product.ask_all(contract.key, few)
    got = {spec.name: real(answers[spec.name], spec) for spec in outputs}
    right = reference(contract, few)
    notes = []
    for one, other in pairs:
        wrong = reference(contract, {**few, one: few[other], other: few[one]})
        if _follows(got, wrong, right):
            raise _swapped("input", one, other)
        if not _follows(got, right, wrong):
            notes.append(f"inputs '{one}' and '{other}' work alike on the probes: not told apart")
    return tuple(notes)


def _nearer(got: np.ndarray, one: np.ndarray, other: np.ndarray) -> bool:
    """Say whether got is clearly nearer to one than to the other: by more than half."""
    near, far = float(np.abs(got - one).mean()), float(np.abs(got - other).mean())
    return near < 0.5 * far


def _follows(got: Arrays, one: Arrays, other: Arrays) -> bool:
    """Say the same of all outputs together, each in units of its own spread."""
    units = {name: float(np.std(array)) or 1.0 for name, array in one.items()}

    def flat(outputs: Arrays) -> np.ndarray:
        return np.concatenate([np.ravel(np.asarray(outputs[name], np.float64) / units[name]) for name in sorted(units)])

    return _nearer(flat(got), flat(one), flat(other))


def _swapped(what: str, name: str, other: str) -> JobError:
    return JobError(
        "model",
        f"the {what} '{name}' of the produced file is the model's '{other}'",
        "the converter mixed up the names: try another TensorFlow version, and tell dropkit's makers",
    )
