"""Penalties on gradients against closed forms: linear critics and generators, whose slopes are their weights."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from train.losses.regularisers import gradient_penalty, path_length, r1_penalty  # noqa: E402

RANDOM = np.random.RandomState(0)
WEIGHT = RANDOM.randn(4, 4, 1)
REAL, FAKE = RANDOM.randn(3, 4, 4, 1), RANDOM.randn(3, 4, 4, 1)


def linear(weight):
    return lambda x: tf.reduce_sum(x * weight, axis=[1, 2, 3])


def quadratic(weight):
    return lambda x: 0.5 * tf.reduce_sum(weight * tf.square(x), axis=[1, 2, 3])


def with_gradient(penalty, by):
    by = tf.constant(by)
    with tf.GradientTape() as tape:
        tape.watch(by)
        value = penalty(by)
    return float(value), tape.gradient(value, by).numpy()


def test_r1_of_a_linear_discriminator_is_half_its_squared_weight():
    value, by_weight = with_gradient(lambda w: r1_penalty(linear(w), tf.constant(REAL)), WEIGHT)
    assert value == pytest.approx(np.sum(WEIGHT**2) / 2, rel=1e-12)
    np.testing.assert_allclose(by_weight, WEIGHT, rtol=1e-12)


def test_r1_is_taken_at_each_real_picture():
    value, by_weight = with_gradient(lambda w: r1_penalty(quadratic(w), tf.constant(REAL)), WEIGHT)
    assert value == pytest.approx(np.mean(np.sum((WEIGHT * REAL) ** 2, axis=(1, 2, 3))) / 2, rel=1e-12)
    np.testing.assert_allclose(by_weight, WEIGHT * np.mean(REAL**2, axis=0), rtol=1e-12)


@pytest.mark.parametrize("length", [0.25, 3.0])
def test_gradient_penalty_of_a_linear_critic_pulls_its_slope_to_one_from_both_sides(length):
    weight = WEIGHT * length / np.linalg.norm(WEIGHT)
    real, fake, share = (tf.constant(x) for x in (REAL, FAKE, np.array([0.0, 0.3, 1.0])))
    value, by_weight = with_gradient(lambda w: gradient_penalty(linear(w), real, fake, share), weight)
    assert value == pytest.approx((length - 1) ** 2, rel=1e-9)
    np.testing.assert_allclose(by_weight, 2 * (length - 1) * weight / length, rtol=1e-9)


def test_gradient_penalty_is_taken_at_the_mixes():
    share = np.array([0.0, 0.3, 1.0])
    mixes = np.stack([FAKE[0], 0.3 * REAL[1] + 0.7 * FAKE[1], REAL[2]])
    slopes = np.sqrt(np.sum((WEIGHT * mixes) ** 2, axis=(1, 2, 3)))
    arguments = (tf.constant(x) for x in (REAL, FAKE, share))
    value = gradient_penalty(quadratic(tf.constant(WEIGHT)), *arguments)
    assert float(value) == pytest.approx(np.mean((slopes - 1) ** 2), rel=1e-9)


def test_a_critic_without_slope_has_a_penalty_and_no_broken_gradient():
    arguments = (tf.constant(x) for x in (REAL, FAKE, np.full(3, 0.5)))
    value, by_weight = with_gradient(lambda w: gradient_penalty(linear(w), *arguments), np.zeros_like(WEIGHT))
    assert value == pytest.approx(1.0, abs=1e-5)
    assert np.isfinite(by_weight).all()


def test_path_length_of_a_linear_generator():
    """Pictures that are a matrix times each layer's w: Jᵀy is the transposed matrix times y, whatever w is."""
    matrix, ws, noise = RANDOM.randn(2, 3, 16), RANDOM.randn(5, 2, 3), RANDOM.randn(5, 4, 4, 1)
    slopes = np.einsum("ldp,np->nld", matrix, noise.reshape(5, 16)) / 4.0  # √(4 · 4)
    lengths = np.sqrt(np.mean(np.sum(slopes**2, axis=2), axis=1))
    mean = 0.7

    def penalty(m):
        synthesis = lambda w: tf.reshape(tf.einsum("nld,ldp->np", w, m), [-1, 4, 4, 1])  # noqa: E731
        return path_length(synthesis, tf.constant(ws), tf.constant(noise), tf.constant(mean, tf.float64))

    value, by_matrix = with_gradient(lambda m: penalty(m)[0], matrix)
    assert value == pytest.approx(np.mean((lengths - mean) ** 2), rel=1e-9)
    assert float(penalty(tf.constant(matrix))[1]) == pytest.approx(lengths.mean(), rel=1e-9)

    by_slopes = (2 * (lengths - mean) / lengths / 5)[:, None, None] * slopes / 2  # two layers
    expected = np.einsum("nld,np->ldp", by_slopes, noise.reshape(5, 16)) / 4.0
    np.testing.assert_allclose(by_matrix, expected, rtol=1e-9)


def test_neither_mean_of_the_path_lengths_is_optimised():
    matrix, ws, noise = tf.constant(RANDOM.randn(3, 16)), tf.constant(RANDOM.randn(2, 1, 3)), RANDOM.randn(2, 4, 4, 1)
    mean = tf.constant(0.5, tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([matrix, mean])
        synthesis = lambda w: tf.reshape(tf.einsum("nld,dp->np", w, matrix), [-1, 4, 4, 1])  # noqa: E731
        penalty, length = path_length(synthesis, ws, tf.constant(noise), mean)
    assert tape.gradient(penalty, mean) is None
    assert tape.gradient(length, matrix) is None
