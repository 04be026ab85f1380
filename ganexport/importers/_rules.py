"""Rules that several sources share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import CheckpointError

__all__ = ["filter_taps", "sampled_mean"]

MAX_NUMBERS = 1 << 21
"""In one layer of samples: 16 MiB."""


def filter_taps(kernel: NDArray[np.float64]) -> tuple[Any, ...]:
    """Filter taps of sum 1: 1-D where the filter is the square of one, else 2-D."""
    if kernel.size == 0 or kernel.size > 4096 or not np.isfinite(kernel).all() or kernel.sum() == 0:
        raise CheckpointError(f"a resample filter of shape {list(kernel.shape)} cannot be used")
    kernel = kernel / kernel.sum()
    if kernel.ndim == 2:
        rows = kernel.sum(axis=1)
        if kernel.shape[0] != kernel.shape[1] or not np.allclose(np.outer(rows, rows), kernel, rtol=0, atol=1e-7):
            return tuple(tuple(float(tap) for tap in row) for row in kernel)
        kernel = rows
    return tuple(float(tap) for tap in kernel)


def sampled_mean(
    mapping: Callable[[NDArray[np.float64]], NDArray[np.float64]], samples: int, shapes: Sequence[tuple[int, ...]]
) -> NDArray[np.float64]:
    """The mean w of normal z from seed 0, some at a time where a wide mapping would take much memory.

    Args:
        mapping: z [n, z_dim] -> w [n, w_dim].
        samples: How many z.
        shapes: Of its matrices [O, I], in their order.
    """
    random = np.random.RandomState(0)
    rows = max(1, MAX_NUMBERS // max(max(shape) for shape in shapes))
    counts = [min(rows, samples - begun) for begun in range(0, samples, rows)]
    sums = [mapping(random.randn(count, shapes[0][1])).sum(axis=0) for count in counts]  # each [w_dim]
    return np.asarray(np.sum(sums, axis=0) / samples)
