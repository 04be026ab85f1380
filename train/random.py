"""Random streams that are keyed, not stored: a resumed run draws what it would have drawn.

Numbers are drawn for the pictures of a whole step, of which each replica takes its own: so two devices with half of the
batch each do what one does with all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ganexport.spec import GeneratorSpec

__all__ = ["draw_z", "normal", "stream", "uniform"]

Tensor = Any


def stream(seed: Tensor, number: int) -> Tensor:
    """A stream of its own under `seed` int32 [2]."""
    return tf.random.experimental.stateless_fold_in(seed, number)


def normal(shape: Any, seed: Tensor) -> Tensor:
    """Normal numbers for this replica's pictures: shape [N, …], N of one replica."""
    return _own(shape, lambda whole: tf.random.stateless_normal(whole, seed))


def uniform(shape: Any, seed: Tensor, low: Any = 0.0, high: Any = 1.0, dtype: Any = tf.float32) -> Tensor:
    """Numbers from `low` up to `high` for this replica's pictures: shape [N, …], N of one replica."""
    return _own(shape, lambda whole: tf.random.stateless_uniform(whole, seed, low, high, dtype))


def draw_z(spec: GeneratorSpec, count: Tensor, seed: Tensor) -> Tensor:
    """z [N, z_dim] from the distribution that the spec names."""
    if spec.z_distribution == "uniform":
        return uniform([count, spec.z_dim], seed, -1.0, 1.0)
    return normal([count, spec.z_dim], seed)


def _own(shape: Any, draw: Callable[[Tensor], Tensor]) -> Tensor:
    """This replica's part of what is drawn for all."""
    context = tf.distribute.get_replica_context()
    replicas = 1 if context is None else context.num_replicas_in_sync
    if replicas == 1:
        return draw(shape)
    shape = tf.convert_to_tensor(shape, tf.int32)
    whole = tf.concat([shape[:1] * replicas, shape[1:]], axis=0)
    first = context.replica_id_in_sync_group * shape[0]
    return draw(whole)[first : first + shape[0]]
