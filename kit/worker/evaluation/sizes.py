"""What the kit runs a model on by itself: random samples, and how long open axes are in them.

The sizes are the recipe's, else ones that the model can take. Not every size fits a model with open axes: one that
mirrors seven pixels at each edge cannot take two of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import tensorflow as tf

from kit.shared.job import DYNAMIC, InputSpec, Job, JobError
from kit.shared.rows import Arrays as Samples
from kit.worker.failures.causes import described
from kit.worker.source.contract import Contract

Size = Mapping[str, tuple[int, ...]]  # the lengths of an input's open axes, by input name

WANTED = 3  # sizes of each kind: to measure at, and two more that the app may resize to
# Small ones first, for each is a run of the model. Images of a power of two fit most pyramids of poolings.
_LENGTHS = ((16,), (24,), (10,), (64,), (100,), (256,), (1024,), (16000,), (5,), (3,), (2,))
_SIDES = ((64, 64), (96, 64), (64, 128), (128, 160), (224, 224), (256, 192), (320, 320), (299, 299), (32, 32), (16, 24))


def open_sizes(contract: Contract, job: Job) -> tuple[Size, ...]:
    """Return the sizes to run a signature at; () where no axis is open, and one empty size where only the batch is.

    Raises JobError (kind "recipe") where the model takes none of the sizes, or not one of the recipe's.
    """
    axes = {spec.name: _open(spec.shape[1:] if spec.batched else spec.shape) for spec in contract.inputs}
    axes = {name: count for name, count in axes.items() if count}
    if not axes:
        return ({},) if contract.batch == DYNAMIC else ()
    given = {request.name: request.sizes for request in job.inputs if request.sizes and request.name in axes}
    whole = set(given) == set(axes)  # the recipe says it all: then all of it has to fit
    found: list[Size] = []
    reason = ""
    for size in _tried(axes, given):
        try:
            run_once(contract, job, size)
        except (tf.errors.OpError, ValueError, TypeError) as error:
            reason = reason or f"at {_shown(size)}: {described(error)}"
            if whole:
                raise JobError("recipe", f"the model cannot run {reason}", _REMEDY.format(next(iter(axes)))) from error
            continue
        found.append(size)
        if len(found) == WANTED and not whole:
            break
    if not found:
        hint = _REMEDY.format(next(iter(axes)))
        raise JobError("recipe", f"the model runs at none of the sizes that were tried; {reason}", hint)
    return tuple(found)


_REMEDY = 'give sizes that it can take: [[inputs]] name = "{}" and sizes = [[...]], one number for each open axis'


def run_once(contract: Contract, job: Job, size: Size) -> dict[str, np.ndarray]:
    """Return the source's outputs to one call with random samples of a size, as float32 of the shape they have."""
    feeds = first_call(contract, random_samples(contract, job, size))
    outputs = contract.graph({name: tf.constant(array) for name, array in feeds.items()})
    return {name: np.asarray(value, np.float32) for name, value in outputs.items()}


def first_call(contract: Contract, samples: Samples, rows: int = 1) -> dict[str, np.ndarray]:
    """Return the arrays for one call out of samples [N, ...]; rows: how many of them where the app may choose.

    A call has [rows, ...] of each input, or [...] without a batch axis, in the samples' dtype.
    """
    count = rows if contract.batch == DYNAMIC else max(contract.batch or 1, 1)
    return {
        spec.name: samples[spec.name][:count] if spec.batched else samples[spec.name][0] for spec in contract.inputs
    }


def random_samples(contract: Contract, job: Job, size: Size) -> dict[str, np.ndarray]:
    """Return seeded random samples [N, ...] by input name, in the recipe's ranges and the input's dtype.

    size: as open_sizes gives it.
    """
    rng = np.random.default_rng(job.seed)
    requests = {request.name: request for request in job.inputs}
    values = {}
    for spec in contract.inputs:
        inner = spec.shape[1:] if spec.batched else spec.shape
        lengths = iter(size.get(spec.name, ()))
        shape = (job.golden, *(next(lengths) if n == DYNAMIC else n for n in inner))
        request = requests.get(spec.name, InputSpec(spec.name))
        if np.dtype(spec.dtype).kind == "f":
            low, high = request.range or (0.0 if request.image else -1.0, 1.0)
            values[spec.name] = rng.uniform(low, high, shape).astype(spec.dtype)
        else:
            low, high = request.range or (0, 1)
            values[spec.name] = rng.integers(round(low), round(high) + 1, shape).astype(spec.dtype)
    return values


def positive_inputs(contract: Contract, job: Job) -> Job:
    """Return the job with random numbers of 0 to 1 for each float input that the recipe gives no range."""
    requests = {request.name: request for request in job.inputs}
    for spec in contract.inputs:
        request = requests.get(spec.name, InputSpec(spec.name))
        if np.dtype(spec.dtype).kind == "f" and request.range is None:
            requests[spec.name] = replace(request, range=(0.0, 1.0))
    return replace(job, inputs=tuple(requests.values()))


def first_shapes(contract: Contract, sizes: Sequence[Size]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each input that has open axes, by name: at the first of the sizes, and one sample a call."""
    size = next(iter(sizes), {})
    shapes = {}
    for spec in contract.inputs:
        if DYNAMIC in spec.shape:
            lengths = iter(size.get(spec.name, ()))
            inner = spec.shape[1:] if spec.batched else spec.shape
            first = (max(spec.shape[0], 1),) if spec.batched else ()
            shapes[spec.name] = (*first, *(next(lengths) if n == DYNAMIC else n for n in inner))
    return shapes


def fitted(samples: Samples, contract: Contract, size: Size) -> dict[str, np.ndarray]:
    """Return samples [N, ...], in their dtype, with open axes cut to a size, or continued to it: back and forth."""
    result = {name: np.asarray(array[:]) for name, array in samples.items()}
    for spec in contract.inputs:
        axes = [i for i, n in enumerate(spec.shape[1:] if spec.batched else spec.shape, 1) if n == DYNAMIC]
        for axis, length in zip(axes, size.get(spec.name, ()), strict=False):
            own = result[spec.name].shape[axis]
            turn = np.concatenate([np.arange(own), np.arange(own)[::-1]])
            result[spec.name] = np.take(result[spec.name], turn[np.arange(length) % len(turn)], axis=axis)
    return result


def _open(shape: Sequence[int]) -> int:
    return sum(n == DYNAMIC for n in shape)


def _tried(axes: Mapping[str, int], given: Mapping[str, Sequence[tuple[int, ...]]]) -> Iterator[Size]:
    """Yield sizes: those of the recipe side by side, with the kit's own for inputs that it says nothing of."""
    lists = {name: given.get(name) or _candidates(count) for name, count in axes.items()}
    for at in range(max(len(each) for each in lists.values())):
        yield {name: tuple(each[min(at, len(each) - 1)]) for name, each in lists.items()}


@cache
def _candidates(count: int) -> tuple[tuple[int, ...], ...]:
    if count == 1:
        return _LENGTHS
    return tuple((side[0],) * (count - 1) + (side[1],) for side in _SIDES)


def _shown(size: Size) -> str:
    return ", ".join(f"{name} {list(lengths)}" for name, lengths in size.items())
