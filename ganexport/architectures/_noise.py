"""Noise of a layer, in whichever mode the graph is drawn: stored, given as an input, or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from ganexport.ops.protocol import Ops

__all__ = ["noise_input", "with_noise"]

T = TypeVar("T")
W = TypeVar("W")


def noise_input(layer: str) -> str:
    """Name of the graph input that holds the noise of `synthesis.{…}`: `noise.b8.conv0`."""
    return layer.replace("synthesis.", "noise.", 1)


def with_noise(ops: Ops[T, W], weights: Mapping[str, W], inputs: Mapping[str, T], layer: str, x: T) -> T:
    """x [N, C, H, W] with the noise of `layer`.

    Given noise, `noise.{…}` [N, 1, H, W], is added times the layer's strength; else the stored noise times the strength
    and the input `noise_scale` [N]; with neither input there is none.
    """
    strength = weights[f"{layer}.noise_strength"]
    if (given := inputs.get(noise_input(layer))) is not None:
        return ops.add_given_noise(x, given, strength)
    if (scale := inputs.get("noise_scale")) is not None:
        return ops.add_noise(x, weights[f"{layer}.noise_const"], strength, scale)
    return x
