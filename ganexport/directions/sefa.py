"""The matrix of closed-form factorisation: how the first thing that meets the latents reacts to them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ganexport.architectures import extra_inputs, synthesis, weight_shapes
from ganexport.generator import Generator
from ganexport.ops.graph import Shape, Value, Weight, hollow_weights
from ganexport.ops.onnx_ops import OnnxOps
from ganexport.spec import GeneratorSpec

__all__ = ["latent_weights", "reaction"]


def reaction(generator: Generator, layers: tuple[int, int] | None) -> NDArray[np.float64]:
    """AᵀA [F, F] of the weights A that meet the latents: those that make styles of the ws, or the first that meets z.

    A unit vector n changes what they give by |A·n|; the eigenvectors of AᵀA change it most.

    Args:
        generator: With its weights.
        layers: First ws whose styles count, and one past the last; None in z.

    Source: Shen and Zhou 2021 (Closed-form factorization of latent semantics in GANs), section 3.2.
    """
    spec = generator.spec
    features = spec.w_dim if spec.has_w_space else spec.z_dim
    total = np.zeros((features, features))
    for name, layer in latent_weights(spec):
        if layers is None or layer is None or layers[0] <= layer < layers[1]:
            kernel = generator.weights[name].astype(np.float64)
            rows = np.moveaxis(kernel, 1, -1).reshape(-1, kernel.shape[1])[:, :features]  # without those of c
            total += rows.T @ rows
    return total


def latent_weights(spec: GeneratorSpec) -> list[tuple[str, int | None]]:
    """Names of the weights that meet the latents, with the index of the w that each takes, or None for z.

    They are found by running the synthesis without numbers, so that every architecture has them.
    """
    ops = _Watcher()
    weights = hollow_weights(weight_shapes(spec))
    latents: dict[str, Shape] = {"ws": (spec.num_ws, spec.w_dim)} if spec.has_w_space else {"z": (spec.z_dim,)}
    if spec.c_dim and not spec.has_w_space:
        latents["c"] = (spec.c_dim,)
    sizes = latents | {name: value.shape for name, value in extra_inputs(spec).items()}
    synthesis(ops, weights, spec, {name: ops.input(name, (None, *size)) for name, size in sizes.items()})
    return list(ops.styles) if spec.has_w_space else [(ops.used[0], None)]


class _Watcher(OnnxOps):
    """Sees which dense layers take a w, and which weights are used."""

    def __init__(self) -> None:
        super().__init__()
        self.styles: list[tuple[str, int]] = []
        self.used: list[str] = []
        self._layers: dict[str, int] = {}

    def select_w(self, ws: Value, index: int) -> Value:
        value = super().select_w(ws, index)
        if ws.name == "ws":
            self._layers[value.name] = index
        return value

    def dense(self, x: Value, weight: Weight, bias: Weight | None = None) -> Value:
        if x.name in self._layers:
            self.styles.append((weight.name, self._layers[x.name]))
        self.used.append(weight.name)
        return super().dense(x, weight, bias)

    def conv_transpose2d(self, x: Value, kernel: Weight, stride: int, padding: int) -> Value:
        self.used.append(kernel.name)
        return super().conv_transpose2d(x, kernel, stride, padding)
