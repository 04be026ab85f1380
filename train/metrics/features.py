"""The feature space that pictures are compared in: a classifier's where labels allow one, else a fixed random net's.

Random features are a convolutional net with the classifier's layers and weights that are drawn once from a fixed seed.
They see edges and where these lie, which principal components of pixels do not, need no training, cannot learn a small
set by heart, and are the same for everybody. They know nothing of meaning: figures tell runs on one set of pictures
apart, not one set from another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from train.data import Dataset, to_float
from train.metrics.classifier import FEATURES, Judged, Weights, forward, initial_weights, load_or_train

__all__ = ["Judge", "RandomFeatures", "choose_judge"]

ENOUGH = 50
"""Labelled pictures of a class that it takes, on average, to learn to name it."""

_SEED = 20
_MOST = 2000


class Judge(Protocol):
    """Turns pictures into features, and perhaps into classes."""

    @property
    def accuracy(self) -> float | None:
        """Share of held-out pictures that it names right; None where it names none."""

    def judge(self, images: NDArray[np.uint8]) -> Judged:
        """Features and classes of pictures uint8 [N, R, R, C]."""

    def see(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features of images float32 [N, R, R, C] in −1…1."""


@dataclass(frozen=True)
class RandomFeatures:
    """An untrained net, each of whose features has mean 0 and variance 1 over the real pictures.

    Attributes:
        weights: Its tensors by name.
        mean: [64], of the real pictures.
        scale: [64], their standard deviation.
    """

    weights: Weights
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    accuracy: None = None

    @classmethod
    def of(cls, training: Dataset) -> RandomFeatures:
        """Features for pictures like these."""
        weights = initial_weights(training.resolution, training.channels, FEATURES, _SEED)
        chosen = np.random.RandomState(_SEED).permutation(len(training))[:_MOST]
        # The last layer mixes: behind a rectifier some of 64 random features would be 0 throughout.
        real = forward(weights, to_float(training.images[chosen]))[1]
        return cls(weights, real.mean(axis=0), np.maximum(real.std(axis=0), np.float32(1e-6)))

    def judge(self, images: NDArray[np.uint8]) -> Judged:
        """Features of pictures uint8 [N, R, R, C]."""
        return Judged(self.see(to_float(images)), None)

    def see(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features [N, 64] of images float32 [N, R, R, C] in −1…1."""
        return np.asarray((forward(self.weights, images)[1] - self.mean) / self.scale, np.float32)


def choose_judge(training: Dataset, held_out: Dataset, cache: Path, say: Callable[[str], None] = print) -> Judge:
    """A classifier where there are held-out pictures, two classes and 50 pictures a class; else random features."""
    labelled = training.c_dim > 1 and len(training) >= ENOUGH * training.c_dim and len(held_out) >= training.c_dim
    return load_or_train(training, held_out, cache, report=say) if labelled else RandomFeatures.of(training)
