"""Measure a generator by the fixed protocol, with the classifier kept beside the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.data import Dataset
from train.metrics.classifier import load_or_train
from train.metrics.evaluate import evaluate, protocol_inputs, verdict

__all__ = ["measure"]


def measure(
    generate: Callable[[NDArray[np.float32], NDArray[np.int64]], NDArray[np.uint8]],
    z_dim: int,
    training: Dataset,
    held_out: Dataset,
    cache: Path,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Draw the protocol's pictures and compare them with the held-out ones.

    Args:
        generate: (z [N, z_dim], labels [N]) -> pictures uint8 [N, R, R, C] at psi 1.
        z_dim: Length of z.
        training: Labelled pictures that the generator learned from.
        held_out: Labelled pictures that it did not see.
        cache: Folder that keeps the classifier.
        say: Told what takes time.

    Returns:
        The figures of `evaluate`, and `passed`: which bars they reach.

    Raises:
        DataError: The pictures have no labels.
    """
    classifier = load_or_train(training, held_out, cache, report=say)
    z, labels = protocol_inputs(z_dim, training.c_dim)
    figures = evaluate(generate(z, labels), labels, training, held_out, classifier)
    return {**figures, "passed": verdict(figures)}
