"""The adversarial losses and those on labels and codes, against closed forms: values and gradients."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from ganexport.errors import OptionError  # noqa: E402
from train.losses import ADVERSARIAL_NAMES, check_adversarial  # noqa: E402
from train.losses.adversarial import ADVERSARIAL  # noqa: E402
from train.losses.labels import information_loss, mismatch_loss  # noqa: E402

REAL, FAKE = np.array([0.3, -1.2, 2.5]), np.array([2.0, -0.5, -1.7])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def value_and_gradients(loss, *arrays):
    """A loss of arrays [N]: its value, and N times its gradient by each, since a loss is a mean."""
    tensors = [tf.constant(a, tf.float64) for a in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = loss(*tensors)
    return float(value), [len(g) * g.numpy() for g in tape.gradient(value, tensors)]


CLOSED = {
    # name: D's cost of a real logit and its slope, of a generated one and its slope; G's cost and its slope
    "minimax": (
        (lambda x: -np.log(sigmoid(x)), lambda x: sigmoid(x) - 1),
        (lambda x: -np.log(1 - sigmoid(x)), sigmoid),
        (lambda x: np.log(1 - sigmoid(x)), lambda x: -sigmoid(x)),
    ),
    "non-saturating": (
        (lambda x: -np.log(sigmoid(x)), lambda x: sigmoid(x) - 1),
        (lambda x: -np.log(1 - sigmoid(x)), sigmoid),
        (lambda x: -np.log(sigmoid(x)), lambda x: sigmoid(x) - 1),
    ),
    "least-squares": (
        (lambda x: (x - 1) ** 2 / 2, lambda x: x - 1),
        (lambda x: x**2 / 2, lambda x: x),
        (lambda x: (x - 1) ** 2 / 2, lambda x: x - 1),
    ),
    "wasserstein": (
        (lambda x: -x, lambda x: -np.ones_like(x)),
        (lambda x: x, np.ones_like),
        (lambda x: -x, lambda x: -np.ones_like(x)),
    ),
    "hinge": (
        (lambda x: np.maximum(0, 1 - x), lambda x: -1.0 * (x < 1)),
        (lambda x: np.maximum(0, 1 + x), lambda x: 1.0 * (x > -1)),
        (lambda x: -x, lambda x: -np.ones_like(x)),
    ),
}


def test_every_loss_is_listed_and_tested():
    assert set(ADVERSARIAL) == set(ADVERSARIAL_NAMES) == set(CLOSED)


@pytest.mark.parametrize("name", CLOSED)
def test_losses_and_their_gradients_are_the_published_formulas(name):
    (real, real_slope), (fake, fake_slope), (generator, generator_slope) = CLOSED[name]
    value, (by_real, by_fake) = value_and_gradients(ADVERSARIAL[name].discriminator, REAL, FAKE)
    assert value == pytest.approx(real(REAL).mean() + fake(FAKE).mean(), rel=1e-12)
    np.testing.assert_allclose(by_real, real_slope(REAL), rtol=1e-12)
    np.testing.assert_allclose(by_fake, fake_slope(FAKE), rtol=1e-12)
    value, (by_fake,) = value_and_gradients(ADVERSARIAL[name].generator, FAKE)
    assert value == pytest.approx(generator(FAKE).mean(), rel=1e-12)
    np.testing.assert_allclose(by_fake, generator_slope(FAKE), rtol=1e-12)


def test_cross_entropy_at_balance_is_the_logarithm_of_two():
    zero = tf.zeros([5])
    loss = ADVERSARIAL["non-saturating"]
    assert float(loss.discriminator(zero, zero)) == pytest.approx(2 * np.log(2))
    assert float(loss.generator(zero)) == pytest.approx(np.log(2))


@pytest.mark.parametrize("name", ["minimax", "non-saturating"])
def test_a_sure_discriminator_costs_no_infinity(name):
    loss = ADVERSARIAL[name]
    sure = tf.constant([300.0])
    assert float(loss.discriminator(sure, -sure)) == 0.0
    assert float(loss.discriminator(-sure, sure)) == 600.0


@pytest.mark.parametrize(
    ("name", "best_logit"), [("minimax", np.log(9)), ("non-saturating", np.log(9)), ("least-squares", 0.9)]
)
def test_a_smoothed_target_is_where_d_pays_least_and_generated_pictures_keep_theirs(name, best_logit):
    loss = lambda real, fake: ADVERSARIAL[name].discriminator(real, fake, real_target=0.9)  # noqa: E731
    _, (by_real, by_fake) = value_and_gradients(loss, np.array([best_logit]), FAKE)
    np.testing.assert_allclose(by_real, 0, atol=1e-9)
    _, (_, hard) = value_and_gradients(ADVERSARIAL[name].discriminator, REAL, FAKE)
    np.testing.assert_array_equal(by_fake, hard)


@pytest.mark.parametrize("name", ["minimax", "non-saturating", "least-squares"])
def test_flipped_pictures_swap_their_targets(name):
    flipped = tf.constant([False, True, False])
    loss = ADVERSARIAL[name]
    some, _ = value_and_gradients(lambda r, f: loss.discriminator(r, f, real_target=0.9, flipped=flipped), REAL, FAKE)
    swapped = np.where([False, True, False], FAKE, REAL), np.where([False, True, False], REAL, FAKE)
    by_hand, _ = value_and_gradients(lambda r, f: loss.discriminator(r, f, real_target=0.9), *swapped)
    assert some == pytest.approx(by_hand, rel=1e-12)


def test_tricks_without_a_meaning_are_refused():
    for name in ADVERSARIAL_NAMES:
        check_adversarial(name, 0.0, 0.0)
    for name in ("minimax", "non-saturating", "least-squares"):
        check_adversarial(name, 0.1, 0.05)
    with pytest.raises(OptionError, match=r"unknown --loss 'bce'; choose from minimax, non-saturating"):
        check_adversarial("bce", 0.0, 0.0)
    with pytest.raises(OptionError, match=r"--label-smoothing 0.1 has no meaning with --loss hinge"):
        check_adversarial("hinge", 0.1, 0.0)
    with pytest.raises(OptionError, match=r"--flip-labels 0.05 has no meaning with --loss wasserstein"):
        check_adversarial("wasserstein", 0.0, 0.05)
    with pytest.raises(OptionError, match=r"--label-smoothing must be at least 0 and below 0.5, found 0.9"):
        check_adversarial("minimax", 0.9, 0.0)


def test_mismatch_counts_only_labels_that_differ():
    labels, wrong = tf.one_hot([0, 1], 3), tf.one_hot([2, 1], 3)
    loss = mismatch_loss(tf.constant([0.7, 9.0]), labels, wrong)
    assert float(loss) == pytest.approx(0.35)


def test_information_of_a_category_is_its_cross_entropy():
    logits = np.log(np.array([[0.7, 0.2, 0.1], [0.25, 0.25, 0.5]]))
    one_hot = np.eye(3)[[0, 2]]
    loss = information_loss(tf.constant(logits), tf.constant(one_hot), None, None)
    assert float(loss) == pytest.approx(-(np.log(0.7) + np.log(0.5)) / 2, rel=1e-12)


def test_information_of_codes_is_a_gaussian_likelihood():
    random = np.random.RandomState(0)
    codes, means = random.rand(4, 2), random.randn(4, 2)
    arguments = [tf.constant(a) for a in (means, codes)]
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        loss = information_loss(None, None, *arguments)
    density = np.exp(-((codes - means) ** 2) / 2) / np.sqrt(2 * np.pi)
    assert float(loss) == pytest.approx(-np.log(density).sum(axis=1).mean(), rel=1e-12)
    by_means, by_codes = tape.gradient(loss, arguments)
    np.testing.assert_allclose(4 * by_means, means - codes, rtol=1e-10)
    np.testing.assert_allclose(4 * by_codes, codes - means, rtol=1e-10)


def test_information_of_both_kinds_adds_up():
    random = np.random.RandomState(1)
    logits, one_hot = tf.constant(random.randn(4, 3)), tf.one_hot([0, 1, 2, 0], 3, dtype=tf.float64)
    means, codes = tf.constant(random.randn(4, 2)), tf.constant(random.randn(4, 2))
    both = information_loss(logits, one_hot, means, codes)
    apart = information_loss(logits, one_hot, None, None) + information_loss(None, None, means, codes)
    assert float(both) == pytest.approx(float(apart), rel=1e-12)
