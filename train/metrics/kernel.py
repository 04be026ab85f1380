"""Kernel distance (KID) between two sets of features: no Gaussian is assumed, and few pictures do not bias it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Kid", "kernel_distance", "squared_mmd"]

SUBSETS = 20
LARGEST = 1000

Features = NDArray[np.floating]


class Kid(NamedTuple):
    """Mean and standard deviation over the subsets; the mean may be a little below 0 where the sets agree."""

    mean: float
    std: float


def squared_mmd(a: Features, b: Features) -> float:
    """Unbiased squared maximum mean discrepancy for the kernel (x·y / D + 1)³.

    Args:
        a: [N, D], N of 2 or more.
        b: [M, D], M of 2 or more.

    Source: Bińkowski et al. 2018, "Demystifying MMD GANs", sections 2.1 and 4.
    """
    x, y = a.astype(np.float64), b.astype(np.float64)
    n, m, width = len(x), len(y), x.shape[1]

    def kernel(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
        base = p @ q.T / width + 1.0
        return np.asarray(base * base * base)

    within_a, within_b = kernel(x, x), kernel(y, y)
    return float(
        (within_a.sum() - np.trace(within_a)) / (n * (n - 1))
        + (within_b.sum() - np.trace(within_b)) / (m * (m - 1))
        - 2.0 * kernel(x, y).mean()
    )


def kernel_distance(made: Features, real: Features, *, subsets: int = SUBSETS, seed: int = 0) -> Kid:
    """KID: the mean of `squared_mmd` over random subsets of half of the pictures, at most 1,000.

    The kernel is not indifferent to scale, so both sets are divided by the root mean square of `real`.

    Args:
        made: [N, D], N of 4 or more.
        real: [M, D], M of 4 or more.
        subsets: How many.
        seed: Of the subsets.
    """
    scale = max(float(np.sqrt(np.mean(real.astype(np.float64) ** 2))), 1e-12)
    made, real = made / scale, real / scale
    size = min(LARGEST, len(made) // 2, len(real) // 2)
    random = np.random.RandomState(seed)
    found = [
        squared_mmd(made[random.permutation(len(made))[:size]], real[random.permutation(len(real))[:size]])
        for _ in range(subsets)
    ]
    return Kid(float(np.mean(found)), float(np.std(found)))
