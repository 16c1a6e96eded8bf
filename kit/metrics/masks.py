"""Mean IoU of masks, from counts of pixels a sample. The number is that of scikit-learn's jaccard_score (macro).

That function wants all pixels at once; counts of each sample take no memory, and add up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.metrics.scorer import Scorer, UndefinedError

if TYPE_CHECKING:
    import numpy as np

    from kit.metrics.scorer import Rows


def counts(truth: np.ndarray, classes: np.ndarray, count: int) -> np.ndarray:
    """Return pixels of each class that are right, predicted, and true, int64 [3, count].

    truth, classes: int [H, W] of one sample. A pixel that is negative in one of them is not counted.
    """
    import numpy as np

    kept = (truth >= 0) & (classes >= 0)
    true, given = truth[kept], classes[kept]
    rows = (true[true == given], given, true)
    return np.stack([np.bincount(row, minlength=count) for row in rows])


def scorer(found: np.ndarray) -> Scorer:
    """Return the scorer of counts of each sample, int64 [N, 3, count]."""

    def measure(rows: Rows) -> float:
        """Return mean IoU of these samples. Raises UndefinedError."""
        return mean_iou(found if rows is None else found[rows])

    return Scorer(len(found), measure, found.size)


def mean_iou(found: np.ndarray) -> float:
    """Return intersection over union of each class over all pixels, and the mean of those, of int64 [n, 3, count].

    Classes that are neither there nor predicted are left out. Raises UndefinedError where no pixel is counted.
    """
    right, given, true = found.sum(axis=0)
    union = given + true - right
    if not union.any():
        raise UndefinedError("no pixel has a class")
    there = union > 0
    return float((right[there] / union[there]).mean())
