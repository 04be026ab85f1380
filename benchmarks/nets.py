"""The generators that are measured: StyleGAN2 of published sizes with random weights, and what they are fed."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganexport.architectures import weight_shapes
from ganexport.architectures.stylegan2 import Spec
from ganexport.cost import multiply_adds
from ganexport.generator import Generator
from ganexport.spec import Provenance
from ganexport.weights import hash_tensors

__all__ = ["CHANNEL_BASE", "feeds", "make_generator", "paper_spec", "synthesis_multiply_adds"]

ROOT = Path(__file__).parents[1]
CHANNEL_BASE = {1024: 32768}
"""Feature maps times resolution, up to 512 maps: that of config-f at 1024², half of it elsewhere, as published."""


def paper_spec(resolution: int, *, most_channels: int = 512) -> Spec:
    """A StyleGAN2 as published for this resolution: skip connections, stored noise, activations cut to ±256."""
    sizes = [4 << i for i in range(resolution.bit_length() - 2)]
    base = CHANNEL_BASE.get(resolution, 16384)
    channels = tuple(min(base // size, most_channels) for size in sizes)
    width = most_channels
    return Spec(
        resolution=resolution, image_channels=3, z_dim=width, w_dim=width, mapping_width=width,
        channels=channels, conv_clamp=256.0,
    )  # fmt: skip


def make_generator(spec: Spec, seed: int = 1) -> Generator:
    """Random weights that are not degenerate: the pictures have a standard deviation of about 0.5."""
    if (tests := str(ROOT / "tests")) not in sys.path:
        sys.path.insert(0, tests)
    from support.random_weights import random_weights

    tensors = random_weights(weight_shapes(spec), seed)
    provenance = Provenance(
        source_format="benchmark",
        source_sha256=None,
        weights_sha256=hash_tensors(tensors),
        importer="benchmarks",
        licence="none needed: random numbers",
    )
    return Generator(spec, tensors, provenance)


def feeds(spec: Spec, batch: int, seed: int = 2) -> dict[str, NDArray[np.float32]]:
    """`ws` [N, num_ws, w_dim] and `noise_scale` [N] of a batch of different pictures."""
    ws = np.random.default_rng(seed).standard_normal((batch, spec.num_ws, spec.w_dim), np.float32)
    return {"ws": ws, "noise_scale": np.ones(batch, np.float32)}


def synthesis_multiply_adds(spec: Spec) -> int:
    """Multiply-adds of one picture without the mapping, by direct convolutions.

    A convolution counts kernel × places of its output, a transposed one kernel × places of its input, a filter its
    taps × places of its output, a dense layer its matrix.
    """
    shapes = weight_shapes(spec).items()
    mapping = sum(math.prod(shape) for name, shape in shapes if name.startswith("mapping.") and len(shape) == 2)
    return multiply_adds(spec) - mapping
