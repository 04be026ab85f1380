"""The dense GAN: a latent through dense layers, the last of which holds every pixel (Goodfellow et al. 2014)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

from pydantic import Field, model_validator

from ganexport.ops.protocol import Ops
from ganexport.spec import GeneratorSpec

__all__ = ["Spec", "synthesis", "weight_shapes"]

T = TypeVar("T")
W = TypeVar("W")


class Spec(GeneratorSpec):
    """A dense generator; BatchNorm is folded into weights and biases.

    Attributes:
        hidden: Width of each layer between the latent and the picture.
        slope: Of the leaky ReLU after each of them; 0 makes it a ReLU. The last layer ends in tanh.
        label_layers: With labels, the one-hot `c` is concatenated to what goes into the `first` layer or `every` one.
    """

    architecture: Literal["mlp"] = "mlp"
    hidden: tuple[int, ...] = Field(min_length=1, max_length=64)
    slope: float = Field(default=0.2, ge=0, lt=1)
    label_layers: Literal["first", "every"] = "first"

    @model_validator(mode="after")
    def _check_widths(self) -> Spec:
        if min(self.hidden) < 1:
            raise ValueError(f"every hidden layer needs a width of 1 or more, found {self.hidden}")
        if self.has_w_space:
            raise ValueError("a dense GAN has no w space: leave w_dim and num_ws at 0")
        return self


def weight_shapes(spec: Spec) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the canonical tensors, in the order in which they are used; dense weights [O, I].

    The outputs of the last layer are pixels in the order channel, row, column.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    into = spec.z_dim
    for i, out in enumerate((*spec.hidden, spec.image_channels * spec.resolution**2)):
        labels = spec.c_dim if i == 0 or spec.label_layers == "every" else 0
        shapes[f"synthesis.fc{i}.weight"] = (out, into + labels)
        shapes[f"synthesis.fc{i}.bias"] = (out,)
        into = out
    return shapes


def synthesis(ops: Ops[T, W], weights: Mapping[str, W], spec: Spec, inputs: Mapping[str, T]) -> dict[str, T]:
    """`z` [N, z_dim], `c` [N, c_dim] -> `image` [N, C, H, W].

    Source: Goodfellow et al. 2014, section 5; labels joined to layers as in Mirza and Osindero 2014, section 3.2.
    """
    x, c = inputs["z"], inputs.get("c")
    for i in range(len(spec.hidden) + 1):
        if c is not None and (i == 0 or spec.label_layers == "every"):
            x = ops.concat([x, c])
        x = ops.dense(x, weights[f"synthesis.fc{i}.weight"], weights[f"synthesis.fc{i}.bias"])
        if i < len(spec.hidden):
            x = ops.leaky_relu(x, spec.slope) if spec.slope else ops.relu(x)
    return {"image": ops.tanh(ops.as_picture(x, spec.image_channels))}
