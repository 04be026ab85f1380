"""Perceptual path length: how much a picture changes when the latent moves a little."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["EPSILON", "path_length", "spread"]

EPSILON = 1e-4

Latents = NDArray[np.float32]
Features = NDArray[np.floating]
Interpolate = Callable[[Latents, Latents, list[float]], Latents]
"""(start [N, …], end [N, …], places [N] in 0…1) -> [N, …]: `lerp` or `slerp` of the toolbox."""


def path_length(
    features: Callable[[Latents], Features],
    start: Latents,
    end: Latents,
    interpolate: Interpolate,
    *,
    epsilon: float = EPSILON,
    seed: int = 0,
) -> float:
    """Mean over N ways of |Δ features|² / ε², where Δ is made by a step of ε at a random place of the way.

    The lowest and the highest hundredth of the steps do not count.

    Args:
        features: Features [N, F] of the pictures that latents draw, unrounded: a step is small.
        start: Latents [N, …] where the ways begin.
        end: Latents [N, …] where they end.
        interpolate: What lies between.
        epsilon: Length of the step; the whole way is 1.
        seed: Of the places.

    Source: Karras et al. 2019, section 4.1, which measures by LPIPS; here it is by the features given.
    """
    places = np.random.RandomState(seed).uniform(0.0, 1.0 - epsilon, len(start))
    before = features(interpolate(start, end, list(places)))
    after = features(interpolate(start, end, list(places + epsilon)))
    lengths = ((after.astype(np.float64) - before.astype(np.float64)) ** 2).sum(axis=1) / epsilon**2  # [N]
    low, high = np.percentile(lengths, [1, 99])
    return float(lengths[(lengths >= low) & (lengths <= high)].mean())


def spread(features: Features) -> float:
    """Mean squared distance of two different rows of [N, F]: twice the trace of their covariance."""
    return float(2.0 * features.astype(np.float64).var(axis=0, ddof=1).sum())
