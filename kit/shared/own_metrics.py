"""The contract between the host and the worker for metrics of the user's own. Standard library only.

The host writes a MetricJob as metrics.json, the user's file, and arrays.npz: truth/<i> [N, ...] in its own dtype,
before/<i> and after/<i> float32 [N, ...] of request i, the float model's outputs and the file's. The worker writes
result.json: MetricValues, or a kit.shared.job.Refusal.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from kit.shared.job import Refusal
from kit.shared.values import from_json

METRICS, CODE, ARRAYS = "metrics.json", "metrics.py", "arrays.npz"  # in the job's folder
RESAMPLES = 20  # of which the interval is made: a user's function may be slow


@dataclass(frozen=True)
class MetricRequest:
    """A function of the user's file, and the output that it is of."""

    function: str
    output: str


@dataclass(frozen=True)
class MetricJob:
    """What is asked of the user's file. file: what the recipe calls it."""

    file: str
    requests: tuple[MetricRequest, ...]


@dataclass(frozen=True)
class MetricValue:
    """What a function gives for both outputs, None where that is no number, and why.

    differences: before - after of each resample that has both.
    """

    before: float | None = None
    after: float | None = None
    why: str = ""
    differences: tuple[float, ...] = ()


@dataclass(frozen=True)
class MetricValues:
    """A value for each request, in their order."""

    values: tuple[MetricValue, ...]


def dump(value: MetricJob | MetricValues) -> str:
    """Return a value as JSON text, the same for the same value."""
    return json.dumps(dataclasses.asdict(value), indent=1, sort_keys=True) + "\n"


def load_metrics(text: str) -> MetricJob:
    """Read metrics.json. Raises ValueError, TypeError or KeyError for what is none."""
    return from_json(MetricJob, json.loads(text))


def load_values(text: str) -> MetricValues | Refusal:
    """Read result.json. Raises ValueError, TypeError or KeyError for what is none."""
    raw = json.loads(text)
    return from_json(Refusal, raw["refusal"]) if "refusal" in raw else from_json(MetricValues, raw)
