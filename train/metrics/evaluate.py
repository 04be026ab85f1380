"""The fixed protocol: 2,000 pictures at psi 1 against the held-out ones, and real ones beside them.

Every figure that a generator gets, real training pictures get too (`..._yardstick`): it says what is
as good as it can be for so many pictures.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import OptionError
from train.data import Dataset
from train.metrics.classifier import Classifier, Judged
from train.metrics.diversity import pixel_rows, within_class_distance
from train.metrics.frechet import frechet
from train.metrics.precision_recall import NEIGHBOUR, precision_recall, recall_by_class

__all__ = ["BARS", "PICTURES", "evaluate", "protocol_inputs", "verdict"]

PICTURES = 2000
"""How many pictures the protocol compares."""

BARS = {
    "classifier_accuracy": 0.985,
    "class_agreement": 0.97,
    "frechet_ratio": 6.0,
    "within_class_distance": 0.15,
    "recall_by_class": 0.6,
}
"""What digits must reach: three least values, and for distances the largest ratio and deviation."""

Figures = dict[str, Any]


def protocol_inputs(z_dim: int, c_dim: int, *, count: int = PICTURES) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Inputs of the pictures to measure: picture i has seed i and class i modulo `c_dim`.

    Returns:
        z float32 [count, z_dim], each row `RandomState(i).randn(1, z_dim)`; labels int64 [count].
    """
    z = np.concatenate([np.random.RandomState(i).randn(1, z_dim) for i in range(count)])
    return z.astype(np.float32), np.arange(count) % max(c_dim, 1)


def evaluate(
    pictures: NDArray[np.uint8],
    asked: NDArray[np.int64],
    training: Dataset,
    held_out: Dataset,
    classifier: Classifier,
) -> Figures:
    """Measure generated pictures against held-out ones, and as many training pictures likewise.

    Args:
        pictures: uint8 [N, R, R, C], from `protocol_inputs` at psi 1.
        asked: int64 [N], the class each was asked to show.
        training: Labelled; N of them, drawn without replacement by a fixed seed, are the yardstick.
        held_out: Labelled, not trained on.
        classifier: Trained on `training`.

    Returns:
        Plain numbers and lists, ready for JSON. Distances in pixels take values of 0 to 1; `recall_by_class`
        compares within one class alone, None where it has too few pictures. `class_agreement` and
        `precision` are shares, 0 to 1; `frechet` is the squared distance.

    Raises:
        OptionError: The pictures do not fit the data set, or there are too few.
    """
    _check(pictures, asked, training, held_out)
    assert training.labels is not None and held_out.labels is not None
    chosen = np.random.RandomState(0).permutation(len(training))[: len(pictures)]
    target = classifier.judge(held_out.images)
    made = _against(pictures, asked, classifier, target, held_out)
    real = _against(training.images[chosen], training.labels[chosen], classifier, target, held_out)
    return {
        "pictures": len(pictures),
        "pictures_held_out": len(held_out),
        "pictures_yardstick": len(chosen),
        "classifier_accuracy": classifier.accuracy,
        **made,
        **{f"{k}_yardstick": v for k, v in real.items()},
        "frechet_ratio": made["frechet"] / max(real["frechet"], 1e-12),
    }


def _against(
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    classifier: Classifier,
    target: Judged,
    held_out: Dataset,
) -> Figures:
    """Every figure of one set of pictures against the held-out ones."""
    assert held_out.labels is not None
    judged = classifier.judge(images)
    agreement = judged.classes == labels
    precision, recall = precision_recall(target.features, judged.features)
    return {
        "class_agreement": float(agreement.mean()),
        "class_agreement_by_class": [
            float(agreement[labels == c].mean()) if (labels == c).any() else None for c in range(held_out.c_dim)
        ],
        "frechet": frechet(judged.features, target.features),
        "precision": precision,
        "recall": recall,
        "recall_by_class": recall_by_class(target.features, held_out.labels, judged.features, labels, held_out.c_dim),
        "within_class_distance_pixels": within_class_distance(pixel_rows(images), labels),
        "within_class_distance_features": within_class_distance(judged.features, labels),
    }


def _check(pictures: NDArray[np.uint8], asked: NDArray[np.int64], training: Dataset, held_out: Dataset) -> None:
    if training.labels is None or held_out.labels is None:
        raise OptionError(f"{training.name}: has no labels; the measurements need labelled pictures")
    expected = training.images.shape[1:]
    if pictures.dtype != np.uint8 or pictures.shape[1:] != expected or asked.shape != pictures.shape[:1]:
        raise OptionError(
            f"found pictures {pictures.dtype} {list(pictures.shape)} with {list(asked.shape)} labels, "
            f"expected uint8 [N, {', '.join(map(str, expected))}] with [N]"
        )
    if min(len(pictures), len(training), len(held_out)) <= NEIGHBOUR:
        raise OptionError(f"too few pictures to measure: more than {NEIGHBOUR} of each kind are needed")
    if asked.min() < 0 or asked.max() >= training.c_dim:
        raise OptionError(f"asked for class {asked.min()} to {asked.max()}, expected 0 to {training.c_dim - 1}")


def verdict(figures: Figures) -> dict[str, bool]:
    """Which of `BARS` the figures of `evaluate` reach; a figure that is missing or not finite does not."""

    def near(key: str) -> bool:
        made, real = figures[key], figures[f"{key}_yardstick"]
        return bool(abs(made - real) <= BARS["within_class_distance"] * real)

    recalls = zip(figures["recall_by_class"], figures["recall_by_class_yardstick"], strict=True)
    return {
        "classifier_accuracy": figures["classifier_accuracy"] >= BARS["classifier_accuracy"],
        "class_agreement": figures["class_agreement"] >= BARS["class_agreement"],
        "frechet_ratio": figures["frechet_ratio"] <= BARS["frechet_ratio"],
        "within_class_distance_pixels": near("within_class_distance_pixels"),
        "within_class_distance_features": near("within_class_distance_features"),
        "recall_by_class": all(
            made is not None and real is not None and made >= BARS["recall_by_class"] * real for made, real in recalls
        ),
    }
