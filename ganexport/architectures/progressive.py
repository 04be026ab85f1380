"""Progressive GAN: a normalised latent through blocks of doubling size (Karras et al. 2018).

Canonical kernels are those of a correlation after nearest up-sampling; a checkpoint whose up-sampling is fused into a
transposed convolution has them turned by 180 degrees. The first layer, dense in the paper, is a 4×4 kernel here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

from pydantic import model_validator

from ganexport.architectures._growing import GrownSpec, add_to_rgb_shapes, resolutions, to_rgb
from ganexport.ops.protocol import Ops

__all__ = ["Spec", "resolutions", "synthesis", "weight_shapes"]

T = TypeVar("T")
W = TypeVar("W")

SLOPE = 0.2


class Spec(GrownSpec):
    """A Progressive GAN generator; one-hot `c` is joined to `z` before both are normalised."""

    architecture: Literal["progressive"] = "progressive"

    @model_validator(mode="after")
    def _check_no_w(self) -> Spec:
        if self.has_w_space:
            raise ValueError("a Progressive GAN has no w space: leave w_dim and num_ws at 0")
        return self


def weight_shapes(spec: Spec) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the canonical tensors, in the order in which they are used; kernels [O, I, k, k]."""
    shapes: dict[str, tuple[int, ...]] = {}
    into = spec.z_dim + spec.c_dim
    for resolution, channels in zip(resolutions(spec), spec.channels, strict=True):
        block, size = f"synthesis.b{resolution}", 4 if resolution == 4 else 3
        shapes[f"{block}.conv0.weight"] = (channels, into, size, size)
        shapes[f"{block}.conv0.bias"] = (channels,)
        shapes[f"{block}.conv1.weight"] = (channels, channels, 3, 3)
        shapes[f"{block}.conv1.bias"] = (channels,)
        add_to_rgb_shapes(shapes, spec, resolution, channels)
        into = channels
    return shapes


def synthesis(ops: Ops[T, W], weights: Mapping[str, W], spec: Spec, inputs: Mapping[str, T]) -> dict[str, T]:
    """`z` [N, z_dim], `c` [N, c_dim] -> `image` [N, C, H, W].

    Source: Karras et al. 2018 (Progressive GAN), section 4.2 and table 2.
    """

    def finish(x: T, layer: str) -> T:
        return ops.channel_pixel_norm(ops.leaky_relu(ops.add_bias(x, weights[f"{layer}.bias"]), SLOPE))

    z, c = inputs["z"], inputs.get("c")
    x = ops.as_map(ops.pixel_norm(z if c is None else ops.concat([z, c])), 1)  # [N, z_dim + c_dim, 1, 1]
    features: dict[int, T] = {}
    for resolution in resolutions(spec):
        first, second = (f"synthesis.b{resolution}.{name}" for name in ("conv0", "conv1"))
        if resolution == 4:
            x = ops.conv_transpose2d(x, weights[f"{first}.weight"], stride=1, padding=0)  # [N, C, 4, 4]
        else:
            x = ops.nearest_conv2d(x, weights[f"{first}.weight"], kernel_size=3)  # [N, C, 2H, 2W]
        x = finish(x, first)
        x = finish(ops.conv2d(x, weights[f"{second}.weight"], 1), second)
        features[resolution] = x
    return {"image": to_rgb(ops, weights, spec, features)}
