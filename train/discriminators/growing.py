"""The discriminator of Progressive GAN, which grows with its generator. StyleGAN was trained against the same.

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
from train.discriminators._end import end_shapes, projected
from train.discriminators.minibatch import comparison, minibatch_stddev, statistics_of
from train.equalized import Parameter

__all__ = ["FADE", "discriminate", "parameters"]

Tensor = Any
SLOPE = 0.2

FADE = "fade"
"""Among the weights, where the newest block is fading in: its share, a scalar."""


def parameters(config: Config, spec: GeneratorSpec) -> dict[str, Parameter]:
    """Parameters by name, a from-RGB for each block; `d_channels` run from 4×4 up, as in the generator.

    Source: Karras et al. 2018, table 2; section 4.1 for the gains.
    """
    channels, shapes = config.d_channels, dict[str, tuple[int, ...]]()
    for i, width in enumerate(channels):
        block = f"b{4 << i}"
        shapes[f"{block}.fromrgb.weight"] = (1, 1, spec.image_channels, width)
        shapes[f"{block}.fromrgb.bias"] = (width,)
        if i > 0:
            out = channels[i - 1]
            shapes[f"{block}.conv0.weight"], shapes[f"{block}.conv0.bias"] = (3, 3, width, width), (width,)
            shapes[f"{block}.conv1.weight"], shapes[f"{block}.conv1.bias"] = (3, 3, width, out), (out,)
    shapes |= end_shapes(config, spec)
    return {name: _parameter(name, shape) for name, shape in shapes.items()} | comparison(channels[0], config)


def _parameter(name: str, shape: tuple[int, ...]) -> Parameter:
    if name.endswith(".bias"):
        return Parameter(shape, initial=0.0)
    if name == "label.weight":
        return Parameter(shape)  # normalised when used
    if name == "out.weight":
        return Parameter(shape, gain=1.0 / math.sqrt(shape[0]))
    return Parameter(shape, gain=math.sqrt(2.0 / math.prod(shape[:-1])))


def discriminate(weights: Mapping[str, Tensor], images: Tensor, labels: Tensor | None, config: Config) -> Answers:
    """Images [N, H, W, C] of a block's size and one-hot labels [N, c_dim] -> logits and features.

    The pictures' size says with which block it begins. While that block fades in (`FADE`), what it makes of the picture
    is blended with what the block after it would have seen of the half-size one.

    Source: Karras et al. 2018, section 2, figure 2 and table 2.
    """

    def layer(x: Tensor, name: str) -> Tensor:
        x = tf.nn.conv2d(x, tf.cast(weights[f"{name}.weight"], x.dtype), 1, "SAME")
        return tf.nn.leaky_relu(x + tf.cast(weights[f"{name}.bias"], x.dtype), SLOPE)

    size = images.shape[1]
    x = layer(images, f"b{size}.fromrgb")
    fade = weights.get(FADE)
    while size > 4:
        x = _halved(layer(layer(x, f"b{size}.conv0"), f"b{size}.conv1"))  # [N, H/2, W/2, C']
        size //= 2
        if fade is not None:
            before = layer(_halved(images), f"b{size}.fromrgb")
            x, fade = before + tf.cast(fade, x.dtype) * (x - before), None
    x = tf.concat([x, minibatch_stddev(x, config.group, statistics_of(x.shape[-1]))], axis=-1)  # [N, 4, 4, C + S]
    x = tf.reshape(layer(x, "b4.conv"), [-1, 16 * config.d_channels[0]])  # [N, 16 C]
    x = tf.matmul(x, tf.cast(weights["b4.fc.weight"], x.dtype)) + tf.cast(weights["b4.fc.bias"], x.dtype)
    return projected(weights, tf.cast(tf.nn.leaky_relu(x, SLOPE), tf.float32), labels, config)


def _halved(x: Tensor) -> Tensor:
    return tf.nn.avg_pool2d(x, 2, 2, "VALID")
