"""Penalties on gradients: of the discriminator with regard to pictures, of the generator with regard to w."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

__all__ = ["gradient_penalty", "path_length", "r1_penalty"]

Tensor = Any
Critic = Callable[[Tensor], Tensor]
"""Images [N, H, W, C] -> logits [N]."""

TINY = 1e-12
"""Under a square root, whose slope at 0 has no bound."""


def r1_penalty(discriminator: Critic, images: Tensor) -> Tensor:
    """½ · mean over the batch of ‖∂D/∂image‖², to be scaled by gamma.

    Source: Mescheder et al. 2018, equation 9.
    """
    return 0.5 * tf.reduce_mean(_squared_slope(discriminator, images))


def gradient_penalty(discriminator: Critic, real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
    """Mean over the batch of (‖∂D/∂mix‖ − 1)², to be scaled by lambda: the critic's slope is held at 1 from both sides.

    Args:
        discriminator: A critic that judges each picture by itself: with batch statistics there is no slope of one.
        real: [N, H, W, C].
        fake: [N, H, W, C].
        share: [N], uniform in 0…1: how much of the real picture is in each mix.

    Returns:
        [].

    Source: Gulrajani et al. 2017 (WGAN-GP), equation 3 and algorithm 1.
    """
    share = share[:, None, None, None]
    mix = share * real + (1.0 - share) * fake
    slope = tf.sqrt(_squared_slope(discriminator, mix) + TINY)
    return tf.reduce_mean(tf.square(slope - 1.0))


def path_length(
    synthesis: Callable[[Tensor], Tensor], ws: Tensor, noise: Tensor, mean: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean over the batch of (‖Jᵀy‖ − a)²: a step in w should change the picture by one amount everywhere.

    Args:
        synthesis: ws -> images [N, H, W, C].
        ws: [N, num_ws, w_dim].
        noise: y before its scale: standard normal [N, H, W, C].
        mean: [] The a of before: the lengths' running mean.

    Returns:
        The penalty [], to be scaled by its weight, and this batch's mean length [], towards which a is to move. No
        gradient flows through either mean.

    Source: Karras et al. 2020 (StyleGAN2), section 3.2 and appendix B; where every layer has its own w, a length is
        the root of the mean over the layers of the squared lengths, as in the published program.
    """
    height, width = noise.shape[1:3]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(ws)
        total = tf.reduce_sum(synthesis(ws) * noise) / math.sqrt(height * width)
    slope = tape.gradient(total, ws)  # Jᵀy [N, num_ws, w_dim]
    lengths = tf.sqrt(tf.reduce_mean(tf.reduce_sum(tf.square(slope), axis=2), axis=1) + TINY)  # [N]
    penalty = tf.reduce_mean(tf.square(lengths - tf.stop_gradient(mean)))
    return penalty, tf.stop_gradient(tf.reduce_mean(lengths))


def _squared_slope(discriminator: Critic, images: Tensor) -> Tensor:
    """‖∂D/∂image‖² [N] at each of the images."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        total = tf.reduce_sum(discriminator(images))
    gradient = tape.gradient(total, images)
    return tf.reduce_sum(tf.square(gradient), axis=[1, 2, 3])
