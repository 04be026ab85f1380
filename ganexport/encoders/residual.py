"""The body of StyleGAN2's residual discriminator, without minibatch statistics: a picture never sees its neighbours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, TypeVar

from pydantic import Field, model_validator

from ganexport.encoders._heads import head_shapes, heads
from ganexport.encoders.spec import EncoderSpec
from ganexport.ops.protocol import Ops, fir_taps

__all__ = ["Spec", "encode", "weight_shapes"]

T = TypeVar("T")
W = TypeVar("W")

FIR = (1.0, 3.0, 3.0, 1.0)
SLOPE, GAIN = 0.2, math.sqrt(2.0)


class Spec(EncoderSpec):
    """A residual encoder.

    Attributes:
        channels: Feature maps of each block, from 4×4 up to the full resolution.
    """

    architecture: Literal["residual"] = "residual"
    channels: tuple[int, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_blocks(self) -> Spec:
        if self.resolution != 4 << (len(self.channels) - 1):
            raise ValueError(
                f"{len(self.channels)} blocks begin at {4 << (len(self.channels) - 1)}², "
                f"but the resolution is {self.resolution}²"
            )
        if min(self.channels) < 1:
            raise ValueError(f"channels must be positive, found {self.channels}")
        return self


def weight_shapes(spec: Spec) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the canonical tensors, in the order in which they are used."""
    channels, width = spec.channels, spec.channels[0]
    shapes: dict[str, tuple[int, ...]] = {"fromrgb.weight": (channels[-1], spec.image_channels, 1, 1)}
    shapes["fromrgb.bias"] = (channels[-1],)
    for i in range(len(channels) - 1, 0, -1):
        block, into, out = f"b{4 << i}", channels[i], channels[i - 1]
        shapes[f"{block}.conv0.weight"], shapes[f"{block}.conv0.bias"] = (into, into, 3, 3), (into,)
        shapes[f"{block}.conv1.weight"], shapes[f"{block}.conv1.bias"] = (out, into, 3, 3), (out,)
        shapes[f"{block}.skip.weight"] = (out, into, 1, 1)
    shapes["b4.conv.weight"], shapes["b4.conv.bias"] = (width, width, 3, 3), (width,)
    shapes["b4.fc.weight"], shapes["b4.fc.bias"] = (width, width, 4, 4), (width,)
    return shapes | head_shapes(spec, width)


def encode(ops: Ops[T, W], weights: Mapping[str, W], spec: Spec, image: T) -> dict[str, T]:
    """`image` [N, C, H, W] -> `z` [N, z_dim] or `ws` [N, num_ws, w_dim]; with classes `c_logits` [N, c_dim].

    Source: Karras et al. 2020 (StyleGAN2), figure 7, residual nets; the dense layer on 4×4 is a convolution here, so
    that no layout of maps shows.
    """
    fir = fir_taps(FIR)

    def activated(x: T, layer: str) -> T:
        return ops.scale(ops.leaky_relu(ops.add_bias(x, weights[f"{layer}.bias"]), SLOPE), GAIN)

    x = activated(ops.conv2d(image, weights["fromrgb.weight"], 0), "fromrgb")  # [N, C, H, W]
    for i in range(len(spec.channels) - 1, 0, -1):
        block = f"b{4 << i}"
        shortcut = ops.downsample_conv2d(x, weights[f"{block}.skip.weight"], fir, 1)
        x = activated(ops.conv2d(x, weights[f"{block}.conv0.weight"], 1), f"{block}.conv0")
        x = activated(ops.downsample_conv2d(x, weights[f"{block}.conv1.weight"], fir, 3), f"{block}.conv1")
        x = ops.scale(ops.add(x, shortcut), math.sqrt(0.5))  # [N, C', H / 2, W / 2]
    x = activated(ops.conv2d(x, weights["b4.conv.weight"], 1), "b4.conv")
    x = activated(ops.conv2d(x, weights["b4.fc.weight"], 0), "b4.fc")  # [N, C, 1, 1]
    return heads(ops, weights, spec, ops.as_vector(x))
