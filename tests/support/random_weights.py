"""Seeded canonical tensors for tests that need a network but no trained one.

Nothing in them is degenerate: kernels are asymmetric, biases, noise strengths and w_avg are not zero.
Otherwise a flipped kernel, a lost noise or a wrong truncation would draw the right picture. Scales are such
that a picture has a standard deviation of about 0.5.
"""

import zlib
from collections.abc import Mapping

import numpy as np


def random_weights(shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, np.ndarray]:
    """A float32 tensor for each canonical name.

    A tensor's numbers depend on the seed, its name and its shape only, so that a new tensor changes no other;
    just the scale of the to-RGB kernels depends on how many of them add up to the picture.
    """
    tensors = {name: _tensor(name, tuple(shape), seed) for name, shape in shapes.items()}
    to_rgb = [name for name in shapes if name.endswith(".torgb.weight")]
    for name in to_rgb:
        tensors[name] *= 0.6 / np.sqrt(len(to_rgb))
    return {name: np.asarray(tensor, np.float32) for name, tensor in tensors.items()}


def _tensor(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    last = name.rsplit(".", 1)[-1]
    if last == "noise_strength":
        return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.1, 0.3, shape)
    if last in ("const", "noise_const"):
        return rng.standard_normal(shape)
    if last == "w_avg":
        return 0.3 * rng.standard_normal(shape)
    if last == "bias":
        return _style_gain(name, shape) * (_bias_mean(name) + 0.2 * rng.standard_normal(shape))
    return _style_gain(name, shape) * _weight_scale(name, shape) * rng.standard_normal(shape)


def _bias_mean(name: str) -> float:
    # A style scales features: it is drawn around 1.
    return 1.0 if name.endswith("affine.bias") else 0.0


def _style_gain(name: str, shape: tuple[int, ...]) -> float:
    # The canonical form has to-RGB's 1/sqrt(I) folded into its affine, [I, w_dim] and [I].
    return float(1.0 / np.sqrt(shape[0])) if ".torgb.affine." in name else 1.0


def _weight_scale(name: str, shape: tuple[int, ...]) -> float:
    if name.endswith(".affine.weight"):
        return float(0.7 / np.sqrt(shape[1]))
    if name.endswith(".torgb.weight"):
        return 1.0
    if name.startswith("layers.") and len(shape) == 4:
        # A transposed convolution [I, O, k, k]: one tap in four meets a sample, in the first layer just one.
        inputs, _outputs, kh, kw = shape
        reached = inputs if name.startswith("layers.0.") else inputs * kh * kw / 4
        return float(np.sqrt(1.2 / reached))
    return float(1.0 / np.sqrt(np.prod(shape[1:]))) if len(shape) > 1 else 0.5
