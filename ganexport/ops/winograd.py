"""Winograd's F(4×4, 3×3): a tile of 4×4 outputs from 36 products in place of 144; F(4×4, 2×2): 25 in place of 64.

A tile is Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A, where g is the kernel and d the 6×6 window of the input. Summed over the input
channels, the product in the middle is one matrix product for each of the 36 places of the transformed window.

Source: Lavin and Gray 2016 (Fast Algorithms for Convolutional Neural Networks), section 4.3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["TILE", "kernel_transform", "output_transform", "window_transform"]

TILE = 4
"""Rows and columns of a tile of outputs."""

_POINTS = (0.0, 1.0, -1.0, 2.0, -2.0)
"""Where the polynomials are evaluated, beside infinity."""


def window_transform(taps: int = 3) -> NDArray[np.float64]:
    """Bᵀ [6, 6], for two taps [5, 5]: along one axis of a window."""
    points = _points(taps)
    # Row i holds the coefficients of the product of all (x − p) but the i-th; the last those of the product of all.
    rows = [np.poly([p for p in points if p != point])[::-1] for point in points]
    return np.stack([*(np.append(row, 0.0) for row in rows), np.poly(points)[::-1]])


def kernel_transform(taps: int = 3) -> NDArray[np.float64]:
    """G [6, 3], for two taps [5, 2]: along one axis of a kernel."""
    points = _points(taps)
    norms = [np.prod([point - p for p in points if p != point]) for point in points]
    rows = [np.power(point, range(taps)) / norm for point, norm in zip(points, norms, strict=True)]
    return np.stack([*rows, np.eye(taps)[-1]])


def output_transform(taps: int = 3) -> NDArray[np.float64]:
    """Aᵀ [4, 6], for two taps [4, 5]: along one axis of a tile of outputs."""
    columns = [np.power(point, range(TILE)) for point in _points(taps)]
    return np.stack([*columns, np.eye(TILE)[-1]], axis=1)


def _points(taps: int) -> tuple[float, ...]:
    return _POINTS[: TILE + taps - 2]
