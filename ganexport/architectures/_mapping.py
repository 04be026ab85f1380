"""The mapping network: z and a label's embedding, each normalised, through dense layers (StyleGAN2-ADA, StyleGAN3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

from pydantic import Field, model_validator

from ganexport.ops.protocol import Ops
from ganexport.spec import GeneratorSpec

__all__ = ["GAIN", "SLOPE", "MappedSpec", "dense_layers", "mapping", "mapping_shapes"]

T = TypeVar("T")
W = TypeVar("W")

SLOPE = 0.2
GAIN = math.sqrt(2.0)


class MappedSpec(GeneratorSpec):
    """A generator with a mapping network.

    Attributes:
        mapping_layers: Dense layers of the mapping network.
        mapping_width: Features of its hidden layers.
        embed_dim: Features of the label embedding; 0 without labels.
    """

    w_dim: int = Field(default=512, ge=1, le=65536)
    mapping_layers: int = Field(default=8, ge=1, le=64)
    mapping_width: int = Field(default=512, ge=1, le=65536)
    embed_dim: int = Field(default=0, ge=0, le=65536)

    @model_validator(mode="after")
    def _check_embedding(self) -> MappedSpec:
        if (self.embed_dim > 0) != (self.c_dim > 0):
            raise ValueError(f"embed_dim {self.embed_dim} and c_dim {self.c_dim} must both be zero or neither")
        return self


def mapping_shapes(spec: MappedSpec) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the mapping's canonical tensors."""
    shapes: dict[str, tuple[int, ...]] = {}
    if spec.c_dim:
        shapes["mapping.embed.weight"] = (spec.embed_dim, spec.c_dim)
        shapes["mapping.embed.bias"] = (spec.embed_dim,)
    widths = [spec.z_dim + spec.embed_dim, *[spec.mapping_width] * (spec.mapping_layers - 1), spec.w_dim]
    for i in range(spec.mapping_layers):
        shapes[f"mapping.fc{i}.weight"] = (widths[i + 1], widths[i])
        shapes[f"mapping.fc{i}.bias"] = (widths[i + 1],)
    shapes["mapping.w_avg"] = (spec.w_dim,)
    return shapes


def mapping(
    ops: Ops[T, W], weights: Mapping[str, W], spec: MappedSpec, z: T, c: T | None, truncation_psi: T
) -> dict[str, T]:
    """z [N, z_dim], c [N, c_dim], truncation_psi [N, num_ws] -> `ws` [N, num_ws, w_dim].

    Source: Karras et al. 2019 (StyleGAN), section 2 and appendix B (truncation); labels as in StyleGAN2-ADA.
    """
    x = ops.pixel_norm(z)
    if c is not None:
        label = ops.dense(c, weights["mapping.embed.weight"], weights["mapping.embed.bias"])
        x = ops.concat([x, ops.pixel_norm(label)])  # [N, z_dim + embed_dim]
    return dense_layers(ops, weights, spec, x, truncation_psi)


def dense_layers(ops: Ops[T, W], weights: Mapping[str, W], spec: MappedSpec, x: T, truncation_psi: T) -> dict[str, T]:
    """What z and label were made, [N, z_dim + embed_dim] -> `ws` [N, num_ws, w_dim]."""
    for i in range(spec.mapping_layers):
        x = ops.dense(x, weights[f"mapping.fc{i}.weight"], weights[f"mapping.fc{i}.bias"])
        x = ops.scale(ops.leaky_relu(x, SLOPE), GAIN)
    return {"ws": ops.truncate(x, weights["mapping.w_avg"], truncation_psi)}
