"""Fréchet distance between two sets of features, each taken for a Gaussian."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["frechet", "frechet_gaussians", "gaussian"]

Array = NDArray[np.float64]


def gaussian(features: NDArray[np.floating]) -> tuple[Array, Array]:
    """Mean [D] and unbiased covariance [D, D] of features [N, D], in float64; N of 2 or more."""
    values = features.astype(np.float64)
    mean = values.mean(axis=0)
    centred = values - mean
    return mean, centred.T @ centred / (len(values) - 1)


def frechet_gaussians(mean_a: Array, cov_a: Array, mean_b: Array, cov_b: Array) -> float:
    """Squared Fréchet (2-Wasserstein) distance of two Gaussians.

    `|mean_a - mean_b|² + tr(cov_a) + tr(cov_b) - 2 tr((cov_a^½ cov_b cov_a^½)^½)`. The inner product is
    symmetric, so both roots come from `eigh`: no complex numbers, and singular covariances do no harm.

    Args:
        mean_a: [D].
        cov_a: [D, D], symmetric, positive semi-definite.
        mean_b: [D].
        cov_b: [D, D], likewise.

    Source: Dowson and Landau 1982; as a figure for GANs: Heusel et al. 2017.
    """
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T  # [D, D]
    inner = root @ cov_b @ root
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh((inner + inner.T) / 2), 0)).sum()
    shift = mean_a - mean_b
    distance = shift @ shift + np.trace(cov_a) + np.trace(cov_b) - 2 * cross
    return max(float(distance), 0.0)


def frechet(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Squared Fréchet distance between features [N, D] and [M, D]."""
    return frechet_gaussians(*gaussian(a), *gaussian(b))
