"""What D is told of a whole minibatch, on pictures of known distances; and that it keeps a toy from collapsing."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from ganexport.errors import OptionError  # noqa: E402
from train.discriminators.minibatch import minibatch_similarity, minibatch_stddev  # noqa: E402


def test_stddev_of_known_groups():
    x = np.zeros((4, 2, 2, 4), np.float32)
    x[0], x[1] = 1.0, -1.0  # the first group differs by a standard deviation of 1, the second not at all
    got = minibatch_stddev(tf.constant(x), 2, 2).numpy()
    assert got.shape == (4, 2, 2, 2)
    np.testing.assert_allclose(got[:2], 1.0, rtol=1e-4)
    np.testing.assert_allclose(got[2:], 1e-4, rtol=1e-3)  # √1e-8, the guard


def test_stddev_keeps_its_statistics_apart():
    x = np.zeros((2, 1, 1, 4), np.float32)
    x[0, ..., 2:] = 2.0  # only the second half of the channels differs
    got = minibatch_stddev(tf.constant(x), 2, 2).numpy()[0, 0, 0]
    np.testing.assert_allclose(got, [1e-4, 1.0], rtol=1e-3)


def test_channels_that_cannot_be_divided_are_refused():
    with pytest.raises(OptionError, match="--d-channels must be a multiple of 8, found 6"):
        minibatch_stddev(tf.zeros([4, 2, 2, 6]), 2, 8)


def test_similarity_is_a_sum_over_the_others_of_the_group():
    random = np.random.RandomState(0)
    features, kernel, group = random.randn(6, 5), random.randn(5, 4, 3) * 0.3, 3
    expected = np.zeros((6, 4))
    for i in range(6):
        for j in range(6):
            if i != j and i // group == j // group:
                for b in range(4):
                    expected[i, b] += np.exp(-np.abs((features[i] - features[j]) @ kernel[:, b]).sum())
    got = minibatch_similarity(tf.constant(features), tf.constant(kernel), group)
    np.testing.assert_allclose(got, expected, rtol=1e-10)


def test_similarity_of_one_picture_again_and_again_is_all_the_others():
    features = tf.constant(np.tile([[0.3, -0.2]], (4, 1)))
    kernel = tf.constant(np.random.RandomState(0).randn(2, 3, 2))
    np.testing.assert_allclose(minibatch_similarity(features, kernel, 4), np.full((4, 3), 3.0))
    apart = features * tf.constant([[1.0], [1e4], [1e8], [1e12]], tf.float64)
    np.testing.assert_allclose(minibatch_similarity(apart, kernel, 4), np.zeros((4, 3)), atol=1e-12)
