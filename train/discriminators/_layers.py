"""What the dense and the convolutional discriminator share: layers with a norm, and the last one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from ganexport.spec import GeneratorSpec
from train import batch_norm
from train.config import Config
from train.discriminators import Answers, information
from train.discriminators.minibatch import compared, comparison
from train.equalized import Parameter

__all__ = ["SLOPE", "activate", "add_last", "add_layer", "judged", "labels_seen"]

Tensor = Any
SLOPE = 0.2
START = 0.02
"""Standard deviation of weights at the start (Radford et al. 2016, section 4)."""


def labels_seen(config: Config, spec: GeneratorSpec) -> int:
    """Length of the one-hot labels that the discriminator is given: none of codes, which it is to find out."""
    return 0 if config.categories else spec.c_dim


def add_layer(into: dict[str, Parameter], name: str, shape: tuple[int, ...], *, normalised: bool) -> None:
    """A layer's kernel, whose last axis is its output, and what follows it."""
    into[f"{name}.weight"] = Parameter(shape, initial=START)
    if normalised:
        after = batch_norm.parameters(name, shape[-1])
        into |= {key: p for key, p in after.items() if p.trainable}  # it is never run without a batch
    else:
        into[f"{name}.bias"] = Parameter(shape[-1:], initial=0.0)


def activate(x: Tensor, weights: Mapping[str, Tensor], name: str) -> Tensor:
    """What follows a layer: its norm or bias, then a leaky ReLU."""
    if f"{name}.gamma" in weights:
        standard, _, _ = batch_norm.standardised(x)
        x = standard * tf.cast(weights[f"{name}.gamma"], x.dtype) + tf.cast(weights[f"{name}.beta"], x.dtype)
    else:
        x += tf.cast(weights[f"{name}.bias"], x.dtype)
    return tf.nn.leaky_relu(x, SLOPE)


def add_last(into: dict[str, Parameter], features: int, config: Config, spec: GeneratorSpec) -> None:
    """The layer that answers, and where there are codes the one that recovers them."""
    read = features + config.minibatch_views + labels_seen(config, spec)
    add_layer(into, "out", (read, 1), normalised=False)
    into |= comparison(features, config) | information.parameters(features, config)


def judged(weights: Mapping[str, Tensor], features: Tensor, labels: Tensor | None, config: Config) -> Answers:
    """The answers to pictures of these features [N, F]."""
    features = tf.cast(features, tf.float32)
    read = compared(weights, features, config)
    read = read if labels is None else tf.concat([read, labels], axis=1)
    logits = tf.matmul(read, weights["out.weight"])[:, 0] + weights["out.bias"][0]
    return Answers(logits, features)
