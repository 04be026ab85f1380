"""Losses on what a picture shows: its class, and the codes that it was drawn from."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

__all__ = ["information_loss", "mismatch_loss"]

Tensor = Any


def mismatch_loss(costs: Tensor, labels: Tensor, wrong: Tensor) -> Tensor:
    """A real picture of another class is no picture of this one: what D pays [N] for it as for a generated one.

    Pictures whose label [N, c_dim] and `wrong` label happen to agree do not count.

    Source: Reed et al. 2016 (Generative Adversarial Text to Image Synthesis), section 4.1.
    """
    differs = 1.0 - tf.reduce_sum(labels * wrong, axis=1)  # [N]
    return tf.reduce_mean(costs * differs)


def information_loss(
    category_logits: Tensor | None, categories: Tensor | None, means: Tensor | None, codes: Tensor | None
) -> Tensor:
    """How badly Q tells from a picture the codes it was drawn from: −log Q(codes | picture), for G and Q to minimise.

    Args:
        category_logits: Q's logits [N, c_dim] for the categorical code; None without one.
        categories: The code, one-hot [N, c_dim].
        means: Q's means [N, k] for the continuous codes, which it takes for normal with deviation 1; None without them.
        codes: These codes [N, k].

    Returns:
        [] The cross-entropy of the category, plus the sum over the codes of the normal distribution's negative
        log-likelihood; the mean over the batch.

    Source: Chen et al. 2016 (InfoGAN), equation 5 and section 6; a fixed deviation as in the published program.
    """
    total: Tensor = 0.0
    if category_logits is not None:
        total += tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(categories, category_logits))
    if means is not None:
        each = 0.5 * tf.square(codes - means) + 0.5 * math.log(2.0 * math.pi)  # [N, k]
        total += tf.reduce_mean(tf.reduce_sum(each, axis=1))
    return total
