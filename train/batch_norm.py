"""BatchNorm in training: the statistics are those of the batch, over all replicas; what is exported has them folded in.

An architecture is written once, with biases. In training a `BatchNorm` is passed in the place of a layer's bias, and
`TrainingOps` normalises where it meets one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from train.equalized import Parameter

__all__ = ["BatchNorm", "folded", "parameters", "standardised"]

Tensor = Any
EPSILON = 1e-5


@dataclass(frozen=True)
class BatchNorm:
    """What follows a layer in place of its bias.

    Attributes:
        layer: Name of the layer.
        gamma: [C] deviation of each channel after it.
        beta: [C] mean of each channel after it.
    """

    layer: str
    gamma: Tensor
    beta: Tensor


def parameters(layer: str, channels: int) -> dict[str, Parameter]:
    """What is trained in place of `LAYER.bias`, and the running statistics.

    Source: starts as in Radford et al. 2016 and its published program: gamma normal around 1, beta 0.
    """
    return {
        f"{layer}.gamma": Parameter((channels,), initial=0.02, offset=1.0),
        f"{layer}.beta": Parameter((channels,), initial=0.0),
        f"{layer}.mean": Parameter((channels,), initial=0.0, trainable=False),
        f"{layer}.variance": Parameter((channels,), initial=0.0, offset=1.0, trainable=False),
    }


def standardised(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """X with mean 0 and variance 1 in each of its last axis's channels, over all else and all replicas.

    Returns:
        The result, of the shape of x; and the batch's mean [C] and variance [C], float32.

    Source: Ioffe and Szegedy 2015 (Batch Normalization), algorithm 1.
    """
    axes, exact = list(range(len(x.shape) - 1)), tf.cast(x, tf.float32)
    mean = _over_replicas(tf.reduce_mean(exact, axes))
    variance = _over_replicas(tf.reduce_mean(tf.square(exact - mean), axes))
    return tf.cast((exact - mean) * tf.math.rsqrt(variance + EPSILON), x.dtype), mean, variance


def folded(values: Mapping[str, Tensor], layer: str) -> tuple[Tensor, Tensor]:
    """`LAYER.weight` [O, …] and `LAYER.bias` [O] that do what layer and BatchNorm do with the running statistics.

    Arrays and TensorFlow tensors alike.

    Source: Ioffe and Szegedy 2015, algorithm 2, line 11.
    """
    weight = values[f"{layer}.weight"]
    scale = values[f"{layer}.gamma"] * (values[f"{layer}.variance"] + EPSILON) ** -0.5  # [O]
    column = scale[(slice(None), *[None] * (len(weight.shape) - 1))]  # [O, 1, …]
    return weight * column, values[f"{layer}.beta"] - values[f"{layer}.mean"] * scale


def _over_replicas(mean: Tensor) -> Tensor:
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:  # None between steps, where pictures are measured
        return mean
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, mean)
