"""Improved precision and recall: how much of one set lies within the support of the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["coverage", "distances", "precision_recall", "recall_by_class"]

NEIGHBOUR = 3
"""A point's ball reaches to its third nearest neighbour in its own set."""

_ROWS = 1024

Features = NDArray[np.floating]


def distances(a: Features, b: Features) -> NDArray[np.float64]:
    """Euclidean distances [N, M] between rows of [N, D] and [M, D]."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    centre = y.mean(axis=0)  # nearer to 0, fewer digits are lost
    x, y = x - centre, y - centre
    squares = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1)[None, :] - 2 * (x @ y.T)
    return np.asarray(np.sqrt(np.maximum(squares, 0)), np.float64)


def coverage(support: Features, points: Features, k: int = NEIGHBOUR) -> float:
    """Share of `points` [M, D] that lie in a ball around a row of `support` [N, D].

    Each ball's radius is the distance to the row's k-th nearest other row.

    Source: Kynkäänniemi et al. 2019, "Improved precision and recall metric", section 2.
    """
    if len(support) <= k or not len(points):
        raise ValueError(f"{len(support)} and {len(points)} rows: expected over {k} and at least 1")
    radii = np.concatenate(
        [
            np.partition(distances(support[i : i + _ROWS], support), k, axis=1)[:, k]  # 0 is the row itself
            for i in range(0, len(support), _ROWS)
        ]
    )
    inside = [(distances(points[i : i + _ROWS], support) <= radii).any(axis=1) for i in range(0, len(points), _ROWS)]
    return float(np.concatenate(inside).mean())


def precision_recall(real: Features, made: Features, k: int = NEIGHBOUR) -> tuple[float, float]:
    """Precision: share of `made` within the real support. Recall: share of `real` within the made support."""
    return coverage(real, made, k), coverage(made, real, k)


def recall_by_class(
    real: Features,
    real_labels: NDArray[np.int64],
    made: Features,
    made_labels: NDArray[np.int64],
    classes: int,
) -> list[float | None]:
    """Recall within each class alone: [classes]; None where a class has too few pictures to say."""
    recalls: list[float | None] = []
    for c in range(classes):
        support, points = made[made_labels == c], real[real_labels == c]
        enough = len(support) > NEIGHBOUR and len(points) > 0
        recalls.append(coverage(support, points) if enough else None)
    return recalls
