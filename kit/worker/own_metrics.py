"""Run the user's own metrics on outputs that are there. Imports numpy alone, and the user's file."""

from __future__ import annotations

import importlib.util
import math
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kit.shared.job import JobError
from kit.shared.npz import map_npz
from kit.shared.own_metrics import ARRAYS, CODE, METRICS, RESAMPLES, MetricValue, MetricValues, load_metrics

SEED = 7
FEW = 10  # samples: of fewer no resample says anything


def run_own_metrics(folder: Path, tell: Callable[[str], None]) -> MetricValues:
    """Return what the functions give. tell: takes what is being run.

    Raises JobError (kind "recipe"), with file and line.
    """
    job = load_metrics((folder / METRICS).read_text("utf-8"))
    tell(f"run {job.file}")
    code = _Code(folder / CODE, job.file)
    module, arrays = code.loaded(), map_npz(folder / ARRAYS)
    values = []
    for number, request in enumerate(job.requests):
        function = getattr(module, request.function, None)
        if not callable(function):
            there = sorted(name for name, value in vars(module).items() if callable(value) and name[0] != "_")
            raise JobError(
                "recipe",
                f"{job.file}: it has no function {request.function}",
                f"write it, def {request.function}(truth, outputs): ...; there is: {', '.join(there) or 'none'}",
            )
        tell(f"run {request.function} of {job.file} on output '{request.output}'")
        metric = _Metric(function, code, request.function, request.output)
        truth, before, after = (arrays[f"{name}/{number}"] for name in ("truth", "before", "after"))
        values.append(_value(metric, truth, before, after))
    return MetricValues(tuple(values))


@dataclass(frozen=True)
class _Code:
    """The user's file, and what the recipe calls it."""

    path: Path
    name: str

    def loaded(self) -> Any:
        """Return it as a module. Raises JobError."""
        spec = importlib.util.spec_from_file_location(self.path.stem, self.path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[self.path.stem] = module  # where pickles look for what is defined in it
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            raise self.raised(error, "") from error
        return module

    def raised(self, error: BaseException, what: str) -> JobError:
        """Return what it raised, with the innermost line of it."""
        own = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(self.path)]
        own += [error.lineno] if isinstance(error, SyntaxError) and error.filename == str(self.path) else []
        where = f"{self.name}, line {own[-1]}" if own else self.name
        text = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())[:300]
        missing = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
        hint = (
            f"{missing} is not in the toolchain, which has numpy, TensorFlow, Keras, h5py and the standard library: "
            "leave it out, or copy what is used of it into the code"
        )
        message = f"{where}: {what}{': ' if what else ''}{type(error).__name__}: {text}"
        return JobError("recipe", message, hint if missing else "correct that line")


@dataclass(frozen=True)
class _Metric:
    """A function of the user's file, and its names for messages."""

    function: Callable[[np.ndarray, np.ndarray], Any]
    code: _Code
    name: str
    output: str

    def on(self, truth: np.ndarray, outputs: np.ndarray, whose: str) -> tuple[float | None, str]:
        """Return its value, or None and why there is none. Raises JobError where it raises, or returns no number.

        truth: [N, ...] of any dtype; outputs: float32 [N, ...]; whose: for messages. It gets copies.
        """
        what = f"{self.name} on {whose} of output '{self.output}'"
        if not np.isfinite(outputs).all():
            return None, "the output holds NaN or infinity"
        try:
            value = self.function(np.array(truth), np.array(outputs))
            number = np.asarray(value).astype(np.float64) if np.asarray(value).dtype.kind in "iuf" else None
        except (Exception, SystemExit) as error:
            raise self.code.raised(error, what) from error
        if number is None or number.shape:
            raise JobError(
                "recipe",
                f"{self.code.name}: {what} returns {_described(value)}, and not a number",
                "return one number: float(...)",
            )
        return (float(number), "") if math.isfinite(number) else (None, f"it returns {float(number)}")


def _value(metric: _Metric, truth: np.ndarray, before: np.ndarray, after: np.ndarray) -> MetricValue:
    """Return a function's value of both outputs, and of resamples.

    truth: [N, ...] of any dtype; before, after: float32 [N, ...].
    """
    one, reason = metric.on(truth, before, "the float model's values")
    other, why = metric.on(truth, after, "the file's values")
    if one is None or other is None:
        return MetricValue(one, other, reason or why)
    rng, differences = np.random.default_rng(SEED), []
    for _ in range(RESAMPLES if len(truth) >= FEW else 0):
        rows = np.sort(rng.integers(0, len(truth), len(truth)))
        try:
            first, second = (metric.on(truth[rows], outputs[rows], "a resample")[0] for outputs in (before, after))
        except JobError:  # one class only, say
            continue
        if first is not None and second is not None:
            differences.append(first - second)
    return MetricValue(one, other, "", tuple(differences))


def _described(value: object) -> str:
    """Return what a function returned: "None", "an array of [3]", "a str"."""
    if value is None:
        return "None"
    return f"an array of {list(value.shape)}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
