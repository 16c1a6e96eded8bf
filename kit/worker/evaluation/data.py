"""The data that came with a job: matched to the model's inputs by name, checked, and in the model's types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kit.shared.job import CALIBRATION, DYNAMIC, EVALUATION, Job, JobError, TensorSpec
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

    calibration: dict[str, dict[str, np.ndarray]]
    evaluation: dict[str, dict[str, np.ndarray]]
    pixels: dict[str, np.ndarray]
    y: np.ndarray | None
    measured_on: str
    sizes: dict[str, tuple[Size, ...]]  # of open axes, by signature: what else the product is run at


def read(folder: Path, job: Job, contracts: Sequence[Contract]) -> Data:
    """Read and check the job's arrays. Without any, a seeded random sample stands in for the evaluation."""
    main = contracts[0].key
    given = _arrays(folder / CALIBRATION) if job.calibrate else {}
    calibration = _by_name(given, contracts, "representative") if job.calibrate else {}
    if job.scheme == "int8":
        for contract in contracts:
            _refuse_unmeasured(contract, calibration)
    sizes = {contract.key: open_sizes(contract, job) for contract in contracts}
    samples = {c.key: random_samples(c, job, next(iter(sizes[c.key]), {})) for c in contracts} | calibration
    arrays = _arrays(folder / EVALUATION) if job.evaluate else {}
    if job.evaluate:
        samples |= _by_name(arrays, contracts, "checks data")
    pixels, y = _pixels(arrays or given), arrays.get("y")
    count = len(next(iter(samples[main].values()))) if samples[main] else 0
    whole = {contract.key: _whole(samples[contract.key], contract) for contract in contracts}
    if pixels:
        pixels = _whole(pixels, contracts[0])
    if y is not None and len(y) == count:
        y = _whole({"y": y}, contracts[0])["y"]
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


def _whole(arrays: Mapping[str, np.ndarray], contract: Contract) -> dict[str, np.ndarray]:
    """Return samples that fill whole calls of a fixed batch: the rest is left out, or repeated to fill one call."""
    batch = contract.batch
    if batch is None or batch <= 1 or not arrays:
        return dict(arrays)
    count = len(next(iter(arrays.values())))
    rows = np.arange(max(count // batch, 1) * batch) % count
    return {name: array[rows] for name, array in arrays.items()}


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _pixels(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix("pixels/"): array for name, array in arrays.items() if name.startswith("pixels/")}


def _by_name(
    arrays: Mapping[str, np.ndarray], contracts: Sequence[Contract], what: str
) -> dict[str, dict[str, np.ndarray]]:
    """Return the arrays of each signature that has any: the main one's by input name, the others' as "key/name"."""
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
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, (contract, spec) in wanted.items():
        begun = any(wanted[each][0] is contract for each in given)
        if name not in given and (name in main or begun):
            raise JobError(
                "recipe",
                f"{what}: the model's input '{name}' is missing",
                f"save an array of that name, too; there is: {', '.join(given) or 'nothing'}",
            )
        if name in given:
            found.setdefault(contract.key, {})[spec.name] = _fit(given[name], spec, f"{what}: '{name}'")
    return found


def _fit(array: np.ndarray, spec: TensorSpec, where: str) -> np.ndarray:
    """Return the array in the model's type and shape. A missing or extra axis of length 1 is no difference."""
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
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise JobError(
            "recipe",
            f"{where} holds NaN or infinity",
            "leave those samples out, as in array[numpy.isfinite(array).reshape(len(array), -1).all(axis=1)]",
        )
    with np.errstate(invalid="ignore", over="ignore"):
        cast = array.astype(dtype)
    if np.dtype(dtype).kind in "iub" and not np.array_equal(cast, array):
        raise JobError(
            "recipe",
            f"{where} holds values that {dtype} cannot, and the model takes {dtype}",
            "give whole numbers in its range",
        )
    return cast.reshape(len(array), *shape)


def _shape(given: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the shape that samples get, None where they do not fit."""
    if DYNAMIC in wanted:
        fits = len(given) == len(wanted) and all(b in (DYNAMIC, a) for a, b in zip(given, wanted, strict=True))
        return given if fits else None
    return wanted if [n for n in given if n != 1] == [n for n in wanted if n != 1] else None
