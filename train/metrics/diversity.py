"""How far apart the pictures of one class lie from each other: a collapsed class shows as 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from train.metrics.precision_recall import distances

__all__ = ["pixel_rows", "within_class_distance"]


def pixel_rows(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pictures [N, H, W, C] as rows [N, H·W·C] with values 0 to 1."""
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def within_class_distance(rows: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Mean Euclidean distance of two different pictures of a class, averaged over the classes.

    Args:
        rows: [N, D], pixels or features.
        labels: int64 [N]; classes with fewer than two pictures are left out.

    Returns:
        The distance; 0 where no class has two pictures.
    """
    means = []
    for c in np.unique(labels):
        members = rows[labels == c]
        if len(members) > 1:
            upper = np.triu_indices(len(members), 1)
            means.append(distances(members, members)[upper].mean())
    return float(np.mean(means)) if means else 0.0
