"""What playing with the shipped digits does to their classes, as a classifier of real digits sees it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ganexport.bundle import open_bundle
from ganexport.play import Studio, class_sweep, every_class
from train.data import load_dataset, split
from train.metrics.classes import rank_correlation
from train.metrics.classifier import Classifier, load_or_train

pytestmark = pytest.mark.soak

PICTURES, STEPS = 100, 9


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    pytest.importorskip("tensorflow")
    training, held_out = split(load_dataset("mnist10k", resolution=32), 2000, seed=0)
    return load_or_train(training, held_out, tmp_path_factory.mktemp("classifier"), report=lambda _: None)


@pytest.fixture(scope="module")
def studio(digits_bundle: Path) -> Studio:
    return Studio(open_bundle(digits_bundle))


def probabilities(classifier: Classifier, pictures: np.ndarray) -> np.ndarray:
    """Of the ten classes [N, 10]."""
    weights = classifier.weights
    logits = classifier.judge(pictures).features.astype(np.float64) @ weights["logits.weight"] + weights["logits.bias"]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@pytest.mark.parametrize(("first", "last"), [(3, 8), (1, 7), (0, 6), (4, 9), (5, 2), (9, 0)])
def test_a_class_sweep_goes_from_one_class_to_the_other(
    first: int, last: int, studio: Studio, classifier: Classifier
) -> None:
    sheet = class_sweep(studio, studio.seeds(range(PICTURES)), first, last, steps=STEPS)
    seen = probabilities(classifier, studio.draw(sheet.points)).reshape(PICTURES, STEPS, 10)
    right = (seen.argmax(axis=2)[:, [0, -1]] == [first, last]).mean(axis=0)
    assert right.min() >= 0.94, right
    assert right.mean() >= 0.96, right
    assert np.median([rank_correlation(np.arange(STEPS), one) for one in seen[:, :, last]]) >= 0.9
    assert (np.diff(seen[:, :, last].mean(axis=0)) > -0.01).all()


def test_all_classes_in_the_style_of_a_picture(studio: Studio, classifier: Classifier) -> None:
    own = np.arange(PICTURES) % 10
    points = studio.seeds(range(PICTURES), own.tolist())
    sources = studio.draw(points)
    drawn = studio.draw(every_class(studio, points).points)
    seen = probabilities(classifier, drawn).argmax(axis=1).reshape(PICTURES, 10)
    assert (seen == np.arange(10)).mean() >= 0.95
    each = drawn.reshape(PICTURES, 10, -1).astype(float)
    distances = ((each - sources.reshape(PICTURES, 1, -1)) ** 2).sum(axis=2)
    assert (distances.argmin(axis=1) == own).all()
    ink = each.mean(axis=2)  # how bold: a part of style that no class decides
    assert np.corrcoef(ink.T)[np.triu_indices(10, 1)].mean() >= 0.6
