"""The dense GAN and DCGAN in training: BatchNorm and what it folds into, the discriminators, InfoGAN's Q."""

from dataclasses import replace

import numpy as np
import pytest
from oracles import dcgan as dcgan_oracle
from oracles import mlp as mlp_oracle

from ganexport.architectures import weight_shapes
from ganexport.errors import OptionError
from ganexport.ops.numpy_ops import NumpyOps, float64_weights
from train.presets import preset

# A float32 forward pass against float64, relative to the greatest number; 1e-6 measured.
FLOAT32 = 1e-5

LAYERS = [(1, 0, "relu"), (2, 1, "relu"), (2, 1, "tanh")]


def config_of(name, **changes):
    """A preset at toy size: pictures of 8²."""
    return replace(preset(name), **{"resolution": 8, "z_dim": 6, "channels": (5, 4), "d_channels": (5, 4), **changes})


def values_of(parameters, seed=0):
    """Numbers for every parameter, none of them degenerate."""
    random = np.random.default_rng(seed)
    values = {}
    for name, p in parameters.items():
        drawn = random.standard_normal(p.shape)
        kind = name.rsplit(".", 1)[-1]
        values[name] = {"variance": np.exp(drawn), "weight": 0.3 * drawn, "gamma": 1 + 0.3 * drawn}.get(kind, drawn)
    return {name: value.astype(np.float32) for name, value in values.items()}


def inputs(c_dim, count=5, z_dim=6):
    random = np.random.default_rng(3)
    c = np.eye(c_dim)[np.arange(count) % c_dim].astype(np.float32) if c_dim else None
    return random.standard_normal((count, z_dim)).astype(np.float32), c


def assert_near(got, expected):
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= FLOAT32 * np.abs(expected).max()


def batch_norm(x, gamma, beta, mean, variance):
    """In every channel of [N, C] or [N, C, H, W], in float64."""
    gamma, beta, mean, variance = (
        np.asarray(v, np.float64).reshape(-1, *[1] * (x.ndim - 2)) for v in (gamma, beta, mean, variance)
    )
    return gamma * (x - mean) / np.sqrt(variance + 1e-5) + beta


def straight_dcgan(values, z, c, *, of_the_batch):
    """The net with BatchNorm written out: with the running statistics, or with those of the batch, which it returns."""
    x, seen = z.astype(np.float64)[:, :, None, None], {}
    for i, (stride, padding, activation) in enumerate(LAYERS):
        layer = f"synthesis.layer{i}"
        if c is not None:
            x = np.concatenate([x, np.ones((1, 1, *x.shape[2:])) * c[:, :, None, None]], axis=1)
        x = dcgan_oracle.conv_transpose(x, values[f"{layer}.weight"].transpose(1, 0, 2, 3), stride, padding)
        if i == 2:
            x = x + values[f"{layer}.bias"][:, None, None]
        else:
            mean, variance = (
                (x.mean((0, 2, 3)), x.var((0, 2, 3)))
                if of_the_batch
                else (values[f"{layer}.mean"], values[f"{layer}.variance"])
            )
            seen |= {f"{layer}.mean": mean, f"{layer}.variance": variance}
            x = batch_norm(x, values[f"{layer}.gamma"], values[f"{layer}.beta"], mean, variance)
        x = dcgan_oracle.activate(x, activation)
    return x, seen


# ------------------------------------------------------------------------------------------------------- generators


def test_the_folded_dcgan_draws_as_with_the_running_statistics():
    from ganexport.architectures import synthesis
    from train.generators import classic

    spec = classic.spec(config_of("cgan"), 3, 4)
    values = values_of(classic.parameters(spec))
    folded = classic.canonical(values, spec)
    assert {name: tensor.shape for name, tensor in folded.items()} == weight_shapes(spec)
    z, c = inputs(4)
    got = synthesis(NumpyOps(), float64_weights(folded), spec, {"z": z.astype(np.float64), "c": c.astype(np.float64)})
    expected, _ = straight_dcgan(values, z, c, of_the_batch=False)
    assert_near(got["image"], expected)


def test_the_folded_dense_net_draws_as_with_the_running_statistics():
    from train.generators import classic

    spec = classic.spec(config_of("mlp", channels=(9, 7), label_layers="every"), 3, 4)
    values = values_of(classic.parameters(spec))
    z, c = inputs(4)
    settings = {"channels": 3, "slope": 0.2, "every": True}
    written_out = {name.replace("synthesis.fc", "fc."): array for name, array in values.items()}
    folded = {n.replace("synthesis.fc", "fc."): a for n, a in classic.canonical(values, spec).items()}
    assert "fc.0.gamma" in written_out and "fc.0.gamma" not in folded
    expected = mlp_oracle.generate(written_out, z, c, **settings)
    assert_near(mlp_oracle.generate(folded, z, c, **settings), expected)


def test_in_training_the_statistics_are_those_of_the_batch():
    import tensorflow as tf

    from train.generators import Latents, classic
    from train.generators.training_ops import TrainingOps

    spec = classic.spec(config_of("cgan"), 3, 4)
    values = values_of(classic.parameters(spec))
    z, c = inputs(4)
    ops = TrainingOps(tf.constant([0, 0]))
    images = classic.pictures(ops, {n: tf.constant(v) for n, v in values.items()}, spec, Latents(tf.constant(z)), c)
    expected, seen = straight_dcgan(values, z, c, of_the_batch=True)
    assert_near(images.numpy().transpose(0, 3, 1, 2), expected)
    assert ops.seen.keys() == seen.keys()
    for name, statistic in seen.items():
        assert_near(ops.seen[name].numpy(), statistic)


def test_gradients_flow_through_the_statistics():
    """A constant added to all that a BatchNorm reads, or a factor on it, changes nothing: no gradient along either."""
    import tensorflow as tf

    from train.batch_norm import standardised

    x = tf.constant(np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32) * 10)
    towards = tf.constant(np.random.default_rng(1).standard_normal((6, 3)).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(x)
        standard, mean, variance = standardised(x)
        loss = tf.reduce_sum(standard * towards)
    gradient = tape.gradient(loss, x).numpy()
    np.testing.assert_allclose(gradient.sum(0), 0, atol=1e-6)
    np.testing.assert_allclose((gradient * (x.numpy() - mean.numpy())).sum(0), 0, atol=1e-5)
    assert np.abs(gradient).max() > 0.01
    np.testing.assert_allclose(variance.numpy(), x.numpy().var(0), rtol=1e-5)


def test_outside_of_a_step_the_statistics_are_of_what_is_there():
    """Measuring and starting from a checkpoint judge pictures between steps, where no replica is at work."""
    import tensorflow as tf

    from train.batch_norm import standardised

    x = tf.constant(np.random.RandomState(0).randn(9, 4), tf.float32)
    alone = standardised(x)
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        for got, expected in zip(standardised(x), alone, strict=True):
            np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", ["dcgan", "mlp"])
def test_weights_start_small_and_every_layer_but_the_last_has_batch_norm(name):
    from train.equalized import initial_value
    from train.generators import classic

    spec = classic.spec(preset(name), 1, 0)
    parameters = classic.parameters(spec)
    start = {n: initial_value(n, p, 0) for n, p in parameters.items()}
    assert classic.canonical(start, spec).keys() == weight_shapes(spec).keys()
    biases = [n for n in parameters if n.endswith(".bias")]
    assert biases == [list(weight_shapes(spec))[-1]]
    for n, value in start.items():
        mean, deviation = {"weight": (0, 0.02), "gamma": (1, 0.02), "variance": (1, 0)}.get(n.split(".")[-1], (0, 0))
        error = 5 * deviation / np.sqrt(value.size)
        assert abs(value.mean() - mean) <= error and abs(value.std() - deviation) <= error, n
    assert {n for n, p in parameters.items() if not p.trainable} == {
        n for n in parameters if n.endswith((".mean", ".variance"))
    }


def test_the_sizes_that_the_presets_draw():
    from train.generators import classic

    def layers(name):
        return [(x.kernel, x.stride, x.padding) for x in classic.spec(preset(name), 1, 0).layers]

    assert layers("dcgan") == [(7, 1, 0), (4, 2, 1), (4, 2, 1)]  # 7, 14, 28
    assert layers("dcgan64") == [(4, 1, 0), *[(4, 2, 1)] * 4]  # 4, 8, 16, 32, 64
    spec = classic.spec(preset("infogan"), 1, 10)
    assert (spec.z_distribution, spec.c_dim) == ("uniform", 10)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"resolution": 30}, "no size of 2 or more pixels ends at --resolution 30"),
        ({"resolution": 4}, "no size of 2 or more"),
        ({"label_layers": "last"}, "--label-layers must be one of first, every, found 'last'"),
        ({"z_distribution": "cauchy"}, "--z-distribution must be one of normal, uniform"),
        ({"d_norm": "layer"}, "--d-norm must be one of none, batch"),
        ({"codes": 6}, "--codes fewer than --z-dim 6"),
        ({"architecture": "stylegan2", "d_norm": "batch"}, "are for mlp and dcgan, not stylegan2"),
        ({"architecture": "stylegan2", "d_norm": "none", "codes": 1}, "are for mlp and dcgan, not stylegan2"),
    ],
)
def test_what_cannot_be_trained_is_said(changes, words):
    from train.generators import classic

    with pytest.raises(OptionError, match=words):
        classic.spec(config_of("dcgan", **changes), 1, 0)


# --------------------------------------------------------------------------------------------------- discriminators


def convolved(x, kernel):
    """Stride 2 and one row of zeros around, [N, C, H, W] with [kh, kw, I, O], in float64."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    size = x.shape[2] // 2
    y = np.zeros((len(x), kernel.shape[3], size, size))
    for row in range(size):
        for column in range(size):
            window = padded[:, :, 2 * row : 2 * row + 4, 2 * column : 2 * column + 4]
            y[:, :, row, column] = np.einsum("nihw,hwio->no", window, kernel)
    return y


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def test_the_convolutional_discriminator_written_out():
    import tensorflow as tf

    from train.discriminators import convolutional
    from train.generators import classic

    config = config_of("cgan")
    parameters = convolutional.parameters(config, classic.spec(config, 3, 4))
    weights = values_of(parameters, seed=1)
    images = np.random.default_rng(2).uniform(-1, 1, (5, 8, 8, 3)).astype(np.float32)
    _, c = inputs(4)
    answers = convolutional.discriminate({n: tf.constant(w) for n, w in weights.items()}, images, c, config)

    x = images.transpose(0, 3, 1, 2).astype(np.float64)
    for i in range(2):
        x = np.concatenate([x, np.ones((1, 1, *x.shape[2:])) * c[:, :, None, None]], axis=1)
        x = convolved(x, weights[f"conv{i}.weight"].astype(np.float64))
        if i == 0:
            x = leaky(x + weights["conv0.bias"][:, None, None])
        else:
            x = leaky(batch_norm(x, weights["conv1.gamma"], weights["conv1.beta"], x.mean((0, 2, 3)), x.var((0, 2, 3))))
    features = x.transpose(0, 2, 3, 1).reshape(5, -1)
    assert_near(answers.features.numpy(), features)
    logits = np.hstack([features, c]) @ weights["out.weight"][:, 0] + weights["out.bias"][0]
    assert_near(answers.logits.numpy(), logits)


def test_the_dense_discriminator_written_out():
    import tensorflow as tf

    from train.discriminators import dense
    from train.generators import classic

    config = config_of("mlp", use_labels=True)
    weights = values_of(dense.parameters(config, classic.spec(config, 3, 4)), seed=1)
    images = np.random.default_rng(2).uniform(-1, 1, (5, 8, 8, 3)).astype(np.float32)
    _, c = inputs(4)
    answers = dense.discriminate({n: tf.constant(w) for n, w in weights.items()}, images, c, config)
    x = images.reshape(5, -1)
    for i in range(2):
        x = leaky(np.hstack([x, c]).astype(np.float64) @ weights[f"fc{i}.weight"] + weights[f"fc{i}.bias"])
    assert_near(answers.features.numpy(), x)
    assert_near(answers.logits.numpy(), np.hstack([x, c]) @ weights["out.weight"][:, 0] + weights["out.bias"][0])


def test_q_reads_the_features_and_d_never_sees_the_codes():
    import tensorflow as tf

    from train.discriminators import convolutional, information
    from train.generators import classic

    config = config_of("infogan", categories=4)
    spec = classic.spec(config, 1, config.c_dim(7))
    assert spec.c_dim == 4
    parameters = convolutional.parameters(config, spec)
    assert parameters["conv0.weight"].shape == (4, 4, 1, 4)  # no label maps
    weights = values_of(parameters, seed=1)
    features = np.random.default_rng(0).standard_normal((5, 20)).astype(np.float32)
    category, code = information.recovered({n: tf.constant(w) for n, w in weights.items()}, features)
    hidden = features.astype(np.float64) @ weights["q.fc.weight"] + weights["q.fc.bias"]
    hidden = np.where(hidden > 0, hidden, 0.1 * hidden)
    assert_near(category.numpy(), hidden @ weights["q.category.weight"] + weights["q.category.bias"])
    assert_near(code.numpy(), hidden @ weights["q.code.weight"] + weights["q.code.bias"])
    assert information.recovered({n: w for n, w in weights.items() if "code" not in n}, features)[1] is None


@pytest.mark.slow
def test_q_learns_to_tell_the_codes():
    """Real pictures have one bright corner, more or less bright; what the codes come to mean is left to the net."""
    import tensorflow as tf

    from train.metrics.codes import code_agreement
    from train.state import State
    from train.step import kind_at, make_step

    def real(step):
        random = np.random.default_rng(step)
        images = -np.ones((32, 2, 4, 2, 4, 1), np.float32)
        down, right = random.integers(0, 2, (2, 32))
        images[np.arange(32), down, :, right] = random.uniform(0.2, 1, (32, 1, 1, 1))
        return tf.constant(images.reshape(32, 8, 8, 1))

    config = config_of(
        "infogan", z_dim=4, categories=4, codes=1, channels=(8, 8), d_channels=(8, 8), g_lr=0.002, d_lr=0.002
    )
    state = State(config, 1, 4)
    before = code_agreement(config, state, 256)
    step = make_step(config, state)(kind_at(config, 0))
    for i in range(200):
        step(real(i), tf.zeros((32, 0)), tf.constant(i))
    after = code_agreement(config, state, 256)
    # Chance is a quarter, and none. Found: 1.00 and 0.85.
    assert before["category_agreement"] < 0.5 and abs(before["code_0"]) < 0.5
    assert after["category_agreement"] > 0.9 and abs(after["code_0"]) > 0.6
