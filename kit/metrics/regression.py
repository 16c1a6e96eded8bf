"""Metrics of numbers against true ones. Definitions and numbers are scikit-learn's and scipy's.

D values a sample are D targets, and a metric is the mean over them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kit.metrics.scorer import Scorer, UndefinedError, refuse_broken

if TYPE_CHECKING:
    import numpy as np

    from kit.metrics.scorer import Rows


def scorer(name: str, truth: np.ndarray, outputs: np.ndarray) -> Scorer:
    """Return a metric's scorer. truth, outputs: float32 or float64 [N, D]."""

    def measure(rows: Rows) -> float:
        """Return the value of these samples. Raises UndefinedError."""
        wanted, given = (truth, outputs) if rows is None else (truth[rows], outputs[rows])
        refuse_broken(given)
        return float(_MEASURES[name](wanted, given))

    return Scorer(len(truth), measure, truth.size)


def mae(truth: np.ndarray, outputs: np.ndarray) -> float:
    """Return the mean absolute error. truth, outputs: float32 or float64 [n, D]."""
    from sklearn.metrics import mean_absolute_error

    return float(mean_absolute_error(truth, outputs))


def rmse(truth: np.ndarray, outputs: np.ndarray) -> float:
    """Return the mean over targets of the root of the mean squared error. truth, outputs: float32 or float64 [n, D]."""
    from sklearn.metrics import root_mean_squared_error

    return float(root_mean_squared_error(truth, outputs))


def r2(truth: np.ndarray, outputs: np.ndarray) -> float:
    """Return 1 - squared errors / squared distances from the mean. truth, outputs: float32 or float64 [n, D].

    Of a constant target 1 where all is exact, else 0, as scikit-learn has it. Raises UndefinedError for one sample.
    """
    from sklearn.metrics import r2_score

    if len(truth) < 2:
        raise UndefinedError("one sample has no variance")
    return float(r2_score(truth, outputs))


def pearson(truth: np.ndarray, outputs: np.ndarray) -> float:
    """Return Pearson's correlation, 0 for a constant output. truth, outputs: float32 or float64 [n, D].

    Raises UndefinedError where no target varies.
    """
    from scipy.stats import pearsonr

    return _correlation(pearsonr, truth, outputs)


def spearman(truth: np.ndarray, outputs: np.ndarray) -> float:
    """Return Spearman's correlation: equal values share their mean rank. truth, outputs: float32 or float64 [n, D].

    Raises UndefinedError where no target varies.
    """
    from scipy.stats import spearmanr

    return _correlation(spearmanr, truth, outputs)


def _correlation(function: Any, truth: np.ndarray, outputs: np.ndarray) -> float:
    """Return the mean over targets that vary. truth, outputs: float32 or float64 [n, D].

    Raises UndefinedError where none does.
    """
    import numpy as np

    varied = [column for column in range(truth.shape[1]) if len(truth) > 1 and np.ptp(truth[:, column]) > 0]
    if not varied:
        raise UndefinedError("the truth is the same for all samples")
    found = [
        float(function(truth[:, column], outputs[:, column]).statistic) if np.ptp(outputs[:, column]) > 0 else 0.0
        for column in varied
    ]
    return float(np.mean(found))


_MEASURES = {"mae": mae, "rmse": rmse, "r2": r2, "pearson": pearson, "spearman": spearman}
