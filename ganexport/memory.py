"""How much memory drawing needs, told beforehand."""

from __future__ import annotations

__all__ = ["bytes_needed", "pictures_within"]

BASE = 600_000_000
"""Bytes of the program, the runtime and the weights."""
A_ROW = 860_000
"""Bytes a row of a picture: feature maps, of which there are half as many at twice the resolution."""
A_PIXEL = 540
"""Bytes a pixel: what has as many channels as the picture has, and their copies."""


def bytes_needed(resolution: int, count: int) -> int:
    """Bytes that drawing `count` pictures in one run of the graphs needs at most.

    Fitted from above to StyleGAN2 of published widths on a processor (`docs/performance.md`: 64² to 1024², one and
    eight pictures), which other generators of the same resolution hardly exceed; narrow ones need much less.
    """
    return BASE + count * (A_ROW * resolution + A_PIXEL * resolution**2)


def pictures_within(limit: int, resolution: int) -> int:
    """How many pictures of this resolution one run may draw to keep within `limit` bytes; 0 if not even one fits."""
    return max(0, limit - BASE) // (bytes_needed(resolution, 1) - BASE)
