"""recall@k of embeddings: is one of the k nearest other samples of the same identity? Neighbours are scikit-learn's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.metrics.scorer import Scorer, UndefinedError, refuse_broken

if TYPE_CHECKING:
    import numpy as np

    from kit.metrics.scorer import Rows


def scorer(k: int, truth: np.ndarray, vectors: np.ndarray) -> Scorer:
    """Return the scorer of truth, identities [N] of any dtype, and vectors, float32 [N, D]: nearest is by cosine.

    A sample whose identity no other one has is no query; it stays among those that are found.
    """
    import numpy as np

    _, inverse, counts = np.unique(truth, return_inverse=True, return_counts=True)
    queries = np.flatnonzero(counts[inverse] > 1)
    if not queries.size:
        return Scorer(0, _none, 0)
    if not np.isfinite(vectors).all():
        return Scorer(len(queries), lambda _rows: _broken(vectors), 0)
    right = hits(k, inverse, vectors)[queries]

    def measure(rows: Rows) -> float:
        """Return the share of these queries that find one of their own."""
        return float(np.mean(right if rows is None else right[rows]))

    return Scorer(len(queries), measure, len(queries), right)


def _none(_rows: Rows) -> float:
    raise UndefinedError("no two samples have the same identity")


def _broken(vectors: np.ndarray) -> float:
    """Raise UndefinedError for vectors, float32 [N, D], that are not all numbers."""
    refuse_broken(vectors)
    return 0.0


def hits(k: int, truth: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Say of each sample whether one of its k nearest others has its identity, bool [N].

    truth: int64 [N]; vectors: float32 [N, D]. Distances are computed some rows at a time.
    """
    from sklearn.neighbors import NearestNeighbors

    neighbours = NearestNeighbors(n_neighbors=min(k, len(vectors) - 1), metric="cosine", algorithm="brute")
    nearest = neighbours.fit(vectors).kneighbors(return_distance=False)  # without the sample itself
    return (truth[nearest] == truth[:, None]).any(axis=1)  # type: ignore[no-any-return]
