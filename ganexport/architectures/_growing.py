"""What the progressively grown families share: blocks of doubling size, and a picture taken at a level of detail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import Field, model_validator

from ganexport.ops.protocol import Ops
from ganexport.spec import GeneratorSpec

__all__ = ["GrownSpec", "add_to_rgb_shapes", "resolutions", "to_rgb"]

T = TypeVar("T")
W = TypeVar("W")


class GrownSpec(GeneratorSpec):
    """A generator that was grown block by block.

    Attributes:
        channels: Feature maps of each block that takes part, from 4×4 up.
        lod: Level of detail of the picture. Its whole part counts how often the last block's picture is doubled to
            reach `resolution`; its fraction is the share of the block before, which fades out as the last is grown.
    """

    channels: tuple[int, ...] = Field(min_length=1)
    lod: float = Field(default=0.0, ge=0.0, le=10.0)

    @model_validator(mode="after")
    def _check_growth(self) -> GrownSpec:
        end = 4 << (len(self.channels) - 1 + int(self.lod))
        if self.resolution != end:
            raise ValueError(
                f"{len(self.channels)} blocks at lod {self.lod:g} end at {end}², "
                f"but the resolution is {self.resolution}²"
            )
        if min(self.channels) < 1:
            raise ValueError(f"channels must be positive, found {self.channels}")
        if self.lod % 1 and len(self.channels) < 2:
            raise ValueError(f"lod {self.lod:g} fades between two blocks, but there is only one")
        return self


def resolutions(spec: GrownSpec) -> list[int]:
    """Sizes of the blocks that take part: 4, 8, …"""
    return [4 << i for i in range(len(spec.channels))]


def _shares(spec: GrownSpec) -> dict[int, float]:
    """Size of each block that gives RGB, the smaller first, with its share in the picture."""
    last, fade = resolutions(spec)[-1], spec.lod % 1
    return {last // 2: fade, last: 1.0 - fade} if fade else {last: 1.0}


def add_to_rgb_shapes(shapes: dict[str, tuple[int, ...]], spec: GrownSpec, resolution: int, channels: int) -> None:
    """Add the to-RGB tensors of the block at `resolution`, if it gives any."""
    if resolution in _shares(spec):
        shapes[f"synthesis.b{resolution}.torgb.weight"] = (spec.image_channels, channels, 1, 1)
        shapes[f"synthesis.b{resolution}.torgb.bias"] = (spec.image_channels,)


def to_rgb(ops: Ops[T, W], weights: Mapping[str, W], spec: GrownSpec, features: Mapping[int, T]) -> T:
    """Features of each block, by size -> the picture [N, C, H, W] at the spec's level of detail.

    Source: Karras et al. 2018 (Progressive GAN), section 2 and figure 2.
    """
    rgb: T | None = None
    for resolution, share in _shares(spec).items():
        name = f"synthesis.b{resolution}.torgb"
        y = ops.add_bias(ops.conv2d(features[resolution], weights[f"{name}.weight"], 0), weights[f"{name}.bias"])
        if share < 1.0:
            y = ops.scale(y, share)
        rgb = y if rgb is None else ops.add(ops.nearest_upsample2d(rgb), y)
    assert rgb is not None
    for _ in range(int(spec.lod)):
        rgb = ops.nearest_upsample2d(rgb)  # [N, C, 2H, 2W]
    return rgb
