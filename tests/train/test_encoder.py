"""An encoder's training: it starts with the discriminator's eyes, learns, and goes on after a stop."""

import dataclasses
import json
import shutil
import signal

import numpy as np
import pytest
from support.generators import dcgan_spec

tf = pytest.importorskip("tensorflow")

from ganexport.encoders import convolutional, encode, residual  # noqa: E402
from ganexport.encoders.encoder import load_encoder  # noqa: E402
from ganexport.encoders.spec import EncoderSpec  # noqa: E402
from ganexport.errors import OptionError, OutputExistsError  # noqa: E402
from ganexport.generator import load  # noqa: E402
from ganexport.ops.numpy_ops import NumpyOps, float64_weights  # noqa: E402
from train.__main__ import main  # noqa: E402
from train.config import Config  # noqa: E402
from train.data import Dataset  # noqa: E402
from train.discriminators import convolutional as dcgan  # noqa: E402
from train.discriminators.minibatch import statistics_of  # noqa: E402
from train.discriminators.residual import discriminate, parameters  # noqa: E402
from train.discriminators.spectral import normalised, spectral_parameters  # noqa: E402
from train.encoder import run as encoder_run  # noqa: E402
from train.encoder.options import EncoderOptions  # noqa: E402
from train.encoder.start import body_of, convolutional_body, find_source, folded, residual_body  # noqa: E402
from train.encoder.step import EncoderState, encoder_parameters, make_encoder_step  # noqa: E402
from train.equalized import fold, initial_value  # noqa: E402
from train.sampling import to_generator  # noqa: E402
from train.snapshot import RunFolder  # noqa: E402
from train.state import State  # noqa: E402

CONFIG = Config(
    resolution=8, z_dim=6, w_dim=6, mapping_layers=2, channels=(6, 4), d_channels=(8, 8), batch=4, group=2, held_out=0
)

LAYERS = tuple(
    {"channels": channels, "kernel": kernel, "stride": stride, "padding": padding, "activation": "tanh"}
    for channels, kernel, stride, padding in ((5, 3, 1, 0), (4, 4, 2, 1), (1, 4, 2, 1))
)
SOME = np.random.default_rng(5).uniform(-1, 1, (6, 8, 8, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that has just begun, on pictures of two classes."""
    root = tmp_path_factory.mktemp("runs") / "tiny"
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (24, 8, 8, 1), np.uint8), np.arange(24) % 2
    np.savez(root.parent / "pictures.npz", images=images, labels=labels)
    config = dataclasses.replace(CONFIG, data=str(root.parent / "pictures.npz"))
    folder = RunFolder(root)
    folder.begin(config)
    state = State(config, 1, 2)
    state.step = 250
    folder.save(state.tensors(), 2)
    to_generator(config, state, Dataset(images, labels)).save(folder.generators / "kimg000001.0.safetensors")
    return root


@pytest.mark.parametrize("c_dim", [0, 3])
def test_the_encoder_sees_what_the_discriminator_saw(c_dim):
    """With the neighbours out of its sight the discriminator's features are the encoder's."""
    config = Config(resolution=16, channels=(8, 8, 8), d_channels=(8, 16, 8), batch=4, group=2)
    from train.generators.style import spec

    trained = parameters(config, spec(config, 3, c_dim))
    values = {name: initial_value(name, p, 7) + np.float32(0.1 * name.endswith("bias")) for name, p in trained.items()}
    values["b4.conv.weight"][:, :, -statistics_of(config.d_channels[0]) :] = 0
    images = np.random.default_rng(1).uniform(-1, 1, (4, 16, 16, 3)).astype(np.float32)
    labels = tf.one_hot([0, 0, 1, 1], c_dim) if c_dim else None
    features = discriminate(fold(values, trained), tf.constant(images), labels, config).features.numpy()

    shape = {"resolution": 16, "image_channels": 3, "space": "z", "latent_dim": 8}
    encoder = residual.Spec(channels=config.d_channels, **shape)
    weights = residual_body(fold(values, trained)) | {"latent.weight": np.eye(8), "latent.bias": np.zeros(8)}
    assert weights.keys() == residual.weight_shapes(encoder).keys()
    found = encode(NumpyOps(), float64_weights(weights), encoder, images.transpose(0, 3, 1, 2).astype(np.float64))
    np.testing.assert_allclose(found["z"], features, rtol=0, atol=1e-5 * np.abs(features).max())


@pytest.mark.parametrize("norm", ["batch", "none", "spectral"])
def test_a_dcgans_encoder_sees_what_its_discriminator_saw(norm):
    """On a batch of its own pictures, with labels of which its kernels make nothing."""
    config = Config(
        architecture="dcgan", resolution=12, channels=(5, 4), d_channels=(6, 4), d_norm=norm, label_layers="every",
        batch=8, group=1,
    )  # fmt: skip
    drawn = dcgan_spec(2, resolution=12, image_channels=1, layers=LAYERS)
    trained = dcgan.parameters(config, drawn)
    values = {name: initial_value(name, p, 3) for name, p in trained.items()}
    for name, channels in (("conv0.weight", 1), ("conv1.weight", 4)):
        values[name] *= np.float32(20)
        values[name][:, :, channels:] = 0
    images = np.random.default_rng(1).uniform(-1, 1, (8, 12, 12, 1)).astype(np.float32)
    labels = tf.one_hot(np.arange(8) % 2, 2)
    vectors = spectral_parameters(trained) if norm == "spectral" else {}
    values |= {name: initial_value(name, p, 3) for name, p in vectors.items()}
    seen, _ = normalised(fold(values, trained | vectors), iterations=200)
    features = dcgan.discriminate(seen, tf.constant(images), labels, config).features.numpy()

    spec = convolutional.Spec(
        resolution=12, image_channels=1, space="z", latent_dim=54, channels=config.d_channels, width=54
    )
    flat = np.eye(54).reshape(54, 3, 3, 6).transpose(0, 3, 1, 2)  # the discriminator's order: rows, columns, channels
    weights = convolutional_body(folded(drawn, config, values), images) | {"fc.weight": flat, "fc.bias": np.zeros(54)}
    weights |= {"latent.weight": np.eye(54), "latent.bias": np.zeros(54)}
    assert weights.keys() == convolutional.weight_shapes(spec).keys()
    found = encode(NumpyOps(), float64_weights(weights), spec, images.transpose(0, 3, 1, 2).astype(np.float64))["z"]
    expected = np.where(features > 0, features, 0.2 * features)  # the dense layer is followed by a leaky ReLU
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(features).max())


def test_the_body_is_the_discriminators_and_the_last_layer_is_new(run):
    source = find_source(run)
    assert source.config.d_channels == (8, 8) and source.generator.spec.c_dim == 2
    spec, start = body_of(source, (), SOME, from_scratch=False)
    assert spec == residual.Spec(**EncoderSpec.contract(source.generator.spec), channels=(8, 8))
    assert residual.weight_shapes(spec).keys() - start.keys() == {
        "latent.weight",
        "latent.bias",
        "class.weight",
        "class.bias",
    }
    state = EncoderState(spec, EncoderOptions(), start)
    for name, array in start.items():
        np.testing.assert_allclose(state.weights()[name], array, rtol=1e-6, atol=1e-7)
    assert body_of(source, (), SOME, from_scratch=True)[1] == {}


def test_a_generator_without_a_discriminator_needs_a_fresh_start(run, tmp_path):
    alone = tmp_path / "alone.safetensors"
    shutil.copy(run / "generators" / "kimg000001.0.safetensors", alone)
    source = find_source(alone)
    with pytest.raises(OptionError, match="no snapshot of a discriminator beside this generator: pass --from-scratch"):
        body_of(source, (), SOME, from_scratch=False)
    assert body_of(source, (), SOME, from_scratch=True)[0].channels == (6, 4)
    with pytest.raises(OptionError, match="is not the discriminator's"):
        body_of(find_source(run), (4, 4), SOME, from_scratch=False)


def test_parameters_are_of_unit_scale():
    spec = residual.Spec(resolution=8, image_channels=1, space="z", latent_dim=4, channels=(8, 4))
    gains = {name: p.gain for name, p in encoder_parameters(spec).items()}
    assert gains["b8.conv0.weight"] == pytest.approx(1 / np.sqrt(4 * 9))
    assert gains["b4.fc.weight"] == pytest.approx(1 / np.sqrt(8 * 16)) and gains["latent.bias"] == 1


@pytest.mark.slow
def test_the_loss_falls_and_the_generator_stays(run):
    source = find_source(run)
    spec, start = body_of(source, (), SOME, from_scratch=False)
    options = EncoderOptions(steps=60, batch=16, lr=0.03)
    state = EncoderState(spec, options, start)
    weights = {name: tf.constant(array) for name, array in source.generator.weights.items()}
    step = make_encoder_step(options, state, source.generator.spec, weights)
    images = np.random.default_rng(2).uniform(-0.2, 0.2, (8, 8, 8, 1)).astype(np.float32)
    images += np.where(np.arange(8) % 2, 0.5, -0.5).astype(np.float32)[:, None, None, None]  # a class is bright or dark
    labels = tf.one_hot(np.arange(8) % 2, 2)
    logs = [step(tf.constant(images), labels, tf.constant(i, tf.int32)) for i in range(options.steps)]
    for name in ("pixels", "latents", "classes"):
        values = np.asarray([float(one[name]) for one in logs])
        assert values[-10:].mean() < 0.95 * values[:10].mean(), (name, values)
    assert np.isfinite([float(one["pixels"]) for one in logs]).all()
    for name, array in load(run / "generators" / "kimg000001.0.safetensors").weights.items():
        np.testing.assert_array_equal(weights[name], array)


@pytest.fixture
def eagerly(monkeypatch):
    """Few steps of a tiny net: compiling them would take longer than doing them."""
    monkeypatch.setattr(encoder_run, "MEASURED", 10)
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.slow
def test_a_stopped_training_goes_on_to_the_same_end(run, tmp_path, monkeypatch, eagerly, capsys):
    command = ["encoder", str(run), "--steps", "5", "--batch", "4", "-o"]
    whole, stopped = tmp_path / "whole.safetensors", tmp_path / "stopped.safetensors"
    assert main([*command, str(whole)]) == 0
    sample = encoder_run.Sampler.sample

    def stop(self, step):
        if step == 2:
            signal.raise_signal(signal.SIGINT)
        return sample(self, step)

    monkeypatch.setattr(encoder_run.Sampler, "sample", stop)
    assert main([*command, str(stopped)]) == 0
    assert "Stopped and saved at step 3" in capsys.readouterr().out and not stopped.exists()
    monkeypatch.setattr(encoder_run.Sampler, "sample", sample)
    assert main([*command, str(stopped), "--lr", "0.1"]) == 2  # it belongs to another training
    assert main([*command, str(stopped), "--from-scratch", "--channels", "4,4"]) == 2
    assert main([*command, str(stopped), "--data", "mnist10k"]) == 2
    assert main([*command, str(stopped)]) == 0
    assert "Going on from step 3" in capsys.readouterr().out
    first, second = load_encoder(whole), load_encoder(stopped)
    for name, array in first.weights.items():
        np.testing.assert_allclose(second.weights[name], array, rtol=0, atol=1e-5, err_msg=name)
    assert first.generator_sha256 == load(run / "generators" / "kimg000001.0.safetensors").provenance.weights_sha256
    assert set(first.figures) == {
        f"{figure} of {kind} pictures found" if figure == "class" else f"{figure} on {kind} pictures, grey levels"
        for kind in ("training", "drawn")
        for figure in ("class", "error")
    }
    assert first.training["steps"] == 5 and json.dumps(first.training)
    assert not list(tmp_path.glob("*.state.safetensors"))
    assert main([*command, str(whole)]) == 2
    with pytest.raises(OutputExistsError):
        encoder_run.train_encoder(run, whole, EncoderOptions(steps=1))
