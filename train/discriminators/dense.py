"""The dense GAN's discriminator: every layer reads all of the one before."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from ganexport.spec import GeneratorSpec
from train.config import Config
from train.discriminators import Answers
from train.discriminators._layers import activate, add_last, add_layer, judged, labels_seen
from train.equalized import Parameter

__all__ = ["discriminate", "parameters"]

Tensor = Any


def parameters(config: Config, spec: GeneratorSpec) -> dict[str, Parameter]:
    """Parameters by name; `d_channels` run from the answer's end to the picture's, as in the generator from z on."""
    result: dict[str, Parameter] = {}
    into, labels = spec.image_channels * spec.resolution**2, labels_seen(config, spec)
    for i, out in enumerate(reversed(config.d_channels)):
        add_layer(result, f"fc{i}", (into + labels, out), normalised=config.d_norm == "batch" and i > 0)
        into = out
    add_last(result, into, config, spec)
    return result


def discriminate(weights: Mapping[str, Tensor], images: Tensor, labels: Tensor | None, config: Config) -> Answers:
    """Images [N, H, W, C] and one-hot labels [N, c_dim], which go into every layer -> answers.

    Source: Goodfellow et al. 2014, section 5; labels as in Mirza and Osindero 2014, section 3.2.
    """
    x = tf.reshape(images, [-1, math.prod(images.shape[1:])])  # [N, H·W·C]
    for i in range(len(config.d_channels)):
        if labels is not None:
            x = tf.concat([x, tf.cast(labels, x.dtype)], axis=1)
        x = activate(tf.matmul(x, tf.cast(weights[f"fc{i}.weight"], x.dtype)), weights, f"fc{i}")
    return judged(weights, x, labels, config)
