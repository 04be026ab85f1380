"""Discriminators: what they answer, and that every parameter has a part in it."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from train.config import Config  # noqa: E402
from train.discriminators.residual import discriminate, parameters  # noqa: E402
from train.equalized import fold, initial_value  # noqa: E402
from train.generators.style import spec  # noqa: E402


def tiny(image_channels, c_dim):
    config = Config(resolution=16, channels=(8, 8, 8), d_channels=(8, 8, 8), batch=4, group=2)
    return config, parameters(config, spec(config, image_channels, c_dim))


@pytest.mark.parametrize("c_dim", [0, 3])
def test_discriminator_gives_one_logit_a_picture_that_knows_its_label(c_dim):
    config, trained = tiny(1, c_dim)
    weights = fold({k: tf.constant(initial_value(k, p, 0)) for k, p in trained.items()}, trained)
    images = tf.random.stateless_normal([4, 16, 16, 1], [3, 4])
    labels = tf.one_hot([0, 0, 1, 1], c_dim) if c_dim else None
    logits = discriminate(weights, images, labels, config).logits
    assert logits.shape == (4,) and np.isfinite(logits).all()
    if c_dim:
        others = discriminate(weights, images, tf.one_hot([2, 2, 0, 0], c_dim), config).logits
        assert np.abs(logits - others).min() > 1e-3


def test_discriminator_has_no_parameter_without_gradient():
    config, trained = tiny(3, 3)
    values = {k: tf.Variable(initial_value(k, p, 0)) for k, p in trained.items()}
    with tf.GradientTape() as tape:
        images, labels = tf.random.stateless_normal([4, 16, 16, 3], [3, 4]), tf.one_hot([0, 0, 1, 1], 3)
        loss = tf.reduce_mean(tf.nn.softplus(-discriminate(fold(values, trained), images, labels, config).logits))
    gradients = tape.gradient(loss, values)
    for name, gradient in gradients.items():
        assert gradient is not None and float(tf.reduce_max(tf.abs(gradient))) > 0, name
