"""`TrainingOps`: TensorFlow as training needs it, with fresh noise for each picture and the statistics of the batch."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ganexport.ops.tensorflow_ops import TensorFlowOps
from train.batch_norm import BatchNorm, standardised
from train.random import normal, stream

__all__ = ["TrainingOps"]

Tensor = Any


class TrainingOps(TensorFlowOps):
    """Draws fresh noise for each picture, from a stream keyed by seed, step and layer; normalises by the batch.

    Attributes:
        compute: Type of the large layers: float32 or bfloat16.
        seen: This batch's value of every running statistic, by the statistic's name.
    """

    def __init__(self, seed: Tensor, compute: Any = tf.float32) -> None:
        self._seed, self._layer = seed, 0
        self.compute = compute
        self.seen: dict[str, Tensor] = {}

    def dense(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        y = super().dense(x, weight)
        return y if bias is None else self.add_bias(y, bias)

    def add_bias(self, x: Tensor, bias: Tensor | BatchNorm) -> Tensor:
        if not isinstance(bias, BatchNorm):
            return super().add_bias(x, bias)
        x, mean, variance = standardised(x)
        self.seen |= {f"{bias.layer}.mean": mean, f"{bias.layer}.variance": variance}
        return super().add_bias(x * tf.cast(bias.gamma, x.dtype), bias.beta)

    def add_noise(self, x: Tensor, noise_const: Tensor, noise_strength: Tensor, noise_scale: Tensor) -> Tensor:
        del noise_const
        self._layer += 1
        shape = [tf.shape(noise_scale)[0], *x.shape[1:3], 1]  # StyleGAN's first x is a constant, of one picture
        noise = normal(shape, stream(self._seed, self._layer))
        return x + tf.cast(noise * noise_strength, x.dtype)
