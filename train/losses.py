"""Losses on logits, each the mean over a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

__all__ = ["discriminator_loss", "generator_loss", "mismatch_loss", "r1_penalty"]

Tensor = Any


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Logistic loss: softplus(D(fake)) + softplus(−D(real)).

    Source: Goodfellow et al. 2014, equation 1.
    """
    return tf.reduce_mean(tf.nn.softplus(fake_logits)) + tf.reduce_mean(tf.nn.softplus(-real_logits))


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Non-saturating logistic loss: softplus(−D(fake)).

    Source: Goodfellow et al. 2014, section 3.
    """
    return tf.reduce_mean(tf.nn.softplus(-fake_logits))


def mismatch_loss(logits: Tensor, labels: Tensor, wrong: Tensor) -> Tensor:
    """softplus(D(real, wrong label)): a real picture of another class is no picture of this one.

    Pictures whose label [N, c_dim] and `wrong` label happen to agree do not count.

    Source: Reed et al. 2016 (Generative Adversarial Text to Image Synthesis), section 4.1.
    """
    differs = 1.0 - tf.reduce_sum(labels * wrong, axis=1)  # [N]
    return tf.reduce_mean(tf.nn.softplus(logits) * differs)


def r1_penalty(discriminator: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """½ · mean over the batch of ‖∂D/∂image‖², to be scaled by gamma.

    Source: Mescheder et al. 2018, equation 9.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        total = tf.reduce_sum(discriminator(images))
    gradient = tape.gradient(total, images)
    return 0.5 * tf.reduce_mean(tf.reduce_sum(tf.square(gradient), axis=[1, 2, 3]))
