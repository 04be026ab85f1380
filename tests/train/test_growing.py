"""Progressive growing: the timetable, what a moment's generator and pictures are."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from support.random_weights import random_weights

from ganexport.architectures import progressive, stylegan, synthesis, weight_shapes
from ganexport.errors import OptionError
from ganexport.ops.numpy_ops import NumpyOps
from train.config import Config
from train.growing import (
    Growth,
    begins_level,
    exported_spec,
    fade_at,
    faded,
    growth_at,
    left_unlearnt,
    pictures_at,
    trained_spec,
)
from train.presets import PRESETS

# From 4² to 32²: 12½ steps of the first block, then 25 of each fade and 12½ of the whole.
CONFIG = Config(architecture="stylegan", start_resolution=4, stable_kimg=0.1, fade_kimg=0.2, batch=8)
SPECS = [
    progressive.Spec(resolution=32, image_channels=3, z_dim=8, channels=(6, 5, 4, 3), c_dim=3),
    stylegan.Spec(
        resolution=32, image_channels=1, z_dim=8, channels=(6, 5, 4, 3), w_dim=7, mapping_width=7, mapping_layers=2
    ),
]

# ------------------------------------------------------------------------------------------------------- timetable


def test_the_timetable_is_as_stated():
    """100 pictures of the first block, then 200 to fade each further one in and 100 with it whole; 8 a step."""
    expected = {0: (0, 1), 12: (0, 1), 13: (1, 4 / 200), 25: (1, 0.5), 37: (1, 196 / 200), 38: (1, 1), 50: (1, 1)}
    expected |= {51: (2, 8 / 200), 75: (2, 1), 88: (3, 4 / 200), 113: (3, 1), 10**6: (3, 1)}
    for step, (level, fade) in expected.items():
        growth = growth_at(CONFIG, step)
        assert growth.level == level and growth.fade == pytest.approx(fade, abs=1e-12), step


def test_a_fade_that_has_not_begun_is_the_level_before():
    config = dataclasses.replace(CONFIG, batch=4)
    assert growth_at(config, 25) == Growth(0)  # 100 pictures: the fade's share would be 0
    assert growth_at(config, 26) == Growth(1, 4 / 200)


def test_a_run_that_ends_too_early_says_so():
    """The last block has come whole after 100 + 3 · 200 + 2 · 100 pictures."""
    assert left_unlearnt(dataclasses.replace(CONFIG, kimg=0.904)) is None
    assert "ends while its pictures are of 32×32" in left_unlearnt(dataclasses.replace(CONFIG, kimg=0.88))
    assert "of 8×8; for 32×32 give more" in left_unlearnt(dataclasses.replace(CONFIG, kimg=0.4))
    assert left_unlearnt(dataclasses.replace(CONFIG, start_resolution=0, kimg=0.4)) is None
    assert all(left_unlearnt(config) is None for config in PRESETS.values())


def test_a_level_begins_with_its_first_step():
    assert [step for step in range(500) if begins_level(CONFIG, step)] == [13, 51, 88]


def test_without_a_start_nothing_grows():
    never = dataclasses.replace(CONFIG, start_resolution=0)
    assert growth_at(never, 7) is None and not any(begins_level(never, step) for step in range(300))
    whole = dataclasses.replace(CONFIG, start_resolution=32)
    assert {growth_at(whole, step) for step in range(300)} == {Growth(3)}


configs = st.builds(
    lambda first, stable, fade, batch: Config(
        architecture="progressive",
        start_resolution=4 << first,
        stable_kimg=stable / 1000,
        fade_kimg=fade / 1000,
        batch=4 * batch,
    ),
    st.integers(0, 3),
    st.integers(1, 60),
    st.integers(0, 60),
    st.integers(1, 3),
)


@settings(deadline=None, max_examples=200)
@given(configs)
def test_growth_never_goes_back_and_ends_whole(config):
    steps = 600 // config.batch
    path = [growth_at(config, step) for step in range(steps)]
    assert all(0 < g.fade <= 1 for g in path)
    assert path == sorted(path) and path[-1] == Growth(3)
    assert path[0] == Growth(config.start_resolution.bit_length() - 3)
    stable = config.stable_kimg * 1000 / config.batch
    for level in range(path[0].level, 3):  # each level is whole for as many steps as asked for
        whole = sum(g == Growth(level) for g in path)
        assert abs(whole - stable) <= 1


@settings(deadline=None, max_examples=20)
@given(configs, st.integers(0, 120))
def test_the_compiled_share_is_the_timetables(config, step):
    growth = growth_at(config, step)
    if growth.fading:
        share = float(fade_at(config, growth.level, tf.constant(step)))
        assert share == pytest.approx(growth.fade, rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"start_resolution": 12}, "one of 4, 8, 16, 32, found 12"),
        ({"start_resolution": 64}, "found 64"),
        ({"architecture": "stylegan2"}, "does not grow"),
        ({"fade_kimg": -1.0}, "at least 0"),
        ({"stable_kimg": 0.0}, "above 0"),
    ],
)
def test_a_timetable_without_sense_is_refused(changes, words):
    with pytest.raises(OptionError, match=words):
        dataclasses.replace(CONFIG, **changes)


# ------------------------------------------------------------------------------------------- generators of a moment


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.architecture)
def test_a_moments_generator_has_the_full_size(spec):
    assert exported_spec(spec, Growth(3)) == spec
    for level in range(4):
        for fade in (0.25, 1.0) if level else (1.0,):
            grown = exported_spec(spec, Growth(level, fade))
            assert grown.resolution == 32 and len(grown.channels) == level + 1
            assert grown.lod == pytest.approx(3 - level + 1 - fade)
            assert grown.num_ws == (2 * (level + 1) if spec.has_w_space else 0)
            trained = trained_spec(spec, level, fading=fade < 1)
            assert trained.resolution == 4 << level
            assert weight_shapes(trained) == weight_shapes(grown)


def draw(spec, weights, latents):
    inputs = {name: value[:, : spec.num_ws] if name == "ws" else value for name, value in latents.items()}
    return synthesis(NumpyOps(), weights, spec, inputs)["image"]  # [N, C, H, W]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.architecture)
def test_a_share_in_the_weights_draws_what_a_share_in_the_spec_draws(spec):
    shapes = weight_shapes(trained_spec(spec, 2, fading=True)) | weight_shapes(trained_spec(spec, 1, fading=False))
    weights = {name: value.astype(np.float64) for name, value in random_weights(shapes, seed=3).items()}
    random = np.random.default_rng(0)
    latents = {"ws": random.normal(size=(2, 6, 7)), "noise_scale": np.ones(2)}
    if not spec.has_w_space:
        latents = {"z": random.normal(size=(2, 8)), "c": np.eye(3)[:2]}
    compiled = trained_spec(spec, 2, fading=True)

    def at(share):
        return draw(compiled, faded(weights, 2, share), latents)

    before, new = (draw(trained_spec(spec, level, fading=False), weights, latents) for level in (1, 2))
    np.testing.assert_allclose(at(0.0), before.repeat(2, axis=2).repeat(2, axis=3), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(at(1.0), new, rtol=1e-12, atol=1e-12)
    exported = draw(exported_spec(spec, Growth(2, 0.3)), weights, latents)
    np.testing.assert_allclose(at(0.3).repeat(2, axis=2).repeat(2, axis=3), exported, rtol=1e-12, atol=1e-12)
    assert np.abs(new - before.repeat(2, axis=2).repeat(2, axis=3)).max() > 0.1


# ---------------------------------------------------------------------------------------------------- real pictures


def test_real_pictures_are_means_of_squares():
    images = np.random.default_rng(1).normal(size=(2, 16, 16, 3)).astype(np.float32)
    got = pictures_at(tf.constant(images), 0).numpy()  # [2, 4, 4, 3]
    for y in range(4):
        for x in range(4):
            square = images[:, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4]
            np.testing.assert_allclose(got[:, y, x], square.mean(axis=(1, 2)), atol=1e-6)


def test_real_pictures_fade_as_the_generators_do():
    images = np.random.default_rng(2).normal(size=(2, 16, 16, 1)).astype(np.float32)
    small, whole = (pictures_at(tf.constant(images), level).numpy() for level in (0, 1))
    doubled = small.repeat(2, axis=1).repeat(2, axis=2)
    for share in (0.0, 0.3, 1.0):
        got = pictures_at(tf.constant(images), 1, tf.constant(share)).numpy()
        np.testing.assert_allclose(got, (1 - share) * doubled + share * whole, atol=1e-6)
