"""Rules that several sources share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import CheckpointError

__all__ = ["filter_taps"]


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
