"""How the discriminators of the style-based family end: from the 4×4 maps to logits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from ganexport.spec import GeneratorSpec
from train.config import Config
from train.discriminators import Answers
from train.discriminators.minibatch import compared, statistics_of

__all__ = ["end_shapes", "projected"]

Tensor = Any


def end_shapes(config: Config, spec: GeneratorSpec) -> dict[str, tuple[int, ...]]:
    """Shapes of the 4×4 convolution beside the minibatch statistics, the dense layer, and what gives the logit."""
    width, shapes = config.d_channels[0], dict[str, tuple[int, ...]]()
    shapes["b4.conv.weight"], shapes["b4.conv.bias"] = (3, 3, width + statistics_of(width), width), (width,)
    shapes["b4.fc.weight"], shapes["b4.fc.bias"] = (16 * width, width), (width,)
    if spec.c_dim:
        shapes["label.weight"] = (spec.c_dim, width + config.minibatch_views)
    else:
        shapes["out.weight"], shapes["out.bias"] = (width + config.minibatch_views,), ()
    return shapes


def projected(weights: Mapping[str, Tensor], features: Tensor, labels: Tensor | None, config: Config) -> Answers:
    """Features [N, F] float32 -> logits: a dense layer's, or the projection on the label's direction."""
    x = compared(weights, features, config)  # [N, F + views]
    if labels is None:
        return Answers(tf.reduce_sum(x * weights["out.weight"], axis=1) + weights["out.bias"], features)
    direction = tf.matmul(labels, weights["label.weight"])  # [N, F + views]
    direction *= tf.math.rsqrt(tf.reduce_mean(tf.square(direction), axis=1, keepdims=True) + 1e-8)
    return Answers(tf.reduce_sum(x * direction, axis=1) / math.sqrt(x.shape[1]), features)
