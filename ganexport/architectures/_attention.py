"""A layer of linear self-attention and a feed-forward one, for maps; each adds to what comes in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from ganexport.ops.protocol import Ops

__all__ = ["HEADS", "WIDTH", "attended", "attention_shapes"]

T = TypeVar("T")
W = TypeVar("W")

HEADS = 8
WIDTH = 64
"""Channels of one head."""
EPSILON = 1e-5
SLOPE = 0.2


def attention_shapes(block: str, channels: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the canonical tensors; 1/√WIDTH is in `v.weight`."""
    attention, feedforward = f"{block}.attention", f"{block}.feedforward"
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in (attention, feedforward):
        shapes |= {f"{layer}.norm.gain": (channels,), f"{layer}.norm.bias": (channels,)}
    for name in ("q", "k", "v"):
        shapes[f"{attention}.{name}.weight"] = (HEADS * WIDTH, channels, 1, 1)
    shapes[f"{attention}.depthwise.weight"] = (channels, 1, 3, 3)
    for layer, out, into in (
        (f"{attention}.out", channels, HEADS * WIDTH),
        (f"{feedforward}.fc0", 2 * channels, channels),
        (f"{feedforward}.fc1", channels, 2 * channels),
    ):
        shapes |= {f"{layer}.weight": (out, into, 1, 1), f"{layer}.bias": (out,)}
    return shapes


def attended(ops: Ops[T, W], weights: Mapping[str, W], block: str, x: T) -> T:
    """x [N, C, H, W] -> [N, C, H, W].

    Source: Shen et al. 2021 (Efficient Attention), section 3.2; k and v see each pixel's neighbours too.
    """
    attention, feedforward = f"{block}.attention", f"{block}.feedforward"

    def normed(layer: str, x: T) -> T:
        return ops.channel_norm(x, weights[f"{layer}.norm.gain"], weights[f"{layer}.norm.bias"], EPSILON)

    def mixed(layer: str, x: T) -> T:
        return ops.add_bias(ops.conv2d(x, weights[f"{layer}.weight"], 0), weights[f"{layer}.bias"])

    y = normed(attention, x)
    q = ops.conv2d(y, weights[f"{attention}.q.weight"], 0)  # [N, HEADS · WIDTH, H, W]
    y = ops.depthwise_conv2d(y, weights[f"{attention}.depthwise.weight"], 1)
    k, v = (ops.conv2d(y, weights[f"{attention}.{name}.weight"], 0) for name in ("k", "v"))
    x = ops.add(x, mixed(f"{attention}.out", ops.gelu(ops.linear_attention(q, k, v, HEADS))))
    y = ops.leaky_relu(mixed(f"{feedforward}.fc0", normed(feedforward, x)), SLOPE)  # [N, 2C, H, W]
    return ops.add(x, mixed(f"{feedforward}.fc1", y))
