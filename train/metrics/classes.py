"""What a conditional generator makes of its label: the same latent in every class, and the way from class to class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from train.data import to_float
from train.drawing import Drawer
from train.metrics.classifier import Classifier, forward
from train.metrics.evaluate import protocol_inputs

__all__ = ["class_figures", "rank_correlation"]

LATENTS = 100
STOPS = 11


def class_figures(drawer: Drawer, classifier: Classifier, count: int = LATENTS) -> dict[str, float]:
    """How a generator follows its label.

    A sweep moves `c` in a straight line from one one-hot class to another while z stays; each latent goes from its own
    class to another one, every pair of classes in turn.

    Args:
        drawer: Of a generator whose classes are the classifier's.
        classifier: Of the real pictures.
        count: Latents: those of seeds from 0 on.

    Returns:
        `classes_of_one_z`: share of right classes where each latent is drawn in every class; `sweep_start` and
        `sweep_end`: share of right classes where a sweep begins and where it ends; `sweep_correlation`: median over the
        latents of Spearman's rank correlation between the way and the probability of the class that it leads to.
    """
    c_dim = drawer.spec.c_dim
    z, first = protocol_inputs(drawer.spec, count=count)
    last = (first + 1 + np.arange(count) // c_dim % (c_dim - 1)) % c_dim
    way = np.linspace(0.0, 1.0, STOPS)
    one_hot = np.eye(c_dim)
    swept = (1.0 - way)[:, None] * one_hot[first][:, None] + way[:, None] * one_hot[last][:, None]  # [N, S, c_dim]
    scores = _log_odds(drawer, classifier, np.repeat(z, STOPS, axis=0), swept.reshape(-1, c_dim))
    scores = scores.reshape(count, STOPS, c_dim)
    rising = [rank_correlation(way, scores[i, :, last[i]]) for i in range(count)]
    every = np.tile(np.arange(c_dim), count)
    named = _log_odds(drawer, classifier, np.repeat(z, c_dim, axis=0), one_hot[every]).argmax(axis=1)
    return {
        "classes_of_one_z": float(np.mean(named == every)),
        "sweep_start": float(np.mean(scores[:, 0].argmax(axis=1) == first)),
        "sweep_end": float(np.mean(scores[:, -1].argmax(axis=1) == last)),
        "sweep_correlation": float(np.median(rising)),
    }


def rank_correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Spearman's: 1 where both rise together, −1 where one falls as the other rises; equal numbers share their rank."""
    ranks = [np.array([(x < v).sum() + ((x == v).sum() - 1) / 2 for v in x]) for x in (a, b)]
    if min(rank.std() for rank in ranks) == 0:
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _log_odds(
    drawer: Drawer, classifier: Classifier, z: NDArray[np.float32], c: NDArray[np.floating]
) -> NDArray[np.float64]:
    """log p/(1 − p) of each class [N, c_dim] for the pictures of z [N, z_dim] and c [N, c_dim].

    In the order of the probabilities, and exact where these are 0 or 1 but for rounding.
    """
    logits = forward(classifier.weights, to_float(drawer.pictures(z, c)))[1].astype(np.float64)
    others = np.where(np.eye(logits.shape[1], dtype=bool), -np.inf, logits[:, None, :])  # [N, c_dim, c_dim − itself]
    most = others.max(axis=2)
    return np.asarray(logits - most - np.log(np.exp(others - most[:, :, None]).sum(axis=2)))
