"""DCGAN's discriminator: strided convolutions down to the size at which the generator begins.

Maps are [N, H, W, C]; kernels are [kh, kw, I, O].
"""

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
    """Parameters by name; `d_channels` run from the smallest maps to the largest, as in the generator."""
    result: dict[str, Parameter] = {}
    into, labels = int(spec.image_channels), labels_seen(config, spec)
    for i, out in enumerate(reversed(config.d_channels)):
        add_layer(result, f"conv{i}", (4, 4, into + labels, out), normalised=config.d_norm == "batch" and i > 0)
        into = out
    last = spec.resolution >> len(config.d_channels)
    add_last(result, last * last * into, config, spec)
    return result


def discriminate(weights: Mapping[str, Tensor], images: Tensor, labels: Tensor | None, config: Config) -> Answers:
    """Images [N, H, W, C] and one-hot labels [N, c_dim] -> answers. Labels go into every layer, as one-hot maps.

    Source: Radford et al. 2016 (DCGAN), section 3; labels as in their appendix and in Mirza and Osindero 2014.
    """
    x = images
    for i in range(len(config.d_channels)):
        if labels is not None:
            h, w = x.shape[1:3]
            maps = tf.tile(tf.cast(labels, x.dtype)[:, None, None, :], [1, h, w, 1])
            x = tf.concat([x, maps], axis=-1)  # [N, H, W, C + c_dim]
        x = tf.nn.conv2d(x, tf.cast(weights[f"conv{i}.weight"], x.dtype), 2, "SAME")  # [N, H/2, W/2, C']
        x = activate(x, weights, f"conv{i}")
    return judged(weights, tf.reshape(x, [-1, math.prod(x.shape[1:])]), labels, config)
