"""Noise of a layer, in whichever mode the graph is drawn: stored, given as an input, or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from ganexport.ops.protocol import GivenNoise, Noise, StoredNoise

__all__ = ["layer_noise", "noise_input"]

T = TypeVar("T")
W = TypeVar("W")


def noise_input(layer: str) -> str:
    """Name of the graph input that holds the noise of `synthesis.{…}`: `noise.b8.conv0`."""
    return layer.replace("synthesis.", "noise.", 1)


def layer_noise(weights: Mapping[str, W], inputs: Mapping[str, T], layer: str) -> Noise[T, W] | None:
    """Noise of `layer`: given as `noise.{…}` [N, 1, H, W], else stored, scaled by `noise_scale` [N]; else none."""
    strength = weights[f"{layer}.noise_strength"]
    if (given := inputs.get(noise_input(layer))) is not None:
        return GivenNoise(given, strength)
    if (scale := inputs.get("noise_scale")) is not None:
        return StoredNoise(weights[f"{layer}.noise_const"], strength, scale)
    return None
