"""What D is told of how pictures lie to each other, so that a generator that draws one picture only is found out.

`group` consecutive pictures are compared. They must share a label: over mixed labels the generator satisfies the
statistic with one picture a class.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from train.config import Config
from train.equalized import Parameter

__all__ = ["compared", "comparison", "minibatch_similarity", "minibatch_stddev", "statistics_of"]

Tensor = Any
VIEWS = "minibatch.views"
NUMBERS = 5
"""Numbers in each view (Salimans et al. 2016, section 3.2)."""


def comparison(features: int, config: Config) -> dict[str, Parameter]:
    """The parameter of `compared` for pictures of so many features; none where `Config.minibatch_views` is 0."""
    shape = (features, config.minibatch_views, NUMBERS)
    return {VIEWS: Parameter(shape, gain=1.0 / math.sqrt(features))} if config.minibatch_views else {}


def compared(weights: Mapping[str, Tensor], features: Tensor, config: Config) -> Tensor:
    """Features [N, F] float32, and after them how like its group each picture is, where that is asked for."""
    if VIEWS not in weights:
        return features
    return tf.concat([features, minibatch_similarity(features, weights[VIEWS], config.group)], axis=1)


def statistics_of(channels: int) -> int:
    """How many maps of minibatch standard deviation stand beside so many feature maps: 8, or what divides them evenly.

    With equalised learning rates a single one among many channels is heard too late: small generators had collapsed by
    then.
    """
    return math.gcd(channels, 8)


def minibatch_stddev(x: Tensor, group: int, statistics: int) -> Tensor:
    """Maps [N, H, W, statistics]: how much the pictures of a group differ.

    The standard deviation over the group is averaged over positions and over C / statistics neighbouring channels.

    Source: Karras et al. 2018, section 3; several statistics as in StyleGAN2-ADA.
    """
    n = tf.shape(x)[0]
    h, w, c = x.shape[1:]
    grouped = tf.reshape(x, [-1, group, h, w, statistics, c // statistics])  # [N/G, G, H, W, S, C/S]
    variance = tf.math.reduce_variance(grouped, axis=1)
    stddev = tf.reduce_mean(tf.sqrt(variance + tf.constant(1e-8, x.dtype)), axis=[1, 2, 4])  # [N/G, S]
    return tf.ones([n, h, w, statistics], x.dtype) * tf.repeat(stddev, group, axis=0)[:, None, None, :]


def minibatch_similarity(features: Tensor, kernel: Tensor, group: int) -> Tensor:
    """[N, B]: how like the others of its group each picture is, in B learnt views of C numbers.

    o_b = Σ over the others of exp(−‖difference of the views‖₁), from 0 (alone) to group − 1 (all are one picture).

    Args:
        features: [N, F].
        kernel: [F, B, C].
        group: Pictures that are compared.

    Source: Salimans et al. 2016, section 3.2; without the picture itself, as in the published program.
    """
    views = tf.tensordot(features, kernel, 1)  # [N, B, C]
    grouped = tf.reshape(views, [-1, group, *views.shape[1:]])  # [N/G, G, B, C]
    apart = tf.reduce_sum(tf.abs(grouped[:, :, None] - grouped[:, None]), axis=-1)  # [N/G, G, G, B]
    return tf.reshape(tf.reduce_sum(tf.exp(-apart), axis=2) - 1.0, [-1, kernel.shape[1]])
