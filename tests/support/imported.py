"""Draws imported generators with the NumPy interpreter, and compares."""

from __future__ import annotations

import numpy as np

from ganexport.architectures import extra_inputs, mapping, synthesis
from ganexport.generator import Generator
from ganexport.ops.numpy_ops import NumpyOps

TOLERANCE = 1e-4
"""Of the largest golden value. Measured: at most 1.8e-6 (rosinality_8), the float32 of the goldens themselves."""


def draw(
    generator: Generator,
    z: np.ndarray,
    c: np.ndarray | None = None,
    *,
    psi: float = 1.0,
    cutoff: int | None = None,
    noise: bool = True,
) -> dict[str, np.ndarray]:
    """`image` [N, C, H, W], and `ws` where the family has them; further inputs of the synthesis, or their defaults."""
    spec, ops = generator.spec, NumpyOps()
    weights = {name: np.asarray(array, np.float64) for name, array in generator.weights.items()}
    latents = np.asarray(z, np.float64).reshape(len(z), -1)
    labels = None if c is None else np.asarray(c, np.float64)
    if not spec.has_w_space:
        inputs = {"z": latents} if labels is None else {"z": latents, "c": labels}
        return dict(synthesis(ops, weights, spec, inputs))
    psis = np.ones((len(z), spec.num_ws))
    psis[:, :cutoff] = psi
    ws = mapping(ops, weights, spec, latents, labels, psis)["ws"]
    inputs = {"ws": ws} | ({"noise_scale": np.ones(len(z))} if noise else {})
    for name, value in extra_inputs(spec).items():
        inputs[name] = np.broadcast_to(np.asarray(value, np.float64), (len(z), *value.shape))
    return {"ws": ws, **synthesis(ops, weights, spec, inputs)}
