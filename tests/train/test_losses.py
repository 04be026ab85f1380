"""Losses and regularisers against closed forms, values and gradients."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from train.discriminators import discriminate, discriminator_parameters, minibatch_stddev  # noqa: E402
from train.equalized import fold, initial_value  # noqa: E402
from train.losses import discriminator_loss, generator_loss, mismatch_loss, r1_penalty  # noqa: E402


def test_losses_at_balance_are_multiples_of_log_two():
    zero = tf.zeros([5])
    assert float(discriminator_loss(zero, zero)) == pytest.approx(2 * np.log(2))
    assert float(generator_loss(zero)) == pytest.approx(np.log(2))


def test_gradients_of_the_losses_are_sigmoids():
    real, fake = tf.constant([0.3, -1.2]), tf.constant([2.0, -0.5])
    with tf.GradientTape() as tape:
        tape.watch([real, fake])
        loss = discriminator_loss(real, fake)
    by_real, by_fake = tape.gradient(loss, [real, fake])
    sigmoid = lambda x: 1 / (1 + np.exp(-x.numpy()))  # noqa: E731
    np.testing.assert_allclose(by_real, -(1 - sigmoid(real)) / 2, rtol=1e-6)
    np.testing.assert_allclose(by_fake, sigmoid(fake) / 2, rtol=1e-6)

    with tf.GradientTape() as tape:
        tape.watch(fake)
        loss = generator_loss(fake)
    np.testing.assert_allclose(tape.gradient(loss, fake), -(1 - sigmoid(fake)) / 2, rtol=1e-6)


def test_mismatch_counts_only_labels_that_differ():
    labels, wrong = tf.one_hot([0, 1], 3), tf.one_hot([2, 1], 3)
    loss = mismatch_loss(tf.constant([0.7, 9.0]), labels, wrong)
    assert float(loss) == pytest.approx(np.log1p(np.exp(0.7)) / 2, rel=1e-6)


def test_r1_of_a_linear_discriminator_is_half_its_squared_weight():
    weight = tf.constant(np.random.RandomState(0).randn(4, 4, 1), tf.float32)
    images = tf.random.stateless_normal([3, 4, 4, 1], [1, 2])
    with tf.GradientTape() as tape:
        tape.watch(weight)
        penalty = r1_penalty(lambda x: tf.reduce_sum(x * weight, axis=[1, 2, 3]), images)
    assert float(penalty) == pytest.approx(0.5 * float(tf.reduce_sum(weight**2)), rel=1e-6)
    np.testing.assert_allclose(tape.gradient(penalty, weight), weight, rtol=1e-5)


def test_minibatch_stddev_of_known_groups():
    x = np.zeros((4, 2, 2, 4), np.float32)
    x[0], x[1] = 1.0, -1.0  # the first group differs by a standard deviation of 1, the second not at all
    got = minibatch_stddev(tf.constant(x), 2, 2).numpy()
    assert got.shape == (4, 2, 2, 2)
    np.testing.assert_allclose(got[:2], 1.0, rtol=1e-4)
    np.testing.assert_allclose(got[2:], 1e-4, rtol=1e-3)  # √1e-8, the guard


def test_minibatch_stddev_keeps_its_statistics_apart():
    x = np.zeros((2, 1, 1, 4), np.float32)
    x[0, ..., 2:] = 2.0  # only the second half of the channels differs
    got = minibatch_stddev(tf.constant(x), 2, 2).numpy()[0, 0, 0]
    np.testing.assert_allclose(got, [1e-4, 1.0], rtol=1e-3)


@pytest.mark.parametrize("c_dim", [0, 3])
def test_discriminator_gives_one_logit_a_picture_that_knows_its_label(c_dim):
    parameters = discriminator_parameters((8, 8, 8), 1, c_dim)
    weights = fold({k: tf.constant(initial_value(k, p, 0)) for k, p in parameters.items()}, parameters)
    images = tf.random.stateless_normal([4, 16, 16, 1], [3, 4])
    labels = tf.one_hot([0, 0, 1, 1], c_dim) if c_dim else None
    logits = discriminate(weights, images, labels, 2)
    assert logits.shape == (4,) and np.isfinite(logits).all()
    if c_dim:
        others = discriminate(weights, images, tf.one_hot([2, 2, 0, 0], c_dim), 2)
        assert np.abs(logits - others).min() > 1e-3


def test_discriminator_has_no_parameter_without_gradient():
    parameters = discriminator_parameters((8, 8, 8), 3, 3)
    values = {k: tf.Variable(initial_value(k, p, 0)) for k, p in parameters.items()}
    with tf.GradientTape() as tape:
        images, labels = tf.random.stateless_normal([4, 16, 16, 3], [3, 4]), tf.one_hot([0, 0, 1, 1], 3)
        loss = generator_loss(discriminate(fold(values, parameters), images, labels, 2))
    gradients = tape.gradient(loss, values)
    for name, gradient in gradients.items():
        assert gradient is not None and float(tf.reduce_max(tf.abs(gradient))) > 0, name
