"""From seeds to the inputs of a generator."""

from __future__ import annotations

import numpy as np
import pytest

from ganexport.errors import OptionError
from ganexport.latents import label_index, one_hot, psi_by_layer, z_from_seed, z_from_seeds


def test_a_seed_means_what_it_means_in_nvidias_programs() -> None:
    # numpy.random.RandomState(0).randn(3), which numpy promises never to change.
    expected = np.asarray([[1.764052345967664, 0.4001572083672233, 0.9787379841057392]], np.float32)
    np.testing.assert_array_equal(z_from_seed(0, 3), expected)
    assert z_from_seed(0, 3).dtype == np.float32
    assert z_from_seed(42, 512).shape == (1, 512)
    np.testing.assert_array_equal(z_from_seed(42, 7)[0], np.random.RandomState(42).randn(7).astype(np.float32))


def test_uniform_latents_are_drawn_from_the_same_stream() -> None:
    found = z_from_seed(3, 1000, "uniform")
    expected = np.random.RandomState(3).uniform(-1, 1, (1, 1000)).astype(np.float32)
    np.testing.assert_array_equal(found, expected)
    assert found.min() >= -1
    assert found.max() <= 1
    assert abs(found).max() > 0.99


def test_each_seed_has_its_own_stream() -> None:
    many = z_from_seeds([5, 6, 5], 4)
    assert many.shape == (3, 4)
    np.testing.assert_array_equal(many[0], many[2])
    np.testing.assert_array_equal(many[1:2], z_from_seed(6, 4))
    assert z_from_seeds([], 4).shape == (0, 4)
    np.testing.assert_array_equal(z_from_seeds([1, 2], 3, "uniform")[1:], z_from_seed(2, 3, "uniform"))


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32 - 1])
def test_seeds_go_to_32_bits(seed: int) -> None:
    assert np.isfinite(z_from_seed(seed, 2)).all()


@pytest.mark.parametrize("seed", [-1, 2**32, 10**30])
def test_other_seeds_are_refused(seed: int) -> None:
    with pytest.raises(OptionError, match="a seed is a whole number from 0 to 4294967295, found"):
        z_from_seed(seed, 2)
    with pytest.raises(OptionError, match="a seed is a whole number"):
        z_from_seeds([0, seed], 2)


def test_one_hot() -> None:
    np.testing.assert_array_equal(one_hot([2, 0], 3), [[0, 0, 1], [1, 0, 0]])
    assert one_hot([1], 2).dtype == np.float32
    assert one_hot([], 3).shape == (0, 3)
    for label in (-1, 3):
        with pytest.raises(OptionError, match=f"class {label} is unknown; this generator has classes 0 to 2"):
            one_hot([0, label], 3)


NAMES = ["zero", "one", "0"]


@pytest.mark.parametrize(
    ("label", "names", "index"),
    [(1, NAMES, 1), ("1", NAMES, 1), ("one", NAMES, 1), ("0", NAMES, 2), (0, NAMES, 0), ("2", None, 2), (2, None, 2)],
)
def test_a_class_by_index_or_name_and_a_name_wins(label: int | str, names: list[str] | None, index: int) -> None:
    assert label_index(label, 3, names) == index


@pytest.mark.parametrize("label", [3, -1, "3", "-1", "One", "", "1.0", "one "])
def test_an_unknown_class_lists_the_known_ones(label: int | str) -> None:
    with pytest.raises(OptionError, match="is unknown; choose from: zero, one, 0"):
        label_index(label, 3, NAMES)
    with pytest.raises(OptionError, match="is unknown; choose from: 0 to 2"):
        label_index(label, 3, None)


def test_a_class_of_a_generator_without_classes_means_nothing() -> None:
    with pytest.raises(OptionError, match="has no classes"):
        label_index(0, 0, None)


def test_truncation_by_layer() -> None:
    np.testing.assert_array_equal(psi_by_layer(0.5, 4), [0.5, 0.5, 0.5, 0.5])
    np.testing.assert_array_equal(psi_by_layer(0.5, 4, 2), [0.5, 0.5, 1, 1])
    np.testing.assert_array_equal(psi_by_layer(0.5, 4, 0), [1, 1, 1, 1])
    np.testing.assert_array_equal(psi_by_layer(0.5, 4, 9), [0.5, 0.5, 0.5, 0.5])
    np.testing.assert_array_equal(psi_by_layer(-1.5, 2), [-1.5, -1.5])
    assert psi_by_layer(0.7, 3).dtype == np.float32


@pytest.mark.parametrize("psi", [float("nan"), float("inf"), -float("inf")])
def test_psi_must_be_finite(psi: float) -> None:
    with pytest.raises(OptionError, match="psi must be a finite number"):
        psi_by_layer(psi, 4)


def test_cutoff_counts_from_zero() -> None:
    with pytest.raises(OptionError, match="cutoff counts layers from 0, found -1"):
        psi_by_layer(1.0, 4, -1)
