"""How the values of pixels are distributed: the first thing that a generator learns, and cheap to watch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["histogram", "histogram_distance", "pooled"]

Pictures = NDArray[np.uint8]


def histogram(images: Pictures) -> NDArray[np.float64]:
    """Shares [C, 256] of each value in each channel of pictures [N, H, W, C]; a row sums to 1."""
    channels = images.reshape(-1, images.shape[-1]).T  # [C, N·H·W]
    return np.stack([np.bincount(channel, minlength=256) / channel.size for channel in channels])


def histogram_distance(a: Pictures, b: Pictures) -> float:
    """Earth mover's (Wasserstein-1) distance of two distributions of pixel values, averaged over the channels.

    In grey levels, 0 to 255: how far values must move on average until the distributions agree. Values have an order,
    so a white of 254 is close to one of 255; distances that compare bin by bin call them strangers.

    Args:
        a: uint8 [N, H, W, C].
        b: uint8 [M, H', W', C].

    Source: Vallender 1974: on a line the distance is the area between the two cumulative distributions.
    """
    gap = np.cumsum(histogram(a) - histogram(b), axis=1)  # [C, 256]
    return float(np.abs(gap).sum(axis=1).mean())


def pooled(images: Pictures, bins: int = 32) -> list[float]:
    """Shares of `bins` equal ranges of values, all channels together: to be drawn."""
    return [float(v) for v in histogram(images).mean(axis=0).reshape(bins, -1).sum(axis=1)]
