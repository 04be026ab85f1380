"""DCGAN: a latent, seen as a 1×1 map, through a chain of transposed convolutions (Radford et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ganexport.ops.protocol import Ops
from ganexport.spec import GeneratorSpec

__all__ = ["Layer", "Spec", "synthesis", "weight_shapes"]

T = TypeVar("T")
W = TypeVar("W")

MAX_NUMBERS = 1 << 28
"""In the feature maps of one picture: a gigabyte."""


class Layer(BaseModel):
    """One transposed convolution; BatchNorm is folded into its weight and bias.

    Attributes:
        channels: Feature maps that it gives.
        kernel: Height and width of the kernel.
        stride: Distance of the input pixels in the output.
        padding: Rows and columns cut from each side.
        activation: What follows.
        slope: Of `leaky_relu`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    channels: int = Field(ge=1)
    kernel: int = Field(ge=1, le=64)
    stride: int = Field(ge=1, le=16)
    padding: int = Field(ge=0, le=32)
    activation: Literal["linear", "relu", "leaky_relu", "tanh"]
    slope: float = 0.2

    def size_after(self, size: int) -> int:
        """Rows of the output for `size` rows of input."""
        return (size - 1) * self.stride + self.kernel - 2 * self.padding


class Spec(GeneratorSpec):
    """A DCGAN generator.

    Attributes:
        layers: From the latent to the picture.
        label_layers: With labels, the one-hot `c` is concatenated to what goes into the `first` layer, which is z, or
            into `every` one: there each class is a map that is 1 in all its pixels, or 0.
    """

    architecture: Literal["dcgan"] = "dcgan"
    layers: tuple[Layer, ...] = Field(min_length=1)
    label_layers: Literal["first", "every"] = "first"

    @model_validator(mode="before")
    @classmethod
    def _layers_from_json(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("layers"), list | tuple):
            return {**data, "layers": tuple(data["layers"])}
        return data

    @model_validator(mode="after")
    def _check_layers(self) -> Spec:
        size, numbers = 1, 0
        for layer in self.layers:
            size = layer.size_after(size)
            numbers += layer.channels * max(size, 0) ** 2
        if numbers > MAX_NUMBERS:
            raise ValueError(f"its layers hold {numbers} numbers for one picture; more than 2^28 cannot be drawn")
        if size != self.resolution:
            raise ValueError(f"the layers end at {size}², but the resolution is {self.resolution}²")
        if self.layers[-1].channels != self.image_channels:
            raise ValueError(f"the last layer gives {self.layers[-1].channels} channels, not {self.image_channels}")
        if self.has_w_space:
            raise ValueError("a DCGAN has no w space: leave w_dim and num_ws at 0")
        return self


def weight_shapes(spec: Spec) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the canonical tensors, in the order in which they are used; kernels [O, I, k, k]."""
    shapes: dict[str, tuple[int, ...]] = {}
    into = spec.z_dim
    for i, layer in enumerate(spec.layers):
        labels = spec.c_dim if i == 0 or spec.label_layers == "every" else 0
        shapes[f"synthesis.layer{i}.weight"] = (layer.channels, into + labels, layer.kernel, layer.kernel)
        shapes[f"synthesis.layer{i}.bias"] = (layer.channels,)
        into = layer.channels
    return shapes


def synthesis(ops: Ops[T, W], weights: Mapping[str, W], spec: Spec, inputs: Mapping[str, T]) -> dict[str, T]:
    """`z` [N, z_dim], `c` [N, c_dim] -> `image` [N, C, H, W].

    Source: Radford, Metz, Chintala 2016, section 3; labels joined as in Mirza and Osindero 2014, and to every layer as
    Radford et al. do in their appendix on labelled digits.
    """
    c, size = inputs.get("c"), 1
    x = ops.as_map(inputs["z"], 1)  # [N, z_dim, 1, 1]
    for i, layer in enumerate(spec.layers):
        if c is not None and (i == 0 or spec.label_layers == "every"):
            x = ops.concat([x, ops.as_map(c, size)])  # [N, C + c_dim, H, W]
        size = layer.size_after(size)
        x = ops.conv_transpose2d(x, weights[f"synthesis.layer{i}.weight"], layer.stride, layer.padding)
        x = ops.add_bias(x, weights[f"synthesis.layer{i}.bias"])
        if layer.activation == "relu":
            x = ops.relu(x)
        elif layer.activation == "leaky_relu":
            x = ops.leaky_relu(x, layer.slope)
        elif layer.activation == "tanh":
            x = ops.tanh(x)
    return {"image": x}
