"""Spectral normalisation against NumPy's singular value decomposition."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from train.discriminators.spectral import normalised, spectral_parameters  # noqa: E402
from train.equalized import Parameter, initial_value  # noqa: E402

SHAPES = {"conv.weight": (3, 3, 4, 6), "fc.weight": (10, 5), "out.weight": (7,), "conv.bias": (6,)}
PARAMETERS = {name: Parameter(shape) for name, shape in SHAPES.items()}
KERNELS = [name for name in SHAPES if name.endswith("weight")]


def start():
    everything = PARAMETERS | spectral_parameters(PARAMETERS)
    return {name: initial_value(name, p, 0).astype(np.float64) for name, p in everything.items()}


def settle(values, steps=200):
    """One iteration a step, as in training."""
    for _ in range(steps):
        weights, updates = normalised(values)
        assert updates.keys() == {f"{name}.u" for name in KERNELS}
        values = values | {name: u.numpy() for name, u in updates.items()}
    return weights, values


def matrix(kernel):
    return np.asarray(kernel).reshape(-1, kernel.shape[-1])


def test_every_kernel_gets_a_vector_that_is_not_trained():
    added = spectral_parameters(PARAMETERS)
    assert {name: p.shape for name, p in added.items()} == {
        "conv.weight.u": (6,),
        "fc.weight.u": (5,),
        "out.weight.u": (7,),
    }
    assert not any(p.trainable for p in added.values())


def test_kernels_come_to_a_largest_singular_value_of_one():
    values = start()
    weights, _ = settle(values)
    assert weights.keys() == SHAPES.keys()
    np.testing.assert_array_equal(weights["conv.bias"], values["conv.bias"])
    for name in KERNELS:
        assert np.linalg.svd(matrix(weights[name]), compute_uv=False)[0] == pytest.approx(1.0, rel=1e-9), name
        largest = np.linalg.svd(matrix(values[name]), compute_uv=False)[0]
        np.testing.assert_allclose(weights[name], values[name] / largest, rtol=1e-9)


@pytest.mark.parametrize("name", KERNELS)
def test_the_gradient_goes_through_the_singular_value(name):
    """σ's slope is u vᵀ, so that of a sum Σ g·W/σ is g/σ − (Σ g·W/σ²)·u vᵀ."""
    values = start()
    left, singular, right = np.linalg.svd(matrix(values[name]), full_matrices=False)
    values[f"{name}.u"], kernel = right[0], tf.constant(values[name])
    g = np.random.RandomState(3).randn(*kernel.shape)
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        weights, _ = normalised(values | {name: kernel})
        total = tf.reduce_sum(g * weights[name])
    outer = np.outer(left[:, 0], right[0])
    expected = matrix(g) / singular[0] - np.sum(g * values[name]) / singular[0] ** 2 * outer
    np.testing.assert_allclose(matrix(tape.gradient(total, kernel)), expected, rtol=1e-9, atol=1e-12)


def test_one_step_goes_on_from_the_kept_vector():
    values = start()
    _, once = normalised(values)
    _, twice = normalised(values | once)
    _, both = normalised(values, iterations=2)
    np.testing.assert_array_equal(twice["fc.weight.u"], both["fc.weight.u"])
    w, u = values["fc.weight"], values["fc.weight.u"]
    expected = w.T @ (w @ u)
    np.testing.assert_allclose(once["fc.weight.u"], expected / np.linalg.norm(expected), rtol=1e-12)
