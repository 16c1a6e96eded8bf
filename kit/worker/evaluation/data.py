"""The data that came with a job: matched to the model's inputs by name, checked, and in the model's types.

It stays on the disk, mapped: what a call takes is made when the call comes (kit.shared.rows).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kit.shared.job import CALIBRATION, DYNAMIC, EVALUATION, InputSpec, Job, JobError, TensorSpec
from kit.shared.npz import map_npz
from kit.shared.rows import Array, Arrays, blocks, given_rows, is_pixels, whole_calls
from kit.worker.evaluation.sizes import Size, open_sizes, random_samples
from kit.worker.graph.fake_quant import is_trained
from kit.worker.source.contract import Contract
from kit.worker.source.model import nearest

NO_RANGES = "[quantize] scheme 'int8' needs representative data: the model's ranges are measured on it"
NO_RANGES_HINT = "give [quantize] representative; a model that was trained for 8 bits has ranges, and this one has none"


@dataclass(frozen=True)
class Data:
    """Arrays [N, ...] by signature and input name, in the model's own real values. N fits the signature's batch.

    `y` is [N] or [N, positions], or None; it and `pixels` belong to the main signature.
    """

    calibration: dict[str, Arrays]
    evaluation: dict[str, Arrays]
    pixels: dict[str, np.ndarray]
    y: np.ndarray | None
    measured_on: str
    sizes: dict[str, tuple[Size, ...]]  # of open axes, by signature: what else the product is run at


def read(folder: Path, job: Job, contracts: Sequence[Contract]) -> Data:
    """Read and check the job's arrays. Without any, a seeded random sample stands in for the evaluation."""
    main = contracts[0].key
    requests = {request.name: request for request in job.inputs}
    given = map_npz(folder / CALIBRATION) if job.calibrate else {}
    calibration = _by_name(given, contracts, requests, "representative") if job.calibrate else {}
    if job.scheme == "int8":
        for contract in contracts:
            _refuse_unmeasured(contract, calibration)
    sizes = {contract.key: open_sizes(contract, job) for contract in contracts}
    samples: dict[str, Arrays] = {c.key: random_samples(c, job, next(iter(sizes[c.key]), {})) for c in contracts}
    samples |= calibration
    arrays = map_npz(folder / EVALUATION) if job.evaluate else {}
    if job.evaluate:
        samples |= _by_name(arrays, contracts, requests, "checks data")
    pixels, y = _pixels(arrays or given, requests), arrays.get("y")
    count = len(next(iter(samples[main].values()))) if samples[main] else 0
    whole = {contract.key: _whole(samples[contract.key], contract) for contract in contracts}
    pixels = {name: np.asarray(whole_calls(array, contracts[0].batch)) for name, array in pixels.items()}
    if y is not None and len(y) == count:
        y = np.asarray(whole_calls(y, contracts[0].batch))
    calibration = {
        contract.key: _whole(calibration[contract.key], contract)
        for contract in contracts
        if contract.key in calibration
    }
    on = "checks" if job.evaluate else "representative" if main in calibration else "random"
    return Data(calibration, whole, pixels, y, on, sizes)


def _refuse_unmeasured(contract: Contract, calibration: Mapping[str, object]) -> None:
    if contract.inputs and contract.key not in calibration and not is_trained(contract.traced.graph.as_graph_def()):
        if not calibration:
            raise JobError("recipe", NO_RANGES, NO_RANGES_HINT)
        names = ", ".join(f"'{contract.key}/{spec.name}'" for spec in contract.inputs)
        raise JobError(
            "recipe",
            f"representative: nothing for the signature '{contract.key}', and int8 measures its ranges, too",
            f"add the arrays {names}; or choose signatures: [model] signatures",
        )


def _whole(arrays: Arrays, contract: Contract) -> Arrays:
    """Return samples that fill whole calls: [N, ...] by name, with another N, in their own dtype."""
    return {name: whole_calls(array, contract.batch) for name, array in arrays.items()}


def _pixels(arrays: Mapping[str, np.ndarray], requests: Mapping[str, InputSpec]) -> dict[str, np.ndarray]:
    """Return the images' pixels by input name: uint8 [N, ...]. arrays: input/<name> as they were given."""
    named = {name.removeprefix("input/"): array for name, array in arrays.items()}
    return {name: array for name, array in named.items() if name in requests and is_pixels(array, requests[name])}


def _by_name(
    arrays: Mapping[str, np.ndarray], contracts: Sequence[Contract], requests: Mapping[str, InputSpec], what: str
) -> dict[str, Arrays]:
    """Return the arrays of each signature that has any: the main one's by input name, the others' as "key/name".

    arrays: input/<name> [N, ...] of any dtype of numbers; returned by input name [N, ...] in the input's dtype.
    """
    given = {name.removeprefix("input/"): array for name, array in arrays.items() if name.startswith("input/")}
    wanted = {
        (spec.name if contract is contracts[0] else f"{contract.key}/{spec.name}"): (contract, spec)
        for contract in contracts
        for spec in contract.inputs
    }
    for name in given:
        if name not in wanted:
            raise JobError("recipe", f"{what}: '{name}' is no input of the model", nearest(name, list(wanted)))
    main = {spec.name for spec in contracts[0].inputs}
    found: dict[str, dict[str, Array]] = {}
    for name, (contract, spec) in wanted.items():
        begun = any(wanted[each][0] is contract for each in given)
        if name not in given and (name in main or begun):
            raise JobError(
                "recipe",
                f"{what}: the model's input '{name}' is missing",
                f"save an array of that name, too; there is: {', '.join(given) or 'nothing'}",
            )
        if name in given:
            request = requests.get(name, InputSpec(name))
            found.setdefault(contract.key, {})[spec.name] = _fit(given[name], spec, request, f"{what}: '{name}'")
    return dict(found)


def _fit(array: np.ndarray, spec: TensorSpec, request: InputSpec, where: str) -> Array:
    """Return the array [N, ...] in the model's dtype, each sample in its shape.

    A missing or extra axis of length 1 is no difference. Raises JobError (kind "recipe") for what does not fit.
    """
    inner, dtype = spec.shape[1:] if spec.batched else spec.shape, spec.dtype
    if array.ndim < 1 or not len(array):
        raise JobError("recipe", f"{where} holds no samples", "give an array of shape [N, ...]")
    shape = _shape(array.shape[1:], inner)
    if shape is None:
        raise JobError(
            "recipe",
            f"{where} has samples of shape {list(array.shape[1:])}, the model takes {list(inner)}",
            "give an array of shape [N, ...] with one sample a row",
        )
    if array.dtype.kind == "f" and not all(np.isfinite(array[rows]).all() for rows in blocks(array)):
        raise JobError(
            "recipe",
            f"{where} holds NaN or infinity",
            "leave those samples out, as in array[numpy.isfinite(array).reshape(len(array), -1).all(axis=1)]",
        )
    made = given_rows(array, request, shape, dtype)
    if np.dtype(dtype).kind in "iub" and not all(_same(made[rows], array[rows]) for rows in blocks(array)):
        raise JobError(
            "recipe",
            f"{where} holds values that {dtype} cannot, and the model takes {dtype}",
            "give whole numbers in its range",
        )
    return made


def _same(cast: np.ndarray, given: np.ndarray) -> bool:
    """Say whether numbers are the same: cast, of any shape and dtype, and given, of another."""
    return np.array_equal(cast.ravel(), given.ravel())


def _shape(given: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the shape that samples get, None where they do not fit."""
    if DYNAMIC in wanted:
        fits = len(given) == len(wanted) and all(b in (DYNAMIC, a) for a, b in zip(given, wanted, strict=True))
        return given if fits else None
    return wanted if [n for n in given if n != 1] == [n for n in wanted if n != 1] else None
