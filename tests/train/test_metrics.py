"""The figures against closed forms and constructed sets, and a collapsed generator must show."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.generators import stylegan2_spec

from ganexport.errors import DataError, OptionError
from train.data import Dataset, load_dataset, split
from train.metrics.classifier import Classifier, Judged, Recipe, load_or_train, train_classifier
from train.metrics.diversity import pixel_rows, within_class_distance
from train.metrics.evaluate import evaluate, protocol_inputs, verdict
from train.metrics.frechet import frechet, frechet_gaussians, gaussian
from train.metrics.precision_recall import coverage, distances, precision_recall, recall_by_class

Array = NDArray[np.float64]


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def covariance(size: int) -> Array:
    factor = rng().standard_normal((size, size))
    return np.asarray(factor @ factor.T / size)


# -- Fréchet distance --


def test_shifted_gaussian_is_the_squared_shift() -> None:
    cov, shift = covariance(8), rng().standard_normal(8)
    assert frechet_gaussians(np.zeros(8), cov, shift, cov) == pytest.approx(shift @ shift, abs=1e-9)


def test_commuting_covariances_have_a_closed_form() -> None:
    a, b = np.array([1.0, 4.0, 0.0]), np.array([9.0, 1.0, 2.0])
    expected = ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    basis = np.linalg.qr(rng().standard_normal((3, 3)))[0]
    zero = np.zeros(3)
    got = frechet_gaussians(zero, basis @ np.diag(a) @ basis.T, zero, basis @ np.diag(b) @ basis.T)
    assert got == pytest.approx(expected, abs=1e-6)  # the root of a rounded 0 is 1e-8


def test_general_covariances_against_the_plain_formula() -> None:
    a, b = covariance(6), covariance(6)[::-1, ::-1].copy()
    eigenvalues = np.linalg.eigvals(a @ b)
    expected = np.trace(a) + np.trace(b) - 2 * np.sqrt(eigenvalues.real).sum()
    zero = np.zeros(6)
    assert frechet_gaussians(zero, a, zero, b) == pytest.approx(expected, abs=1e-9)
    assert frechet_gaussians(zero, b, zero, a) == pytest.approx(expected, abs=1e-9)


def test_singular_and_equal_sets_give_zero() -> None:
    features = rng().standard_normal((20, 64)).astype(np.float32)  # rank 19 of 64
    assert frechet(features, features) == pytest.approx(0, abs=1e-9)


def test_gaussian_equals_numpys() -> None:
    features = rng().standard_normal((50, 5))
    mean, cov = gaussian(features)
    np.testing.assert_allclose(mean, features.mean(0))
    np.testing.assert_allclose(cov, np.cov(features.T))


# -- precision and recall --


def test_distances_equal_the_plain_ones() -> None:
    a, b = rng().standard_normal((7, 3)) + 1000, rng().standard_normal((5, 3)) + 1000
    np.testing.assert_allclose(distances(a, b), np.linalg.norm(a[:, None] - b[None], axis=2), atol=1e-6)


def test_coverage_on_a_line() -> None:
    support = np.arange(5.0)[:, None]  # third neighbours lie at 3, 2, 2, 2, 3
    points = np.array([[-2.9], [-3.1], [6.9], [7.1], [2.5]])
    assert coverage(support, points) == pytest.approx(3 / 5)
    assert coverage(support, points, k=1) == pytest.approx(1 / 5)


def test_coverage_in_pieces_equals_the_whole() -> None:
    support, points = rng().standard_normal((1500, 4)), rng().standard_normal((1300, 4)) * 2
    every = distances(support, support)
    radii = np.sort(every, axis=1)[:, 3]
    expected = (distances(points, support) <= radii).any(axis=1).mean()
    assert 0.05 < expected < 0.95
    assert coverage(support, points) == pytest.approx(expected)


def test_coverage_needs_enough_rows() -> None:
    with pytest.raises(ValueError, match="3 and 4 rows"):
        coverage(np.zeros((3, 2)), np.zeros((4, 2)))


def test_disjoint_equal_and_half_sets() -> None:
    real = rng().standard_normal((400, 4))
    assert precision_recall(real, real) == (1.0, 1.0)
    assert precision_recall(real, real + 100) == (0.0, 0.0)
    half = real[real[:, 0] > 0]
    precision, recall = precision_recall(real, half)
    assert precision == 1.0 and 0.4 < recall < 0.75


def test_recall_by_class_sees_the_class_that_collapsed() -> None:
    real, labels = rng().standard_normal((300, 4)), np.arange(300) % 3
    made = rng().standard_normal((300, 4)) * 1.1
    made[labels == 1] = made[1]
    recalls = recall_by_class(real, labels, made, labels, 4)
    assert recalls[3] is None and recalls[1] == 0
    assert recalls[0] is not None and recalls[0] > 0.5


# -- diversity --


def test_within_class_distance_closed_forms() -> None:
    rows = np.array([[0.0, 0], [3, 4], [9, 9], [9, 9], [1, 1]])
    assert within_class_distance(rows, np.array([0, 0, 1, 1, 2])) == pytest.approx(2.5)
    assert within_class_distance(rows[:1], np.array([0])) == 0
    white = pixel_rows(np.full((1, 2, 2, 1), 255, np.uint8))
    assert within_class_distance(np.concatenate([white, white * 0]), np.zeros(2, int)) == pytest.approx(2)


def test_distance_of_normals() -> None:
    rows, labels = rng().standard_normal((2000, 400)), np.arange(2000) % 4
    assert within_class_distance(rows, labels) == pytest.approx(np.sqrt(800), rel=0.01)


# -- the protocol --


class Oracle(Classifier):
    """Stands in for a trained classifier: the class is written in pixel 0, the rest is the features."""

    def judge(self, images: NDArray[np.uint8]) -> Judged:
        flat = images.reshape(len(images), -1)
        return Judged(flat[:, 1:].astype(np.float32) / np.float32(64), flat[:, 0].astype(np.int64))


def made_up(count: int, seed: int, spread: float = 20) -> Dataset:
    """Ten classes of 4×4 pictures around a middle of their own each."""
    labels = np.arange(count) % 10
    middles = np.random.default_rng(0).uniform(80, 180, (10, 16))
    noise = np.random.default_rng(seed).standard_normal((count, 16)) * spread
    pixels = np.clip(middles[labels] + noise, 0, 255).astype(np.uint8)
    pixels[:, 0] = labels
    return Dataset(pixels.reshape(-1, 4, 4, 1), labels, name="made up")


ORACLE = Oracle({}, 1.0)
TRAINING, HELD_OUT = made_up(4000, 1), made_up(1000, 2)


def asked(dataset: Dataset) -> NDArray[np.int64]:
    assert dataset.labels is not None
    return dataset.labels


def test_a_good_generator_passes_every_bar() -> None:
    good = made_up(1000, 3)
    figures = evaluate(good.images, asked(good), TRAINING, HELD_OUT, ORACLE)
    assert all(verdict(figures).values()), figures
    assert figures["class_agreement"] == 1
    assert figures["frechet_ratio"] == figures["frechet"] / figures["frechet_yardstick"]
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def test_one_picture_per_class_fails_though_every_class_is_right() -> None:
    asked_for = np.arange(1000) % 10
    collapsed = made_up(10, 3).images[asked_for]
    figures = evaluate(collapsed, asked_for, TRAINING, HELD_OUT, ORACLE)
    assert figures["class_agreement"] == 1
    assert figures["within_class_distance_pixels"] == pytest.approx(0, abs=1e-5)
    assert figures["within_class_distance_features"] == pytest.approx(0, abs=1e-5)
    assert figures["recall"] < 0.01 and max(figures["recall_by_class"]) < 0.01
    failed = {k for k, ok in verdict(figures).items() if not ok}
    assert failed == {
        *("frechet_ratio", "recall_by_class"),
        *("within_class_distance_pixels", "within_class_distance_features"),
    }


def test_too_little_too_much_spread_and_wrong_classes_fail() -> None:
    for spread in (14.0, 28.0):
        poor = made_up(1000, 3, spread=spread)
        reached = verdict(evaluate(poor.images, asked(poor), TRAINING, HELD_OUT, ORACLE))
        assert not reached["within_class_distance_pixels"] and reached["class_agreement"]
    good = made_up(1000, 3)
    figures = evaluate(good.images, (asked(good) + 1) % 10, TRAINING, HELD_OUT, ORACLE)
    assert figures["class_agreement"] == 0 and not verdict(figures)["class_agreement"]


def test_one_collapsed_class_of_ten_fails() -> None:
    good = made_up(1000, 3)
    images = good.images.copy()
    images[asked(good) == 4] = images[4]
    assert not verdict(evaluate(images, asked(good), TRAINING, HELD_OUT, ORACLE))["recall_by_class"]


def test_verdict_takes_nothing_missing_for_reached() -> None:
    good = made_up(1000, 3)
    figures = evaluate(good.images, asked(good), TRAINING, HELD_OUT, ORACLE)
    for key, name in (("frechet_ratio", "frechet_ratio"), ("class_agreement", "class_agreement")):
        assert not verdict({**figures, key: float("nan")})[name]
    nan = {**figures, "within_class_distance_pixels": float("nan")}
    assert not verdict(nan)["within_class_distance_pixels"]
    assert not verdict({**figures, "recall_by_class": [None] * 10})["recall_by_class"]


def test_bad_pictures_to_measure() -> None:
    good = made_up(100, 3)
    labels = asked(good)
    bad = (
        (good.images.astype(np.float32), labels, "expected uint8"),
        (good.images[:, :2], labels, r"expected uint8 \[N, 4, 4, 1\]"),
        (good.images, labels[:5], "with 5 labels"),
        (good.images[:3], labels[:3], "too few"),
        (good.images, labels + 1, "asked for class 1 to 10"),
    )
    for images, classes, message in bad:
        with pytest.raises(OptionError, match=message):
            evaluate(images, classes, TRAINING, HELD_OUT, ORACLE)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="has no labels to compare"):
        evaluate(good.images, labels, Dataset(TRAINING.images), HELD_OUT, ORACLE)


def test_protocol_inputs_are_balanced_and_seed_by_seed() -> None:
    z, labels = protocol_inputs(stylegan2_spec(c_dim=10))
    assert z.shape == (2000, 8) and z.dtype == np.float32
    assert np.bincount(labels).tolist() == [200] * 10
    np.testing.assert_array_equal(z[5:6], np.random.RandomState(5).randn(1, 8).astype(np.float32))
    uniform = stylegan2_spec(c_dim=0, z_distribution="uniform")
    z, labels = protocol_inputs(uniform, count=3)
    assert labels.tolist() == [0, 0, 0] and np.abs(z).max() <= 1
    np.testing.assert_array_equal(z[2], np.random.RandomState(2).uniform(-1, 1, 8).astype(np.float32))


def test_metrics_import_without_tensorflow() -> None:
    code = "import sys, train.metrics.evaluate; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


# -- the classifier --


def silent(_: str) -> None:
    pass


@pytest.mark.parametrize(("resolution", "channels"), [(4, 1), (20, 3), (96, 1)])
def test_classifier_takes_any_size(resolution: int, channels: int) -> None:
    pytest.importorskip("tensorflow")
    images = rng().integers(0, 255, (12, resolution, resolution, channels), np.uint8)
    data = Dataset(images, np.arange(12) % 3)
    trained = train_classifier(data, data, recipe=Recipe(epochs=1, batch=5), report=silent)
    judged = trained.judge(images)
    assert judged.features.shape == (12, 64) and np.isfinite(judged.features).all()
    assert set(judged.classes.tolist()) <= {0, 1, 2}


def test_classifier_learns_repeats_and_is_cached(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    digits = load_dataset("mnist10k", resolution=16)
    training, held_out = split(split(digits, 8000, seed=0)[0], 500, seed=0)
    recipe = Recipe(epochs=2)
    lines: list[str] = []
    first = load_or_train(training, held_out, tmp_path, recipe=recipe, report=lines.append)
    assert first.accuracy > 0.75 and lines
    again = load_or_train(training, held_out, tmp_path, recipe=recipe, report=pytest.fail)
    assert again.accuracy == first.accuracy
    np.testing.assert_array_equal(again.judge(held_out.images).features, first.judge(held_out.images).features)
    (cached,) = tmp_path.iterdir()
    cached.write_bytes(cached.read_bytes()[:500])  # cut short: trained anew, to the same weights
    anew = load_or_train(training, held_out, tmp_path, recipe=recipe, report=silent)
    for name, tensor in first.weights.items():
        np.testing.assert_array_equal(anew.weights[name], tensor)
    load_or_train(held_out, training, tmp_path, recipe=Recipe(epochs=1), report=silent)
    assert len(list(tmp_path.iterdir())) == 2


def test_classifier_needs_labels() -> None:
    with pytest.raises(DataError, match="needs labelled pictures"):
        train_classifier(Dataset(TRAINING.images), HELD_OUT)


@pytest.mark.soak
def test_digits_classifier_and_the_yardstick(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    training, held_out = split(load_dataset("mnist10k", resolution=32), 2000, seed=0)
    classifier = load_or_train(training, held_out, tmp_path, report=silent)
    assert classifier.accuracy >= 0.985
    assert held_out.labels is not None
    real = np.random.RandomState(1).permutation(len(training))[:2000]
    figures = evaluate(training.images[real], asked(training)[real], training, held_out, classifier)
    assert all(verdict(figures).values()), figures
    firsts = np.array([np.flatnonzero(asked(training) == c)[0] for c in range(10)])
    labels = np.arange(2000) % 10
    collapsed = evaluate(training.images[firsts[labels]], labels, training, held_out, classifier)
    assert collapsed["class_agreement"] > 0.89 and not verdict(collapsed)["recall_by_class"]
    assert collapsed["frechet_ratio"] > 6
