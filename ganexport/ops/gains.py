"""Gains that are put into what is small, where a positive one may come before a leaky ReLU as well as after it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ganexport.ops.graph import Value, Weight
from ganexport.ops.protocol import Activation, Fir, GivenNoise, Noise, Ops, StoredNoise

__all__ = ["FoldedGains"]


class FoldedGains(Ops[Value, Weight]):
    """Layers whose gain goes into the demodulation, the strength of the noise and the bias."""

    def styled_conv2d(  # noqa: D102 - documented in the protocol
        self,
        x: Value,
        kernel: Weight,
        style: Value,
        noise: Noise[Value, Weight] | None,
        bias: Weight,
        activation: Activation,
        *,
        kernel_size: int,
        up_fir: Fir | None = None,
    ) -> Value:
        gain, demodulation = activation.gain, self.demodulation(kernel, style)
        scale = demodulation if gain == 1.0 else self.scale(demodulation, gain)
        x = self.scaled_conv2d(x, kernel, style, scale, kernel_size=kernel_size, up_fir=up_fir)
        x = self.add_bias(self.with_noise(x, _scaled_noise(noise, gain)), _scaled_weight(bias, gain))
        return self.activate(x, replace(activation, gain=1.0))

    def scaled_conv2d(
        self, x: Value, kernel: Weight, style: Value, scale: Value, *, kernel_size: int, up_fir: Fir | None
    ) -> Value:
        """Convolution with the input's channels times `style` [N, I] and the result's times `scale` [N, O]."""
        x = self.modulated_conv2d(x, kernel, style, kernel_size=kernel_size, demodulate=False, up_fir=up_fir)
        return self.scale_channels(x, scale)


def _scaled_weight(weight: Weight, factor: float) -> Weight:
    """The weight · factor."""
    return weight if factor == 1.0 else Weight(f"{weight.name}.gain", np.asarray(weight.array * np.float32(factor)))


def _scaled_noise(noise: Noise[Value, Weight] | None, factor: float) -> Noise[Value, Weight] | None:
    """The noise with its strength scaled."""
    if isinstance(noise, StoredNoise | GivenNoise):
        return replace(noise, strength=_scaled_weight(noise.strength, factor))
    return None
