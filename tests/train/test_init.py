"""Transfer learning: the first pictures are the checkpoint's, and what contradicts it is named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.generators import dcgan_spec, make_generator
from support.goldens import golden_arrays, golden_file

tf = pytest.importorskip("tensorflow")

from ganexport.architectures import mapping, mlp, stylegan2, synthesis  # noqa: E402
from ganexport.errors import CheckpointError, OptionError  # noqa: E402
from ganexport.generator import load  # noqa: E402
from ganexport.ops.numpy_ops import NumpyOps  # noqa: E402
from ganexport.ops.protocol import fir_taps  # noqa: E402
from train.config import Config  # noqa: E402
from train.data import Dataset  # noqa: E402
from train.generators import Latents  # noqa: E402
from train.generators.training_ops import TrainingOps  # noqa: E402
from train.init import Start, fitted_spec, read_start, take  # noqa: E402
from train.loop import train  # noqa: E402
from train.sampling import to_generator  # noqa: E402
from train.state import State  # noqa: E402

TINY = Config(resolution=8, z_dim=6, w_dim=5, mapping_layers=2, channels=(6, 4), d_channels=(8, 4), batch=4, group=2)
SPEC = stylegan2.Spec(
    resolution=8,
    image_channels=1,
    z_dim=6,
    c_dim=2,
    w_dim=5,
    channels=(6, 4),
    mapping_layers=2,
    mapping_width=7,
    embed_dim=3,
    conv_clamp=1.5,
    resample_filter=(1.0, 2.0, 1.0, 0.5),
)
"""With widths, a clamp and a filter that no option of a run sets."""


def saved(tmp_path, spec=SPEC):
    generator = make_generator(spec)
    generator.save(tmp_path / "checkpoint.safetensors")
    return tmp_path / "checkpoint.safetensors", generator


def begun(config, path, image_channels=1, c_dim=2):
    start = read_start(path)
    state = State(config, image_channels, c_dim, start)
    return state, take(state, start)


def exported(config, state, channels=1):
    pixels = np.zeros((2, config.resolution, config.resolution, channels), np.uint8)
    return to_generator(config, state, Dataset(pixels, np.arange(2) if state.spec.c_dim else None))


def drawn(generator, z, c=None):
    """Pictures [N, C, H, W] by the oracle."""
    ops, spec, count = NumpyOps(), generator.spec, len(z)
    inputs = {"z": z} if c is None else {"z": z, "c": c}
    if spec.has_w_space:
        inputs = mapping(ops, generator.weights, spec, z, c, np.ones((count, spec.num_ws)))
        inputs["noise_scale"] = np.ones(count)
    return synthesis(ops, generator.weights, spec, inputs)["image"]


def test_the_first_pictures_are_the_checkpoint_s(tmp_path):
    path, generator = saved(tmp_path)
    state, said = begun(TINY, path)
    assert state.spec == SPEC
    for name, value in exported(TINY, state).weights.items():
        np.testing.assert_allclose(value, generator.weights[name], rtol=1e-6, err_msg=name)
    for name, value in state.g.items():
        np.testing.assert_array_equal(value, state.g_ema[name])
    count = len(generator.weights)
    assert said == f"Started from {path}: {count} of {count} tensors of the generator; the discriminator is new"


def test_a_foreign_pickle_draws_what_its_own_program_drew():
    path, golden = golden_file("sg2ada_32.pkl"), golden_arrays("sg2ada_32")
    config = replace(TINY, resolution=32, z_dim=32, w_dim=32, channels=(48, 48, 48, 32), d_channels=(4, 4, 4, 4))
    state, said = begun(config, path, image_channels=3, c_dim=0)
    generator = exported(config, state, 3)
    image = drawn(generator, golden["z"])
    np.testing.assert_allclose(image, golden["img_psi1_cutNone_const"], atol=1e-4)
    assert "64 of 64 tensors of the generator" in said
    assert "NVIDIA" in generator.provenance.licence and generator.provenance.licence.startswith("trained on: ")


def test_a_larger_size_begins_with_the_pictures_of_the_smaller_one(tmp_path):
    path, generator = saved(tmp_path)
    config = replace(TINY, resolution=16, channels=(6, 4, 3), d_channels=(6, 4, 3))
    state, said = begun(config, path)
    assert "(new: synthesis.b16)" in said
    larger = exported(config, state)
    assert larger.spec.resolution == 16 and larger.spec.conv_clamp == 1.5
    z, c = np.random.RandomState(0).randn(3, 6), np.eye(2)[[0, 1, 1]]
    small = NumpyOps().upsample2d(drawn(generator, z, c), fir_taps(SPEC.resample_filter))
    np.testing.assert_allclose(drawn(larger, z, c), small, atol=1e-5)
    with tf.GradientTape() as tape:
        latents = state.family.latents(state.g, state.spec, config, tf.constant(c, tf.float32), 3, [1, 2])
        images = state.family.pictures(TrainingOps([1, 2]), state.g, state.spec, latents, None)
        total = tf.reduce_sum(images)
    slope = tape.gradient(total, state.g["synthesis.b16.torgb.weight"])
    assert float(tf.reduce_max(tf.abs(slope))) > 0, "the new block must be able to learn"


def test_other_classes_take_all_but_what_reads_them(tmp_path):
    path, _ = saved(tmp_path)
    state, said = begun(TINY, path, c_dim=0)
    assert "(new: mapping.fc0)" in said
    assert state.spec.c_dim == state.spec.embed_dim == 0


@pytest.mark.parametrize("architecture", ["dcgan", "mlp"])
def test_batch_statistics_are_those_of_the_checkpoint_s_pictures(architecture, tmp_path):
    if architecture == "dcgan":
        spec = dcgan_spec()
        widths = tuple(layer.channels for layer in spec.layers[:-1])
    else:
        spec = mlp.Spec(resolution=4, image_channels=1, z_dim=6, hidden=(12, 9))
        widths = spec.hidden
    path, generator = saved(tmp_path, spec)
    config = replace(TINY, architecture=architecture, resolution=spec.resolution, z_dim=spec.z_dim)
    config = replace(config, channels=widths, d_channels=(4,) * len(widths), d_norm="none", mismatch=0.0)
    state, said = begun(config, path, spec.image_channels, 0)
    assert "(new" not in said
    z = np.random.RandomState(0).randn(512, spec.z_dim).astype(np.float32)
    expected = drawn(generator, z)
    np.testing.assert_allclose(drawn(exported(config, state, spec.image_channels), z), expected, atol=1e-5)
    by_batch = state.family.pictures(TrainingOps([1, 2]), state.g, state.spec, Latents(tf.constant(z)), None)
    by_batch = np.transpose(by_batch, (0, 3, 1, 2))
    assert np.abs(by_batch - expected).mean() < 0.15 * expected.std()


def test_a_run_hands_on_both_sides_as_they_were_trained(tmp_path):
    state = State(TINY, 1, 2)
    for side, shift in ((state.g, 0.5), (state.g_ema, 0.25), (state.d, -0.5)):
        for value in side.values():
            value.assign(value + shift)
    generator, snapshot = exported(TINY, state), state.tensors()
    start = Start(Path("runs/a"), generator.spec, "ours", generator.weights, snapshot)
    other = State(replace(TINY, seed=7), 1, 2, start)
    said = take(other, start)
    for mine, theirs in ((other.g, state.g), (other.g_ema, state.g_ema), (other.d, state.d)):
        for name in theirs:
            np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)
    assert other.step == 0 and said.endswith(f"{len(state.d)} of {len(state.d)} of the discriminator")


@pytest.mark.parametrize(
    ("changes", "image_channels", "words"),
    [
        ({"z_dim": 8}, 1, "give --z-dim 6"),
        ({"w_dim": 4, "mapping_layers": 3}, 1, "give --w-dim 5 --mapping-layers 2"),
        ({"channels": (6, 5)}, 1, "give --channels 6,4"),
        ({"resolution": 16, "channels": (6, 6, 3), "d_channels": (6, 6, 3)}, 1, "give --channels 6,4,3"),
        ({"resolution": 4, "channels": (6,), "d_channels": (6,)}, 1, "give --resolution 8 --channels 6,4"),
        ({}, 3, r"draws 1 channels in \(-1.0, 1.0\), the pictures to learn from have 3"),
        (
            {"architecture": "dcgan", "channels": (6,), "d_channels": (6,)},
            1,
            "is a stylegan2 and this run trains a dcgan",
        ),
    ],
)
def test_what_contradicts_the_checkpoint_is_said(changes, image_channels, words):
    start = Start(Path("a.pkl"), SPEC, "", {})
    config = replace(TINY, **changes)
    with pytest.raises(OptionError, match=words):
        State(config, image_channels, 2, start)


def test_one_without_to_rgbs_cannot_go_on_at_a_larger_size():
    theirs = SPEC.model_copy(update={"output": "resnet"})
    wanted = stylegan2.Spec(**{**SPEC.model_dump(), "resolution": 16, "channels": (6, 4, 3), "num_ws": 6})
    with pytest.raises(OptionError, match=r"give --resolution 8 --channels 6,4$"):
        fitted_spec(wanted, Start(Path("a.pkl"), theirs, "", {}))


def test_a_bundle_is_a_start_too():
    start = read_start(Path(__file__).parents[2] / "converted_models" / "digits")
    assert start.spec.architecture == "stylegan2" and start.snapshot is None and start.weights


def test_growing_from_a_grown_generator_is_refused():
    with pytest.raises(OptionError, match="set --start-resolution to 0"):
        replace(TINY, architecture="stylegan", start_resolution=4, init="a.pkl")


def test_a_run_starts_from_a_checkpoint_and_another_from_that_run(tmp_path):
    tf.config.run_functions_eagerly(True)
    try:
        path, _ = saved(tmp_path)
        pixels = np.random.RandomState(0).randint(0, 256, (8, 8, 8, 1), np.uint8)
        np.savez(tmp_path / "set.npz", images=pixels, labels=np.arange(8) % 2)
        config = replace(TINY, data=str(tmp_path / "set.npz"), held_out=0, kimg=0.004, metrics_kimg=0.0, init=str(path))
        said: list[str] = []
        result = train(config, tmp_path / "first", said.append)
        assert any(line.startswith(f"Started from {path}") for line in said)
        assert load(result).spec == SPEC and "none needed: random numbers" in load(result).provenance.licence

        said.clear()
        train(replace(config, kimg=0.008), tmp_path / "first", said.append)
        assert not any(line.startswith("Started") for line in said) and any("Going on" in line for line in said)

        train(replace(config, init=str(tmp_path / "first")), tmp_path / "second", said.append)
        snapshot = max((tmp_path / "first" / "snapshots").iterdir())
        by_file, by_folder = read_start(snapshot).snapshot, read_start(tmp_path / "first").snapshot
        assert by_file["step"] == by_folder["step"] and by_file.keys() == by_folder.keys()
        (line,) = [line for line in said if line.startswith("Started")]
        assert "(new" not in line and "of the discriminator" in line

        with pytest.raises(OptionError, match="--z-dim 6"):
            train(replace(config, z_dim=9), tmp_path / "third", said.append)
        assert not (tmp_path / "third").exists(), "an attempt that failed leaves nothing in the way of the next"
        with pytest.raises(CheckpointError):
            train(replace(config, init=str(tmp_path / "nowhere")), tmp_path / "third", said.append)
    finally:
        tf.config.run_functions_eagerly(False)
