"""The float model's outputs, and the first vectors of both with what kernels may differ by. Judges nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from kit.shared.calls import Feeds, calls
from kit.shared.job import Job, TensorSpec
from kit.shared.lazy import Lazy
from kit.shared.rows import Arrays as Samples
from kit.worker.evaluation.interpreter import Product, joined, real
from kit.worker.source.contract import Contract

# What another runtime or CPU may differ by at least and still be right; kit.build.golden allows more where two
# interpreters of one file differ by more. Integers: LiteRT's kernel families differ by one step. Floats: sums in
# another order, of outputs that are at most 1; dynamic range re-quantizes activations on the fly, which amplifies it.
STEPS = 1.0
ABSOLUTE = {"float32": 1e-4, "float16": 1e-3, "dynamic": 5e-3}
MOST_ROWS = 64  # that the float model gets at once
CACHED = 20 << 20  # bytes of its largest tensor, in all rows: more than that falls out of a processor's caches
ALONE = 1e-3  # what a sample's float outputs may differ by between a batch and a call of its own


def reference(contract: Contract, samples: Samples, *, stateful: bool = False) -> dict[str, np.ndarray]:
    """Return the float source model's outputs, float32 [N, ...] by name, to samples [N, ...] by input name, in its
    dtype.

    Many samples at a time where that is the same as what an app does: one call after the other.
    """
    single = calls(contract.inputs, samples)
    flexible = contract.loose and not stateful and all(spec.batched for spec in contract.outputs)
    if flexible:
        count, rows = len(next(iter(samples.values()))), _rows_at_once(contract)
        batches = Lazy(
            -(-count // rows), lambda at: {name: a[at * rows : (at + 1) * rows] for name, a in samples.items()}
        )
        predictions = _asked(contract, batches)
        if len(single) in {1, count} and not _batch_matters(contract, single, predictions):
            return predictions
    return _asked(contract, single)


def _rows_at_once(contract: Contract) -> int:
    """Return how many samples the float model is given at once: as many as keep its largest tensor in the caches."""
    return max(1, min(MOST_ROWS, CACHED // contract.largest))


def _asked(contract: Contract, feeds: Sequence[Feeds]) -> dict[str, np.ndarray]:
    """Return the source's outputs, float32 [N, ...] by name. feeds: of each call, by input name, in its dtype."""
    rows = [contract.graph({name: tf.constant(a) for name, a in each.items()}) for each in feeds]
    return {
        spec.name: joined([np.asarray(row[spec.name], np.float32) for row in rows], spec) for spec in contract.outputs
    }


def _batch_matters(contract: Contract, single: Sequence[Feeds], predictions: Mapping[str, np.ndarray]) -> bool:
    """Say whether samples that are run alone get other outputs than in a batch: tried on the ends and the middle.

    single: the samples call by call, by input name, in its dtype; predictions: float32 [N, ...] by output name.
    """
    for at in {0, len(single) // 2, len(single) - 1} if len(single) > 1 else ():
        alone = contract.traced(*(tf.constant(single[at][spec.name]) for spec in contract.inputs))
        for spec, value in zip(contract.outputs, alone, strict=True):
            wanted = predictions[spec.name][at : at + 1]
            off = np.abs(np.asarray(value, np.float32) - wanted).max(initial=0.0)
            if off > ALONE * max(1.0, float(np.abs(wanted).max(initial=0.0))):
                return True
    return False


def golden(
    job: Job,
    product: Product,
    key: str,
    fed: Samples,
    predictions: Mapping[str, np.ndarray],
    floats: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Return a signature's arrays of golden.npz: the first vectors of the evaluation, by key, in this interpreter.

    fed, predictions: [N, ...] by name, raw; floats: float32 [N, ...]. tolerance/<name> is a float64 scalar.
    """
    signature = product.signatures[key]
    batch = next((max(spec.shape[0], 1) for spec in signature.inputs if spec.batched), 1)
    rows = slice(0, -(-job.golden // batch) * batch)
    arrays: dict[str, np.ndarray] = {f"input/{name}": array[rows] for name, array in fed.items()}
    for spec in signature.outputs:
        output, exact = predictions[spec.name][rows], floats[spec.name][rows]
        arrays[f"output/{spec.name}"] = output
        arrays[f"float/{spec.name}"] = exact
        drawn = spec.name in product.random.get(key, ())
        size = max(1.0, float(np.abs(exact[np.isfinite(exact)]).max(initial=0.0)))
        tolerance = _spread(spec, output, exact) if drawn else _tolerance(job, spec, product, key, size)
        arrays[f"tolerance/{spec.name}"] = np.array(tolerance)
    return arrays


def _spread(spec: TensorSpec, output: np.ndarray, exact: np.ndarray) -> float:
    """Return by how much any two draws of an output may differ: in steps for integers, in real values for floats.

    output: raw; exact: float32 of the same shape.
    """
    spread = float(np.ptp(np.concatenate([np.ravel(real(output, spec)), np.ravel(exact)])))
    return spread if spec.scale is None else spread / spec.scale


def _tolerance(job: Job, spec: TensorSpec, product: Product, key: str, size: float) -> float:
    """Return what another runtime may differ by at least: in steps for integers, in real values for floats.

    size: the largest value of the output, at least 1.
    """
    if spec.scale is not None:
        return STEPS
    if job.scheme == "int8":
        # The file computes in integers and dequantizes at the end: one step of what it dequantizes.
        return STEPS * 1.01 * product.hidden_steps.get((key, spec.name), 0.0) + ABSOLUTE["float32"] * size
    return ABSOLUTE[job.scheme] * size
