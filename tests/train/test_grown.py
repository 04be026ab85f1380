"""Progressive GAN and StyleGAN while they grow: their parameters, both nets through a fade, whole runs."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ganexport.architectures import weight_shapes
from ganexport.convert import convert
from train.config import Config
from train.data import Dataset
from train.devices import Devices
from train.discriminators import growing as discriminator
from train.drawing import Drawer
from train.equalized import fold, initial_value
from train.generators import Latents, grown
from train.generators.training_ops import TrainingOps
from train.growing import begins_level, faded, growth_at, trained_spec
from train.loop import _Run
from train.sampling import to_generator
from train.snapshot import RunFolder
from train.state import State
from train.step import kind_at, make_step

ARCHITECTURES = ("progressive", "stylegan")


def config(architecture, **changes):
    """4² to 8² in five steps: two of the first block, two of the fade (the first at share 0), one of the whole."""
    return Config(
        architecture=architecture,
        resolution=8,
        z_dim=8,
        w_dim=8,
        mapping_layers=2,
        channels=(8, 8),
        d_channels=(8, 8),
        start_resolution=4,
        stable_kimg=0.008,
        fade_kimg=0.008,
        kimg=0.02,
        batch=4,
        group=2,
        r1_interval=3,
        **changes,
    )


def start(parameters):
    return {name: tf.constant(initial_value(name, p, 0)) for name, p in parameters.items()}


# ------------------------------------------------------------------------------------------------------- parameters


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_level_finds_its_tensors(architecture):
    spec = grown.spec(config(architecture), 3, 2)
    parameters = grown.parameters(spec)
    values, shapes = start(parameters), {}
    for level, fading in ((0, False), (1, True), (1, False)):
        level_spec = trained_spec(spec, level, fading=fading)
        tensors = grown.canonical(values, level_spec)
        assert {name: tuple(t.shape) for name, t in tensors.items()} == weight_shapes(level_spec)
        shapes |= weight_shapes(level_spec)
    assert {name: p.shape for name, p in parameters.items()} == shapes


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_kernels_start_as_published(architecture):
    """Deviation √2/√fan-in (He) where a leaky ReLU follows, 1/√fan-in elsewhere; 4×4 from a vector: √2/4/√z."""
    spec = grown.spec(dataclasses.replace(config(architecture), channels=(64, 64), z_dim=64, w_dim=64), 3, 0)
    parameters = grown.parameters(spec)
    tensors = grown.canonical(start(parameters), trained_spec(spec, 1, fading=True))
    linear = ("affine.weight", "shift.weight", "torgb.weight")
    for name, tensor in tensors.items():
        if name.endswith(".weight"):
            fan_in = np.prod(tensor.shape[1:])
            expected = np.sqrt((1.0 if name.endswith(linear) else 2.0) / fan_in)
            if name == "synthesis.b4.conv0.weight":
                expected = np.sqrt(2.0) / 4.0 / np.sqrt(64)
            assert np.std(tensor) == pytest.approx(expected, rel=0.15), name
        if name.endswith("affine.bias"):
            np.testing.assert_array_equal(tensor, 1.0)
        elif name.endswith(("bias", "noise_strength")):
            np.testing.assert_array_equal(tensor, 0.0)


def test_the_mapping_learns_a_hundred_times_slower():
    parameters = grown.parameters(grown.spec(config("stylegan"), 1, 2))
    for name in ("mapping.fc0.weight", "mapping.fc1.bias"):
        kernel = name.endswith("weight")
        assert parameters[name].gain * (np.sqrt(16 / 2) if kernel else 1) == pytest.approx(0.01)
    frozen = {name for name, p in parameters.items() if not p.trainable}
    assert frozen == {n for n in parameters if n.endswith(("noise_const", "w_avg"))}


def test_each_picture_has_its_own_noise_from_the_first_layer_on():
    spec = trained_spec(grown.spec(config("stylegan"), 1, 0), 0, fading=False)
    values = start(grown.parameters(spec))
    values["synthesis.b4.conv0.noise_strength"] = tf.ones([8])
    latents = Latents(tf.zeros([2, 8]), tf.zeros([2, 2, 8]))
    first, second = grown.pictures(TrainingOps(tf.constant([1, 2])), values, spec, latents, None)
    assert np.abs(first - second).max() > 0.1


# ---------------------------------------------------------------------------------------------- both nets in a fade


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_new_block_changes_the_picture_from_nothing_on(architecture):
    """At share 0 it is the level before, doubled; at 1 the new block's own: on TensorFlow, as the step draws it."""
    spec, tiny = grown.spec(config(architecture), 3, 2), config(architecture)
    values, labels = start(grown.parameters(spec)), tf.one_hot([0, 1], 2)

    def draw(level, share=None):
        level_spec = trained_spec(spec, level, fading=share is not None)
        used = values if share is None else faded(values, level, tf.constant(share))
        latents = grown.latents(used, level_spec, dataclasses.replace(tiny, style_mixing=0.0), labels, 2, [1, 2])
        return grown.pictures(TrainingOps(tf.constant([3, 4])), used, level_spec, latents, labels).numpy()

    doubled = draw(0).repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_allclose(draw(1, 0.0), doubled, atol=1e-6)
    np.testing.assert_allclose(draw(1, 1.0), draw(1), atol=1e-6)
    np.testing.assert_allclose(draw(1, 0.25), 0.75 * doubled + 0.25 * draw(1), atol=1e-6)
    assert np.abs(draw(1) - doubled).max() > 0.1


@pytest.mark.parametrize("c_dim", [0, 2])
def test_the_discriminators_answer_is_continuous_through_a_fade(c_dim):
    tiny = config("progressive")
    parameters = discriminator.parameters(tiny, grown.spec(tiny, 3, c_dim))
    weights = fold(start(parameters), parameters)
    images = tf.random.stateless_normal([4, 8, 8, 3], [1, 2])
    labels = tf.one_hot([0, 0, 1, 1], c_dim) if c_dim else None

    def judge(images, share=None):
        fade = {} if share is None else {discriminator.FADE: tf.constant(share)}
        return discriminator.discriminate({**weights, **fade}, images, labels, tiny)

    small = tf.nn.avg_pool2d(images, 2, 2, "VALID")
    for share, expected in ((0.0, judge(small)), (1.0, judge(images))):
        got = judge(images, share)
        np.testing.assert_allclose(got.logits, expected.logits, atol=1e-6)
        np.testing.assert_allclose(got.features, expected.features, atol=1e-6)
    assert got.logits.shape == (4,) and got.features.shape == (4, 8)
    halfway, near = judge(images, 0.5).logits, judge(images, 0.5001).logits
    assert 0 < np.abs(halfway - near).max() < 1e-3
    assert np.abs(judge(small).logits - judge(images).logits).min() > 1e-3


def test_only_what_takes_part_in_a_level_is_taught():
    tiny = config("progressive")
    parameters = discriminator.parameters(tiny, grown.spec(tiny, 1, 2))
    values = {name: tf.Variable(initial_value(name, p, 0)) for name, p in parameters.items()}
    labels = tf.one_hot([0, 0, 1, 1], 2)
    taught = {}
    for size, fade in ((4, None), (8, 0.5), (8, None)):
        with tf.GradientTape() as tape:
            weights = fold(values, parameters) | ({} if fade is None else {discriminator.FADE: tf.constant(fade)})
            images = tf.random.stateless_normal([4, size, size, 1], [3, 4])
            loss = tf.reduce_sum(discriminator.discriminate(weights, images, labels, tiny).logits)
        gradients = tape.gradient(loss, values)
        taught[size, fade] = {n for n, g in gradients.items() if g is not None and float(tf.norm(g)) > 0}
    small = {n for n in values if n.startswith(("b4.", "label."))}
    assert taught[4, None] == small
    assert taught[8, 0.5] == set(values)
    assert taught[8, None] == set(values) - {"b4.fromrgb.weight", "b4.fromrgb.bias"}


# ------------------------------------------------------------------------------------------------------- whole runs


@pytest.fixture
def eagerly():
    """The steps uncompiled: five of a tiny net take less than compiling one."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def go_on(config, state, steps):
    """Take steps with pictures that depend on the step alone."""
    step_of, labels = make_step(config, state), tf.one_hot([0, 0, 1, 1], 2)
    for step in range(state.step, steps):
        images = tf.random.stateless_uniform([4, 8, 8, 1], [7, step], -1.0, 1.0)
        if begins_level(config, step):
            state.forget_moments()
        step_of(kind_at(config, step))(images, labels, tf.constant(step))
        state.step = step + 1
    return state


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_run_stopped_anywhere_goes_on_to_the_same_end(architecture, eagerly, tmp_path):
    tiny = config(architecture)
    whole, snapshots = State(tiny, 1, 2), {}
    for step in (2, 3, 5):
        snapshots[step] = go_on(tiny, whole, step).tensors()
    assert [growth_at(tiny, step) for step in snapshots] == [(0, 1.0), (1, 0.5), (1, 1.0)]
    for step in (2, 3):
        state = State(tiny, 1, 2)
        state.restore(snapshots[step])
        end = go_on(tiny, state, 5).tensors()
        for name, tensor in snapshots[5].items():
            np.testing.assert_array_equal(end[name], tensor, err_msg=f"{name} from step {step}")

    first = snapshots[2]
    for name, tensor in State(tiny, 1, 2).tensors().items():
        if ".b8." in name:
            np.testing.assert_array_equal(first[name], tensor, err_msg=name)  # its time had not come
    state.restore(snapshots[3])
    generator = to_generator(tiny, state, Dataset(np.zeros((2, 8, 8, 1), np.uint8), np.arange(2)))
    assert generator.spec.resolution == 8 and generator.spec.lod == 0.5
    manifest = convert(generator, tmp_path / "half-grown")
    assert {result.status for result in manifest.parity} == {"ok"}


def test_what_joins_late_moves_no_faster_than_what_was_there(eagerly):
    """Adam's first step is of one learning rate, whenever it comes; the rate goes on in its descent."""
    tiny = dataclasses.replace(config("progressive", beta1=0.0, beta2=0.99, lr_end=0.5, anneal_kimg=0.02), kimg=0.4)
    tiny = dataclasses.replace(tiny, stable_kimg=0.2, fade_kimg=0.2)  # the second block joins in step 51, share 1/50
    state = State(tiny, 1, 2)
    for optimizer in (state.g_optimizer, state.d_optimizer):
        optimizer.iterations.assign(50)
    state.step = 51
    before = {name: v.numpy() for name, v in state.g.items()}
    go_on(tiny, state, 52)
    moved = {name: np.abs(v.numpy() - before[name]).max() / (0.5 * tiny.g_lr) for name, v in state.g.items()}
    assert moved["synthesis.b8.conv0.weight"] == pytest.approx(1.0, abs=0.01)
    assert moved["synthesis.b4.conv1.weight"] == pytest.approx(1.0, abs=0.01)
    assert (state.g_optimizer.iterations.numpy(), state.g_descent.before.numpy()) == (1, 50)


def test_a_run_says_when_it_grows_and_shows_what_has_grown(eagerly, tmp_path, capsys):
    tiny = dataclasses.replace(
        config("progressive"), channels=(8, 8, 8), d_channels=(8, 8, 8), resolution=16, fade_kimg=0.012
    )
    pictures = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 1)).astype(np.uint8)
    data, folder = Dataset(pictures, np.arange(8) % 2), RunFolder(tmp_path)
    folder.begin(tiny)
    run = _Run(tiny, folder, State(tiny, 1, 2), data, data, Devices(tf.distribute.get_strategy(), 1, True, ""))
    run.until(4, lambda: False)
    told = capsys.readouterr().out
    assert "0.0 kimg: pictures of 4×4 from here on\n" in told and "0.0 kimg: pictures of 8×8 from here on\n" in told
    assert run.state.d_descent.before.numpy() == 3  # the optimisers began anew with the second block
    assert "16×16" not in told and "resolution 8.000  fade 0.333" in told
    grid = np.asarray(Image.open(next(folder.samples.iterdir())))  # [2 rows of 16, 12 columns of 16]
    assert grid.shape == (32, 192)
    np.testing.assert_array_equal(grid, grid[::2, ::2].repeat(2, axis=0).repeat(2, axis=1))
    assert (grid != grid[::4, ::4].repeat(4, axis=0).repeat(4, axis=1)).any()

    drawer, z, labels = run.drawer(), np.random.default_rng(1).normal(size=(2, 8)).astype(np.float32), np.arange(2)
    for run.state.step in (4, 3):  # two thirds and one third of the fade
        exported = to_generator(tiny, run.state, data)
        expected = Drawer(exported.spec, lambda exported=exported: exported.weights).pictures(z, labels)
        drawn = run.drawer().pictures(z, labels)
        assert np.abs(drawn.astype(int) - expected).max() <= 1
    assert run.drawer() is drawer
