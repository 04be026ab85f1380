"""The fixed protocol: 2,000 pictures at psi 1 against the held-out ones, and real ones beside them.

Every figure that a generator gets, real training pictures get too (`..._yardstick`): it says what is
as good as it can be for so many pictures.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import OptionError
from ganexport.latents import z_from_seeds
from ganexport.spec import GeneratorSpec
from train.data import Dataset
from train.metrics.classifier import Judged
from train.metrics.diversity import pixel_rows, within_class_distance
from train.metrics.features import Judge
from train.metrics.frechet import frechet
from train.metrics.histogram import histogram_distance, pooled
from train.metrics.kernel import kernel_distance
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
Labels = NDArray[np.int64]


def protocol_inputs(spec: GeneratorSpec, *, count: int = PICTURES) -> tuple[NDArray[np.float32], Labels]:
    """Inputs of the pictures to measure: picture i has seed i and class i modulo `c_dim`.

    Returns:
        z float32 [count, z_dim], as `spec` says that it is drawn; labels int64 [count].
    """
    return z_from_seeds(range(count), spec.z_dim, spec.z_distribution), np.arange(count) % max(spec.c_dim, 1)


def evaluate(
    pictures: NDArray[np.uint8],
    asked: Labels | None,
    training: Dataset,
    held_out: Dataset,
    judge: Judge,
) -> Figures:
    """Measure generated pictures against held-out ones, and as many training pictures likewise.

    Args:
        pictures: uint8 [N, R, R, C], from `protocol_inputs` at psi 1.
        asked: int64 [N], the class each was asked to show; None where classes are not asked for: then everything
            counts as one class.
        training: N of them, drawn without replacement by a fixed seed, are the yardstick.
        held_out: Not trained on.
        judge: The feature space, made from `training`.

    Returns:
        Plain numbers and lists, ready for JSON. Distances in pixels take values of 0 to 1; `recall_by_class`
        compares within one class alone, None where it has too few pictures. `class_agreement` and
        `precision` are shares, 0 to 1, the former None where the judge knows no classes; `frechet` is the squared
        distance; `kid` has its standard deviation over subsets beside it; `histogram_distance` is in grey levels.

    Raises:
        OptionError: The pictures do not fit the data set, or there are too few.
    """
    if asked is None:
        training, held_out = replace(training, labels=None), replace(held_out, labels=None)
    _check(pictures, asked, training, held_out)
    chosen = np.random.RandomState(0).permutation(len(training))[: len(pictures)]
    target = judge.judge(held_out.images)
    real_labels = None if training.labels is None else training.labels[chosen]
    made = _against(pictures, asked, judge, target, held_out)
    real = _against(training.images[chosen], real_labels, judge, target, held_out)
    return {
        "pictures": len(pictures),
        "pictures_held_out": len(held_out),
        "pictures_yardstick": len(chosen),
        "features": "random" if judge.accuracy is None else "classifier",
        "classifier_accuracy": judge.accuracy,
        **made,
        **{f"{k}_yardstick": v for k, v in real.items()},
        "frechet_ratio": made["frechet"] / max(real["frechet"], 1e-12),
        "histogram": pooled(pictures),
        "histogram_held_out": pooled(held_out.images),
    }


def _against(
    images: NDArray[np.uint8], labels: Labels | None, judge: Judge, target: Judged, held_out: Dataset
) -> Figures:
    """Every figure of one set of pictures against the held-out ones."""
    judged = judge.judge(images)
    precision, recall = precision_recall(target.features, judged.features)
    kid = kernel_distance(judged.features, target.features)
    one_class = np.zeros(len(images), np.int64) if labels is None else labels
    target_class = np.zeros(len(held_out), np.int64) if held_out.labels is None else held_out.labels
    classes = max(held_out.c_dim, 1)
    return {
        **_agreement(judged, labels, held_out.c_dim),
        "frechet": frechet(judged.features, target.features),
        "kid": kid.mean,
        "kid_std": kid.std,
        "precision": precision,
        "recall": recall,
        "recall_by_class": recall_by_class(target.features, target_class, judged.features, one_class, classes),
        "within_class_distance_pixels": within_class_distance(pixel_rows(images), one_class),
        "within_class_distance_features": within_class_distance(judged.features, one_class),
        "histogram_distance": histogram_distance(images, held_out.images),
    }


def _agreement(judged: Judged, labels: Labels | None, c_dim: int) -> Figures:
    """How often the class that was asked for is the one that is seen."""
    if judged.classes is None or labels is None:
        return {"class_agreement": None}
    right = judged.classes == labels
    by_class = [float(right[labels == c].mean()) if (labels == c).any() else None for c in range(c_dim)]
    return {"class_agreement": float(right.mean()), "class_agreement_by_class": by_class}


def _check(pictures: NDArray[np.uint8], asked: Labels | None, training: Dataset, held_out: Dataset) -> None:
    expected, labels = training.images.shape[1:], len(pictures) if asked is None else len(asked)
    if pictures.dtype != np.uint8 or pictures.shape[1:] != expected or labels != len(pictures):
        raise OptionError(
            f"found pictures {pictures.dtype} {list(pictures.shape)} with {labels} labels, "
            f"expected uint8 [N, {', '.join(map(str, expected))}] with N"
        )
    if min(len(pictures), len(training), len(held_out)) <= NEIGHBOUR:
        raise OptionError(f"too few pictures to measure: more than {NEIGHBOUR} of each kind are needed")
    if asked is None:
        return
    if training.labels is None or held_out.labels is None:
        raise OptionError(f"{training.name}: has no labels to compare the classes with that were asked for")
    if asked.min() < 0 or asked.max() >= training.c_dim:
        raise OptionError(f"asked for class {asked.min()} to {asked.max()}, expected 0 to {training.c_dim - 1}")


def verdict(figures: Figures) -> dict[str, bool]:
    """Which of `BARS` the figures of `evaluate` reach; a figure that is missing or not finite does not.

    Bars on classes are left out where the pictures were compared without a classifier.
    """

    def near(key: str) -> bool:
        made, real = figures[key], figures[f"{key}_yardstick"]
        return bool(abs(made - real) <= BARS["within_class_distance"] * real)

    recalls = zip(figures["recall_by_class"], figures["recall_by_class_yardstick"], strict=True)
    of_classes = [k for k in ("classifier_accuracy", "class_agreement") if figures[k] is not None]
    return {
        **{k: bool(figures[k] >= BARS[k]) for k in of_classes},
        "frechet_ratio": figures["frechet_ratio"] <= BARS["frechet_ratio"],
        "within_class_distance_pixels": near("within_class_distance_pixels"),
        "within_class_distance_features": near("within_class_distance_features"),
        "recall_by_class": all(
            made is not None and real is not None and made >= BARS["recall_by_class"] * real for made, real in recalls
        ),
    }
