"""The residual discriminator of StyleGAN2, with minibatch standard deviation and label projection.

Maps are [N, H, W, C]; kernels are [kh, kw, I, O].
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from ganexport.ops.protocol import fir_taps
from ganexport.spec import GeneratorSpec
from train.config import Config
from train.discriminators import Answers
from train.discriminators._end import end_shapes, projected
from train.discriminators.minibatch import comparison, minibatch_stddev, statistics_of
from train.equalized import Parameter

__all__ = ["discriminate", "parameters"]

Tensor = Any
FIR = (1.0, 3.0, 3.0, 1.0)
SLOPE, GAIN = 0.2, math.sqrt(2.0)


def parameters(config: Config, spec: GeneratorSpec) -> dict[str, Parameter]:
    """Parameters by name; `d_channels` run from 4×4 up to the full resolution, as in the generator."""
    channels = config.d_channels
    shapes: dict[str, tuple[int, ...]] = {"fromrgb.weight": (1, 1, spec.image_channels, channels[-1])}
    shapes["fromrgb.bias"] = (channels[-1],)
    for i in range(len(channels) - 1, 0, -1):
        block, into, out = f"b{4 << i}", channels[i], channels[i - 1]
        shapes[f"{block}.conv0.weight"], shapes[f"{block}.conv0.bias"] = (3, 3, into, into), (into,)
        shapes[f"{block}.conv1.weight"], shapes[f"{block}.conv1.bias"] = (3, 3, into, out), (out,)
        shapes[f"{block}.skip.weight"] = (1, 1, into, out)
    shapes |= end_shapes(config, spec)
    return {name: _parameter(name, shape) for name, shape in shapes.items()} | comparison(channels[0], config)


def _parameter(name: str, shape: tuple[int, ...]) -> Parameter:
    if name.endswith(".bias"):
        return Parameter(shape, initial=0.0)
    if name == "label.weight":
        return Parameter(shape)  # normalised when used
    fan_in = shape[0] if name == "out.weight" else math.prod(shape[:-1])
    return Parameter(shape, gain=1.0 / math.sqrt(fan_in))


def discriminate(weights: Mapping[str, Tensor], images: Tensor, labels: Tensor | None, config: Config) -> Answers:
    """Images [N, H, W, C] and one-hot labels [N, c_dim] -> logits and features of the last hidden layer.

    With labels the logit is the projection on the label's own direction and nothing else, so that a discriminator
    that knows real from fake must know the classes too.

    Source: Karras et al. 2020 (StyleGAN2), figure 7, and its ADA successor; projection by Miyato and Koyama 2018.
    """

    def bias(name: str) -> Tensor:
        return tf.cast(weights[name], images.dtype)

    def conv(x: Tensor, name: str, stride: int = 1, padding: str = "SAME") -> Tensor:
        return tf.nn.conv2d(x, tf.cast(weights[name], x.dtype), stride, padding)

    def activate(x: Tensor, name: str) -> Tensor:
        return tf.nn.leaky_relu(x + bias(name), SLOPE) * GAIN

    x = activate(conv(images, "fromrgb.weight"), "fromrgb.bias")
    while x.shape[1] > 4:
        block = f"b{x.shape[1]}"
        shortcut = conv(_blur(x, (1, 1), stride=2), f"{block}.skip.weight")
        x = activate(conv(x, f"{block}.conv0.weight"), f"{block}.conv0.bias")
        x = conv(_blur(x, (2, 2)), f"{block}.conv1.weight", stride=2, padding="VALID")
        x = (activate(x, f"{block}.conv1.bias") + shortcut) * math.sqrt(0.5)  # [N, H/2, W/2, C']
    x = tf.concat([x, minibatch_stddev(x, config.group, statistics_of(x.shape[-1]))], axis=-1)  # [N, 4, 4, C + S]
    x = activate(conv(x, "b4.conv.weight"), "b4.conv.bias")
    x = tf.reshape(x, [-1, math.prod(x.shape[1:])])  # [N, 16 C]
    x = activate(tf.matmul(x, tf.cast(weights["b4.fc.weight"], x.dtype)), "b4.fc.bias")
    return projected(weights, tf.cast(x, tf.float32), labels, config)


def _blur(x: Tensor, padding: tuple[int, int], stride: int = 1) -> Tensor:
    """The resample filter in every channel, and every `stride`-th pixel of the result."""
    taps = tf.constant(np.tile(fir_taps(FIR)[:, :, None, None], (1, 1, x.shape[-1], 1)), x.dtype)
    x = tf.pad(x, [[0, 0], padding, padding, [0, 0]])
    return tf.nn.depthwise_conv2d(x, taps, [1, stride, stride, 1], "VALID")
