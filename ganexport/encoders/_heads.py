"""The last layers of every encoder: from features to latents, and to classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from ganexport.encoders.spec import EncoderSpec
from ganexport.ops.protocol import Ops

__all__ = ["head_shapes", "heads"]

T = TypeVar("T")
W = TypeVar("W")


def head_shapes(spec: EncoderSpec, width: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the last layers' canonical tensors, for features [N, width]."""
    numbers = spec.latent_dim * max(spec.num_ws, 1)
    shapes: dict[str, tuple[int, ...]] = {"latent.weight": (numbers, width), "latent.bias": (numbers,)}
    if spec.c_dim:
        shapes |= {"class.weight": (spec.c_dim, width), "class.bias": (spec.c_dim,)}
    return shapes


def heads(ops: Ops[T, W], weights: Mapping[str, W], spec: EncoderSpec, features: T) -> dict[str, T]:
    """Features [N, F] -> `z` [N, z_dim] or `ws` [N, num_ws, w_dim]; with classes `c_logits` [N, c_dim]."""
    x = ops.dense(features, weights["latent.weight"], weights["latent.bias"])
    if spec.reach == "sphere":
        x = ops.pixel_norm(x)
    elif spec.reach == "cube":
        x = ops.tanh(x)
    outputs = {"z": x} if spec.space == "z" else {"ws": ops.as_ws(x, spec.num_ws)}
    if spec.c_dim:
        outputs["c_logits"] = ops.dense(features, weights["class.weight"], weights["class.bias"])
    return outputs
