"""`TrainingOps`: TensorFlow as training needs it, with fresh noise for each picture."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ganexport.ops.tensorflow_ops import TensorFlowOps
from train.random import stream

__all__ = ["TrainingOps"]

Tensor = Any


class TrainingOps(TensorFlowOps):
    """Draws fresh noise for each picture, from a stream keyed by seed, step and layer.

    Attributes:
        compute: Type of the large layers: float32 or bfloat16.
    """

    def __init__(self, seed: Tensor, compute: Any = tf.float32) -> None:
        self._seed, self._layer = seed, 0
        self.compute = compute

    def add_noise(self, x: Tensor, noise_const: Tensor, noise_strength: Tensor, noise_scale: Tensor) -> Tensor:
        del noise_const, noise_scale
        self._layer += 1
        shape = tf.concat([tf.shape(x)[:3], [1]], axis=0)
        # The const map of the first block has a batch of 1 until it is modulated; here it already has N.
        noise = tf.random.stateless_normal(shape, stream(self._seed, self._layer), dtype=tf.float32)
        return x + tf.cast(noise * noise_strength, x.dtype)
