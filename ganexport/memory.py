"""How much memory drawing needs, told beforehand from a generator's spec."""

from __future__ import annotations

from typing import Any

from ganexport.errors import BundleError
from ganexport.manifest import SpecSummary

__all__ = ["BASE", "bytes_a_picture", "bytes_needed", "pictures_within"]

BASE = 600_000_000
"""Bytes of the program, the runtime and the weights."""
MAPS = 11
"""How many times the largest layer's maps are held at once, with what the runtime keeps in reserve."""
WIDE_MAPS = 18
"""The same from `WIDE` channels on, where Winograd's form of a convolution has copies of its own."""
WIDE = 64
FINER_MAPS = 4
"""The same in StyleGAN3, of the maps at the higher sampling rate of its activations."""
ATTENTION_MAPS = 8 * 512
"""Maps of a layer of attention, which works at half its block's size."""
PIXEL = 64
"""Bytes for each pixel: the picture, and its way to whole grey levels."""


def bytes_a_picture(spec: SpecSummary) -> int:
    """Bytes that each picture of a run needs at most on a processor.

    Fitted from above to what StyleGAN2 of published widths took (docs/performance.md), to StyleGAN3 and to lucidrains.
    A spec that does not tell its widths is taken for StyleGAN2's configuration F, which is wider than most.

    Raises:
        BundleError: What the spec says of its layers cannot be read.
    """
    told: dict[str, Any] = spec.model_extra or {}
    try:
        if channels := told.get("channels"):
            resized = "attention" in told  # lucidrains: maps are doubled by bilinear resizing, which takes copies too
            attended = [ATTENTION_MAPS * int(size) ** 2 // 4 for size in told.get("attention", ())]
            sides = [4 << min(i, 10) for i in range(len(channels))]
            maps = max(*map(_maps, channels, sides, [resized] * len(sides)), *attended, 0)
        elif (layers := told.get("layers")) and "up_taps" in layers[0]:
            sides = [(one["size"] - 1) * one["down"] + one["down_taps"] for one in layers]
            maps = max(FINER_MAPS * one["channels"] * side**2 for one, side in zip(layers, sides, strict=True))
        else:
            maps = _maps(min(512, 32768 // spec.resolution), spec.resolution)
        return int(4 * maps + PIXEL * spec.resolution**2)
    except (KeyError, TypeError, ValueError):
        raise BundleError(f"the manifest's spec of this {spec.architecture} has layers that cannot be read") from None


def bytes_needed(spec: SpecSummary, count: int) -> int:
    """Bytes that drawing `count` pictures in one run of the graphs needs at most on a processor."""
    return BASE + count * bytes_a_picture(spec)


def pictures_within(limit: int, spec: SpecSummary) -> int:
    """How many pictures one run may draw to keep within `limit` bytes; 0 if not even one fits."""
    return max(0, limit - BASE) // bytes_a_picture(spec)


def _maps(channels: int, side: int, copied: bool = False) -> int:
    """Numbers that are held where a layer has so many maps of this size."""
    return (WIDE_MAPS if copied or channels >= WIDE else MAPS) * channels * side**2
