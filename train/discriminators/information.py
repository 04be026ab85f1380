"""InfoGAN's Q: reads from the discriminator's features the codes that a picture was drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from train.config import Config
from train.equalized import Parameter

__all__ = ["parameters", "recovered"]

Tensor = Any
WIDTH = 128
SLOPE = 0.1
START = 0.02


def parameters(features: int, config: Config) -> dict[str, Parameter]:
    """Of Q, which reads F features; none without codes."""
    result: dict[str, Parameter] = {}
    layers = {"q.fc": (features, WIDTH), "q.category": (WIDTH, config.categories), "q.code": (WIDTH, config.codes)}
    for name, (into, out) in layers.items():
        if out and config.recovers_codes:
            result[f"{name}.weight"] = Parameter((into, out), initial=START)
            result[f"{name}.bias"] = Parameter((out,), initial=0.0)
    return result


def recovered(weights: Mapping[str, Tensor], features: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """From features [N, F]: logits of the category [N, c_dim] and means of the continuous codes [N, k]; None without.

    Source: Chen et al. 2016 (InfoGAN), section 6 and appendix C.1: Q shares all of D but its last layer.
    """

    def layer(x: Tensor, name: str) -> Tensor | None:
        if f"{name}.weight" not in weights:
            return None
        return tf.matmul(x, weights[f"{name}.weight"]) + weights[f"{name}.bias"]

    hidden = tf.nn.leaky_relu(layer(features, "q.fc"), SLOPE)
    return layer(hidden, "q.category"), layer(hidden, "q.code")
