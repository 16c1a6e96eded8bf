"""The data that came with a job: matched to the model's inputs by name, checked, and in the model's types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kit.worker.job import CALIBRATION, EVALUATION, Job, JobError
from kit.worker.source import Source, nearest

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Data:
    """Arrays [N, ...] by input name, in the model's own real values. `y` is [N] or [N, positions], or None."""

    calibration: dict[str, np.ndarray]
    evaluation: dict[str, np.ndarray]
    pixels: dict[str, np.ndarray]
    y: np.ndarray | None
    measured_on: str


def read(folder: Path, job: Job, source: Source, shapes: Shapes) -> Data:
    """Read and check the job's arrays. Without any, a seeded random sample stands in for the evaluation."""
    calibration = _by_name(_arrays(folder / CALIBRATION), source, shapes, "representative") if job.calibrate else {}
    if not job.evaluate:
        evaluation = calibration or _random(source, shapes, job)
        pixels = _pixels(_arrays(folder / CALIBRATION)) if job.calibrate else {}
        return Data(calibration, evaluation, pixels, None, "representative" if calibration else "random")
    arrays = _arrays(folder / EVALUATION)
    evaluation = _by_name(arrays, source, shapes, "checks data")
    return Data(calibration, evaluation, _pixels(arrays), arrays.get("y"), "checks")


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _pixels(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix("pixels/"): array for name, array in arrays.items() if name.startswith("pixels/")}


def _by_name(arrays: Mapping[str, np.ndarray], source: Source, shapes: Shapes, what: str) -> dict[str, np.ndarray]:
    given = {name.removeprefix("input/"): array for name, array in arrays.items() if name.startswith("input/")}
    names = [port.name for port in source.inputs]
    for name in given:
        if name not in names:
            raise JobError("recipe", f"{what}: '{name}' is no input of the model", nearest(name, names))
    found = {}
    for port in source.inputs:
        if port.name not in given:
            raise JobError(
                "recipe",
                f"{what}: the model's input '{port.name}' is missing",
                f"there is: {', '.join(given) or 'nothing'}",
            )
        found[port.name] = _fit(given[port.name], shapes[port.name][1:], port.dtype, f"{what}: '{port.name}'")
    return found


def _fit(array: np.ndarray, inner: tuple[int, ...], dtype: str, where: str) -> np.ndarray:
    """Return the array in the model's type and shape. A missing or extra axis of length 1 is no difference."""
    if array.ndim < 1 or not len(array):
        raise JobError("recipe", f"{where} holds no samples", "give an array of shape [N, ...]")
    if tuple(n for n in array.shape[1:] if n != 1) != tuple(n for n in inner if n != 1):
        raise JobError(
            "recipe",
            f"{where} has samples of shape {list(array.shape[1:])}, the model takes {list(inner)}",
            "give an array of shape [N, ...] with one sample a row",
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise JobError("recipe", f"{where} holds NaN or infinity", "clean the data first")
    with np.errstate(invalid="ignore", over="ignore"):
        cast = array.astype(dtype)
    if np.dtype(dtype).kind in "iub" and not np.array_equal(cast, array):
        raise JobError(
            "recipe",
            f"{where} holds values that {dtype} cannot, and the model takes {dtype}",
            "give whole numbers in its range",
        )
    return cast.reshape(len(array), *inner)


def _random(source: Source, shapes: Shapes, job: Job) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(job.seed)
    pictures = {wish.name for wish in job.inputs if wish.picture}
    values = {}
    for port in source.inputs:
        shape = (job.golden, *shapes[port.name][1:])
        if np.dtype(port.dtype).kind == "f":
            low = 0.0 if port.name in pictures else -1.0
            values[port.name] = rng.uniform(low, 1.0, shape).astype(port.dtype)
        else:
            values[port.name] = rng.integers(0, 2, shape).astype(port.dtype)
    return values
