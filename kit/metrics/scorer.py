"""What every metric gives: a value of all samples or of some of them, or a reason why there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Rows = np.ndarray | None  # int64 [n], of samples, each any number of times; None: all of them


class UndefinedError(Exception):
    """A metric has no value on these samples. Its text says why."""


@dataclass(frozen=True)
class Scorer:
    """One metric of one model's outputs. value raises UndefinedError where the metric has no value."""

    samples: int
    value: Callable[[Rows], float]
    work: int  # numbers that one value is made of
    hits: np.ndarray | None = None  # bool [n]: where the metric is the share of samples that are right


@dataclass(frozen=True)
class MetricMeasure:
    """One metric of an output, of the float model and of the file on the app's runtime.

    before is None where the metric compares both. low, high: the 95 % confidence interval of before - after, None where
    there is none. A value is None where the metric is not defined, and why says the reason.
    """

    name: str  # a key of kit.metrics.table.METRICS, or one that metric_of knows there
    samples: int
    before: float | None = None
    after: float | None = None
    low: float | None = None
    high: float | None = None
    k: int | None = None
    why: str = ""
    lower_is_better: bool = False  # a function of the user's own, of which the recipe says so


def refuse_broken(values: Any) -> None:
    """Raise UndefinedError for outputs of any shape and dtype that hold NaN or infinity."""
    import numpy as np

    if not np.isfinite(values).all():
        raise UndefinedError("the output holds NaN or infinity")
