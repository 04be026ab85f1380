"""How a generator follows its label, with generators and a classifier that are known by heart."""

from types import SimpleNamespace

import numpy as np
import pytest

from train.metrics import classes
from train.metrics.classes import class_figures, rank_correlation


def test_rank_correlation_by_hand():
    rising = np.arange(5.0)
    assert rank_correlation(rising, np.exp(rising)) == pytest.approx(1)
    assert rank_correlation(rising, -(rising**3)) == pytest.approx(-1)
    # Ranks 0, 2, 1, 3, 4: 1 − 6·(1 + 1) / (5·24)
    assert rank_correlation(rising, np.asarray([0.0, 5.0, 4.0, 8.0, 9.0])) == pytest.approx(0.9)
    # Ranks 0.5, 0.5, 2 against 0, 1, 2: covariance 1.5 over √(2 · 1.5)
    assert rank_correlation(np.arange(3.0), np.asarray([1.0, 1.0, 7.0])) == pytest.approx(1.5 / np.sqrt(3))
    assert rank_correlation(rising, np.ones(5)) == 0


@pytest.fixture
def figures(monkeypatch):
    """Figures of a generator whose pictures are the classifier's logits: a function of c [N, 3] and z [N, 2]."""

    def figures(logits):
        monkeypatch.setattr(classes, "to_float", lambda pictures: pictures)
        monkeypatch.setattr(classes, "forward", lambda weights, pictures: (None, pictures))
        spec = SimpleNamespace(c_dim=3, z_dim=2, z_distribution="normal")
        drawer = SimpleNamespace(spec=spec, pictures=lambda z, c: logits(c, z))
        return class_figures(drawer, SimpleNamespace(weights={}), 30)

    return figures


def test_a_generator_that_obeys(figures):
    assert figures(lambda c, z: 50 * c) == pytest.approx(
        {"classes_of_one_z": 1, "sweep_start": 1, "sweep_end": 1, "sweep_correlation": 1}
    )


def test_a_generator_that_does_not_listen(figures):
    found = figures(lambda c, z: np.eye(3)[np.zeros(len(c), int)] * 9)
    assert found == pytest.approx(
        {"classes_of_one_z": 1 / 3, "sweep_start": 1 / 3, "sweep_end": 1 / 3, "sweep_correlation": 0}
    )


def test_a_generator_that_mistakes_one_class_for_the_next(figures):
    found = figures(lambda c, z: 50 * np.stack([c[:, 0] + c[:, 1], 0 * c[:, 0], c[:, 2]], axis=1))
    assert found["classes_of_one_z"] == found["sweep_start"] == pytest.approx(2 / 3)


def test_a_sweep_that_turns_back(figures):
    """Past the middle the probability of what it leads to falls again."""

    def logits(c, z):
        strength = np.where(c > 0.5, 1 - c, c)
        return 50 * strength

    found = figures(logits)
    assert abs(found["sweep_correlation"]) < 0.3
