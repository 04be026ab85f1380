"""Random streams that are keyed, not stored: a resumed run draws what it would have drawn."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ganexport.spec import GeneratorSpec

__all__ = ["draw_z", "stream"]

Tensor = Any


def stream(seed: Tensor, number: int) -> Tensor:
    """A stream of its own under `seed` int32 [2]."""
    return tf.random.experimental.stateless_fold_in(seed, number)


def draw_z(spec: GeneratorSpec, count: Tensor, seed: Tensor) -> Tensor:
    """z [N, z_dim] from the distribution that the spec names."""
    if spec.z_distribution == "uniform":
        return tf.random.stateless_uniform([count, spec.z_dim], seed, -1.0, 1.0)
    return tf.random.stateless_normal([count, spec.z_dim], seed)
