"""Gains that are put into what is small, where a positive one may come before a leaky ReLU as well as after it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ganexport.ops.graph import Value, Weight
from ganexport.ops.protocol import GivenNoise, Noise, StoredNoise

__all__ = ["scaled_noise", "scaled_weight"]


def scaled_weight(weight: Weight, factor: float) -> Weight:
    """The weight · factor."""
    return weight if factor == 1.0 else Weight(f"{weight.name}.gain", np.asarray(weight.array * np.float32(factor)))


def scaled_noise(noise: Noise[Value, Weight] | None, factor: float) -> Noise[Value, Weight] | None:
    """The noise with its strength scaled."""
    if isinstance(noise, StoredNoise | GivenNoise):
        return replace(noise, strength=scaled_weight(noise.strength, factor))
    return None
