"""Equalised learning rate: what folding must give."""

import numpy as np
import pytest

from ganexport.architectures import weight_shapes
from ganexport.errors import OptionError
from train.equalized import fold, initial_value
from train.presets import preset

pytest.importorskip("tensorflow")

from train.generators import family_of, style

SPEC = style.spec(preset("digits-tiny"), 1, 10)


def start(seed=0):
    parameters = style.parameters(SPEC)
    return fold({name: initial_value(name, p, seed) for name, p in parameters.items()}, parameters)


def test_parameters_cover_the_generator_exactly():
    assert {k: p.shape for k, p in style.parameters(SPEC).items()} == weight_shapes(SPEC)


def test_styles_are_strong_at_the_start():
    weights = start()
    for name, affine in weights.items():
        if name.endswith("affine.weight"):
            scale = np.sqrt(affine.shape[0]) if ".torgb." in name else 1.0
            assert np.mean(np.sum(np.square(affine * scale), axis=1)) == pytest.approx(1.0, abs=0.5), name
        if name.endswith("affine.bias"):
            scale = np.sqrt(affine.shape[0]) if ".torgb." in name else 1.0
            np.testing.assert_allclose(affine * scale, 1.0, rtol=1e-6)


def test_a_start_depends_on_name_and_seed_only():
    first, again, other = start(), start(), start(seed=1)
    name = "synthesis.b8.conv0.weight"
    np.testing.assert_array_equal(first[name], again[name])
    assert np.abs(first[name] - other[name]).max() > 0.1
    assert np.abs(first[name] - first["synthesis.b16.conv0.weight"]).max() > 0.1


def test_noise_and_running_mean_are_not_trained_by_the_optimiser():
    frozen = {name for name, p in style.parameters(SPEC).items() if not p.trainable}
    assert frozen == {n for n in weight_shapes(SPEC) if n.endswith(("noise_const", "w_avg"))}


def test_an_unknown_architecture_is_refused():
    with pytest.raises(OptionError, match="no architecture 'stylegan9'"):
        family_of("stylegan9")
