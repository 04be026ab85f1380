"""Synthesis in stages: what a block hands to the next when a graph ends between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Start", "carried_shapes", "features_of", "picture_of", "start_of"]

T = TypeVar("T")


def features_of(resolution: int) -> str:
    """Name of the features [N, C, H, W] that the block of this size gives."""
    return f"x_b{resolution}"


def picture_of(resolution: int) -> str:
    """Name of the picture [N, C, H, W] as it is after the block of this size."""
    return f"rgb_b{resolution}"


def carried_shapes(resolution: int, channels: int, image_channels: int) -> dict[str, tuple[int, int, int]]:
    """Names and shapes [C, H, W] of the features and the picture of the block of this size."""
    return {
        features_of(resolution): (channels, resolution, resolution),
        picture_of(resolution): (image_channels, resolution, resolution),
    }


@dataclass(frozen=True)
class Start(Generic[T]):
    """Where a stage begins.

    Attributes:
        block: Index of its first block.
        features: Of the block before; None at the very beginning.
        picture: Likewise.
    """

    block: int = 0
    features: T | None = None
    picture: T | None = None


def start_of(inputs: Mapping[str, T], resolutions: Sequence[int]) -> Start[T]:
    """The start after the block whose features are among the inputs; the very beginning when there are none."""
    for i, resolution in enumerate(resolutions):
        if features_of(resolution) in inputs:
            return Start(i + 1, inputs[features_of(resolution)], inputs[picture_of(resolution)])
    return Start()
