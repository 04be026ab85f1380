"""What a step can say of its batch at next to no cost: how varied and how bright its pictures are beside real ones."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = ["mean_distance", "observe", "value_distance"]

Tensor = Any

MOST_VALUES = 8192
"""Values of a channel whose distribution is compared; of more, so many are taken, from all over the pictures."""

GOLDEN = (5.0**0.5 - 1.0) / 2.0


def observe(reals: Tensor, fakes: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
    """Figures of real and of generated pictures [N, H, W, C] in −1…1, with the same labels [N, c_dim].

    They are those of one device's pictures; a run's are the means over its devices.
    """
    return {
        "distance_real": mean_distance(reals, labels),
        "distance_fake": mean_distance(fakes, labels),
        "histogram_distance": value_distance(reals, fakes),
    }


def mean_distance(images: Tensor, labels: Tensor | None) -> Tensor:
    """Mean Euclidean distance of two pictures of the batch, in pixels of 0 to 1: 0 where all are the same.

    Args:
        images: [N, H, W, C] in −1…1.
        labels: One-hot [N, c_dim] or None. Pairs of one class are compared, or all pairs where there are none such.
    """
    rows = tf.reshape(images, [tf.shape(images)[0], -1]) * 0.5
    rows -= tf.reduce_mean(rows, axis=0)  # nearer to 0, fewer digits are lost
    squares = tf.reduce_sum(tf.square(rows), axis=1)
    between = squares[:, None] + squares[None, :] - 2.0 * tf.matmul(rows, rows, transpose_b=True)  # [N, N]
    different = 1.0 - tf.eye(tf.shape(rows)[0])
    if labels is None:
        pairs = different
    else:
        alike = different * tf.matmul(labels, labels, transpose_b=True)
        pairs = tf.cond(tf.reduce_any(alike > 0), lambda: alike, lambda: different)
    return tf.math.divide_no_nan(tf.reduce_sum(tf.sqrt(tf.maximum(between, 0.0)) * pairs), tf.reduce_sum(pairs))


def value_distance(reals: Tensor, fakes: Tensor) -> Tensor:
    """Earth mover's distance of the values of two equally large batches in −1…1, in grey levels (see `histogram`).

    Of as many values on either side, the smallest move to the smallest: the mean difference once both are sorted.
    """

    def values(images: Tensor) -> Tensor:
        flat = tf.reshape(images, [-1, images.shape[-1]])  # [N·H·W, C]
        chosen = tf.gather(flat, _places(tf.shape(flat)[0]))
        return tf.sort(tf.transpose(tf.clip_by_value(chosen, -1.0, 1.0)), axis=1)  # [C, values]

    return 127.5 * tf.reduce_mean(tf.abs(values(reals) - values(fakes)))


def _places(count: Tensor) -> Tensor:
    """All places 0 … count − 1, or `MOST_VALUES` of them: of steps of one whole size some would skip most columns."""
    steps = tf.range(tf.minimum(count, MOST_VALUES))
    spread = tf.cast(tf.math.floormod(tf.cast(steps, tf.float64) * GOLDEN, 1.0) * tf.cast(count, tf.float64), tf.int32)
    return tf.where(count > MOST_VALUES, spread, steps)
