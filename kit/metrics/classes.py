"""Metrics of an output of classes. Definitions and numbers are scikit-learn's.

Truth is int64 [N] or [N, positions]; scores are float32 [N, C] or [N, positions, C], after the activation, with two
columns where the model has one unit. Each position of a sample is one decision. Of equal scores the lower class is
better, as in the app.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kit.metrics.scorer import Scorer, UndefinedError, refuse_broken

if TYPE_CHECKING:
    import numpy as np

    from kit.metrics.scorer import Rows

    Measure = Callable[[np.ndarray, np.ndarray], float]

OFF = 0.05  # by how much the probabilities of a sample may miss 1: eight bits and a thousand classes do


def scorer(name: str, k: int, truth: np.ndarray, scores: np.ndarray) -> Scorer:
    """Return a metric's scorer; k is of top_k alone.

    truth: int64 [N] or [N, positions]; scores: float32 [N, C] or [N, positions, C].
    """
    count = scores.shape[-1]

    def measure(rows: Rows) -> float:
        """Return the value of these samples. Raises UndefinedError."""
        chosen, given = (truth, scores) if rows is None else (truth[rows], scores[rows])
        flat, table = chosen.reshape(-1), given.reshape(-1, count)
        refuse_broken(table)
        return top_k(flat, table, k) if name == "top_k" else _MEASURES[name](flat, table)

    hits = None
    if name in {"accuracy", "top_k"} and truth.ndim == 1:
        hits = ranks(truth, scores) < (k if name == "top_k" else 1)
    return Scorer(len(truth), measure, scores.size, hits)


def best(scores: np.ndarray) -> np.ndarray:
    """Return the class with the highest score, int64 [n], of scores, float32 [n, C]."""
    return scores.argmax(axis=-1)  # type: ignore[no-any-return]


def ranks(truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return how many classes are better than the true one, int64 [n]. truth: int64 [n]; scores: float32 [n, C]."""
    import numpy as np

    own = scores[np.arange(len(truth)), truth][:, None]
    lower = np.arange(scores.shape[1])[None, :] < truth[:, None]
    return ((scores > own) | ((scores == own) & lower)).sum(axis=-1)  # type: ignore[no-any-return]


def accuracy(truth: np.ndarray, scores: np.ndarray) -> float:
    """Return the share of right classes, as accuracy_score does. truth: int64 [n]; scores: float32 [n, C].

    Without that library: each build of classes with truth counts it, and the import takes longer than all else here.
    """
    import numpy as np

    return float(np.mean(truth == best(scores)))


def top_k(truth: np.ndarray, scores: np.ndarray, k: int) -> float:
    """Return the share of samples whose class is among the k best. truth: int64 [n]; scores: float32 [n, C].

    1 where there are no more than k classes. scikit-learn takes the higher class of equal scores: so the classes are
    counted from the other end.
    """
    import numpy as np
    from sklearn.metrics import top_k_accuracy_score

    count = scores.shape[1]
    if k >= count:
        return 1.0
    if count == 2:  # it takes one score of the second class there
        return accuracy(truth, scores)
    turned, labels = scores[:, ::-1], np.arange(count)
    return float(top_k_accuracy_score(count - 1 - truth, turned, k=k, labels=labels))


def balanced_accuracy(truth: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean recall of the classes that occur in truth. truth: int64 [n]; scores: float32 [n, C]."""
    import numpy as np
    from sklearn.metrics import recall_score

    # What balanced_accuracy_score computes; that warns of classes that are only predicted.
    recalls = recall_score(truth, best(scores), labels=np.unique(truth), average="macro", zero_division=0)
    return float(recalls)


def f1(truth: np.ndarray, scores: np.ndarray) -> float:
    """Return F1 of class 1; 0 where it is neither there nor predicted. truth: int64 [n]; scores: float32 [n, 2]."""
    from sklearn.metrics import f1_score

    return float(f1_score(truth, best(scores), labels=[1], average="macro", zero_division=0))


def f1_macro(truth: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean F1 of the classes that occur or are predicted. truth: int64 [n]; scores: float32 [n, C]."""
    from sklearn.metrics import f1_score

    return float(f1_score(truth, best(scores), average="macro", zero_division=0))


def auc(truth: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the ROC curve: of class 1 of two, else the mean over classes, each against the rest.

    Equal scores count one half. Classes that do not occur are left out. truth: int64 [n]; scores: float32 [n, C].
    Raises UndefinedError where one class alone is there.
    """
    import numpy as np
    from sklearn.metrics import roc_auc_score

    if len(np.unique(truth)) < 2:
        raise UndefinedError("the truth has one class only")
    if scores.shape[1] == 2:
        return float(roc_auc_score(truth == 1, scores[:, 1]))
    return float(np.mean([roc_auc_score(truth == each, scores[:, each]) for each in np.unique(truth)]))


def average_precision(truth: np.ndarray, scores: np.ndarray) -> float:
    """Return average precision: of class 1 of two, else the mean over the classes that occur, each against the rest.

    Raises UndefinedError where class 1 of two does not occur. truth: int64 [n]; scores: float32 [n, C].
    """
    import numpy as np
    from sklearn.metrics import average_precision_score

    if scores.shape[1] == 2:
        if not (truth == 1).any():
            raise UndefinedError("class 1 does not occur in the truth")
        return float(average_precision_score(truth == 1, scores[:, 1]))
    return float(np.mean([average_precision_score(truth == each, scores[:, each]) for each in np.unique(truth)]))


def log_loss(truth: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean negative logarithm of the true class's probability. truth: int64 [n]; scores: float32 [n, C].

    Each sample's probabilities are divided by their sum, and are at least float32's epsilon (1.2e-7). Raises
    UndefinedError where they are none.
    """
    import numpy as np
    from sklearn.metrics import log_loss as loss

    total = scores.sum(axis=1, keepdims=True)
    if scores.min() < 0 or np.abs(total - 1).max() > OFF:
        raise UndefinedError("its values are no probabilities: they need an activation, softmax or sigmoid")
    least = np.finfo(np.float32).eps
    shares = np.clip(scores / total, least, 1 - least)
    return float(loss(truth, shares / shares.sum(axis=1, keepdims=True), labels=np.arange(scores.shape[1])))


_MEASURES: dict[str, Measure] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "f1": f1,
    "f1_macro": f1_macro,
    "auc": auc,
    "average_precision": average_precision,
    "log_loss": log_loss,
}
