"""The body of a DCGAN's discriminator: strided convolutions, BatchNorm folded into them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

from pydantic import Field, model_validator

from ganexport.encoders._heads import head_shapes, heads
from ganexport.encoders.spec import EncoderSpec
from ganexport.ops.protocol import Ops

__all__ = ["Spec", "encode", "weight_shapes"]

T = TypeVar("T")
W = TypeVar("W")

SLOPE = 0.2


class Spec(EncoderSpec):
    """A convolutional encoder.

    Attributes:
        channels: Feature maps of each layer, from the smallest maps to the largest.
        width: Features of the dense layer after them.
    """

    architecture: Literal["convolutional"] = "convolutional"
    channels: tuple[int, ...] = Field(min_length=1)
    width: int = Field(default=128, ge=1, le=65536)

    @model_validator(mode="after")
    def _check_layers(self) -> Spec:
        if self.resolution % (1 << len(self.channels)):
            raise ValueError(f"{self.resolution}² cannot be halved {len(self.channels)} times, once for each layer")
        if min(self.channels) < 1:
            raise ValueError(f"channels must be positive, found {self.channels}")
        return self


def weight_shapes(spec: Spec) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the canonical tensors, in the order in which they are used."""
    shapes: dict[str, tuple[int, ...]] = {}
    into = int(spec.image_channels)
    for i, out in enumerate(reversed(spec.channels)):
        shapes[f"conv{i}.weight"], shapes[f"conv{i}.bias"] = (out, into, 4, 4), (out,)
        into = out
    last = spec.resolution >> len(spec.channels)
    shapes["fc.weight"], shapes["fc.bias"] = (spec.width, into, last, last), (spec.width,)
    return shapes | head_shapes(spec, spec.width)


def encode(ops: Ops[T, W], weights: Mapping[str, W], spec: Spec, image: T) -> dict[str, T]:
    """`image` [N, C, H, W] -> `z` [N, z_dim] or `ws` [N, num_ws, w_dim]; with classes `c_logits` [N, c_dim].

    Source: Radford et al. 2016 (DCGAN), section 3; the dense layer is a convolution over the whole last map.
    """
    x = image
    for i in range(len(spec.channels)):
        x = ops.conv2d(x, weights[f"conv{i}.weight"], 1, stride=2)  # [N, C', H / 2, W / 2]
        x = ops.leaky_relu(ops.add_bias(x, weights[f"conv{i}.bias"]), SLOPE)
    x = ops.add_bias(ops.conv2d(x, weights["fc.weight"], 0), weights["fc.bias"])  # [N, width, 1, 1]
    return heads(ops, weights, spec, ops.as_vector(ops.leaky_relu(x, SLOPE)))
