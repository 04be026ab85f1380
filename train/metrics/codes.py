"""Whether the codes of an InfoGAN can be told from its pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ganexport.architectures import synthesis
from ganexport.latents import z_from_seeds
from ganexport.ops.tensorflow_ops import TensorFlowOps
from train.config import Config
from train.discriminators import information
from train.discriminators.spectral import normalised
from train.equalized import fold
from train.state import State

__all__ = ["code_agreement"]


def code_agreement(config: Config, state: State, count: int = 1000) -> dict[str, float]:
    """Draw pictures with known codes by the averaged generator, and let Q tell the codes.

    Args:
        config: Of a run with codes.
        state: Of that run.
        count: Pictures to draw: seeds from 0 on, each category in turn.

    Returns:
        `category_agreement`: share of pictures whose category Q names right, with categories; `code_0` and so on: the
        correlation of each continuous code with what Q takes it for.
    """
    spec: Any = state.spec
    z = z_from_seeds(range(count), spec.z_dim, spec.z_distribution)
    asked = np.arange(count) % max(spec.c_dim, 1)
    inputs = {"z": tf.constant(z)} | ({"c": tf.one_hot(asked, spec.c_dim)} if spec.c_dim else {})
    images = synthesis(TensorFlowOps(), state.family.canonical(state.g_ema, spec), spec, inputs)["image"]
    weights, _ = normalised(fold(state.d, state.d_parameters))
    answers = state.discriminator.discriminate(weights, images, None, config)
    categories, means = information.recovered(weights, answers.features)
    figures: dict[str, float] = {}
    if categories is not None:
        figures["category_agreement"] = float(np.mean(categories.numpy().argmax(axis=1) == asked))
    if means is not None:
        for i, (code, mean) in enumerate(zip(z[:, -config.codes :].T, means.numpy().T, strict=True)):
            figures[f"code_{i}"] = float(np.corrcoef(code, mean)[0, 1])
    return figures
