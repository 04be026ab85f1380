"""Spectral normalisation: each kernel divided by the most that it can stretch, so that D's slope is bounded.

The largest singular value is followed by power iteration. Its left vector is kept from step to step as `NAME.u` beside
the kernel `NAME`, a named variable like all others, so one iteration a step is enough and a run resumes exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from train.equalized import Parameter

__all__ = ["normalised", "spectral_parameters"]

Tensor = Any
SUFFIX = ".u"


def spectral_parameters(parameters: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """The `NAME.weight.u` [O] of every `NAME.weight`, whose last axis is the output; not trained, of random start."""
    return {
        name + SUFFIX: Parameter(p.shape[-1:], trainable=False)
        for name, p in parameters.items()
        if name.endswith(".weight")
    }


def normalised(weights: Mapping[str, Tensor], iterations: int = 1) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Every kernel that has a `NAME.u` beside it, divided by its largest singular value.

    A kernel counts as the matrix of its last axis against all others: [kh·kw·I, O]. Gradients flow through it and not
    through the vectors: the slope of the singular value is the outer product of its two vectors.

    Args:
        weights: Tensors by name.
        iterations: Steps of power iteration from the kept vectors.

    Returns:
        The tensors without the vectors; and the new vectors by name, to be assigned once a step, where D learns.

    Source: Miyato et al. 2018, section 2.1 and algorithm 1.
    """
    updates = {}
    result = {name: weight for name, weight in weights.items() if not name.endswith(SUFFIX)}
    for name, weight in result.items():
        if name + SUFFIX in weights:
            result[name], updates[name + SUFFIX] = _divided(weight, weights[name + SUFFIX], iterations)
    return result, updates


def _divided(weight: Tensor, u: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """`weight` over its largest singular value, and the left vector u [O] that it was found with."""
    matrix = tf.reshape(weight, [math.prod(weight.shape[:-1]), weight.shape[-1]])  # [M, O]
    fixed = tf.stop_gradient(matrix)
    u = tf.convert_to_tensor(u)
    for _ in range(iterations):
        v = tf.math.l2_normalize(tf.linalg.matvec(fixed, u))  # [M]
        u = tf.math.l2_normalize(tf.linalg.matvec(fixed, v, transpose_a=True))  # [O]
    largest = tf.tensordot(v, tf.linalg.matvec(matrix, u), 1)  # vᵀ W u
    return weight / largest, u
