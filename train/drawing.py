"""A generator of any architecture on TensorFlow, drawing with canonical tensors at psi 1."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ganexport.architectures import extra_inputs, mapping, synthesis
from ganexport.ops.tensorflow_ops import TensorFlowOps
from ganexport.pictures import to_uint8
from ganexport.spec import GeneratorSpec

__all__ = ["Drawer", "draw_images", "draw_ws"]

Floats = NDArray[np.float32]
Labels = NDArray[np.int64] | NDArray[np.floating]
"""Classes [N], or `c` itself [N, c_dim], which may lie between classes."""

Tensor = Any


def draw_ws(spec: GeneratorSpec, weights: Mapping[str, Tensor], z: Tensor, c: Tensor | None) -> Tensor:
    """z [N, z_dim] and c [N, c_dim] -> ws [N, num_ws, w_dim]."""
    psi = tf.ones([tf.shape(z)[0], spec.num_ws])
    return mapping(TensorFlowOps(), weights, spec, z, c, psi)["ws"]


def draw_images(spec: GeneratorSpec, weights: Mapping[str, Tensor], latents: Tensor, c: Tensor | None) -> Tensor:
    """ws [N, num_ws, w_dim], or without a w space z [N, z_dim] and c [N, c_dim] -> images [N, H, W, C].

    Noise is as it is stored; gradients reach the latents.
    """
    count = tf.shape(latents)[0]
    inputs = {"ws": latents} if spec.has_w_space else {"z": latents} | ({} if c is None else {"c": c})
    for name, usual in extra_inputs(spec).items():
        inputs[name] = tf.tile(tf.constant(usual)[None], [count, *[1] * usual.ndim])
    if getattr(spec, "noise", False):
        inputs["noise_scale"] = tf.ones([count])
    return synthesis(TensorFlowOps(), weights, spec, inputs)["image"]


class Drawer:
    """Draws pictures from z, or in two halves by way of ws.

    Args:
        spec: The generator's.
        weights: Gives its canonical tensors whenever it draws: what is still being trained is drawn as it is now.
        batch: Pictures at a time.
    """

    def __init__(self, spec: GeneratorSpec, weights: Callable[[], Mapping[str, Tensor]], batch: int = 64) -> None:
        self.spec, self._batch = spec, batch

        @tf.function(autograph=False, reduce_retracing=True)
        def to_ws(z: Tensor, c: Tensor) -> Tensor:
            return draw_ws(spec, weights(), z, c if spec.c_dim else None)

        @tf.function(autograph=False, reduce_retracing=True)
        def to_image(latents: Tensor, c: Tensor) -> Tensor:
            return draw_images(spec, weights(), latents, c if spec.c_dim else None)

        self._to_ws, self._to_image = to_ws, to_image

    def ws(self, z: Floats, labels: Labels | None = None) -> Floats:
        """ws [N, num_ws, w_dim] of z [N, z_dim] and labels."""
        return self._in_batches(self._to_ws, z, labels)

    def images(self, latents: Floats, labels: Labels | None = None) -> Floats:
        """Images [N, H, W, C] in the range of the spec, of ws where there is a w space and else of z."""
        return self._in_batches(self._to_image, latents, labels)

    def pictures(self, z: Floats, labels: Labels | None = None) -> NDArray[np.uint8]:
        """Pictures uint8 [N, H, W, C] of z [N, z_dim] and labels."""
        images = self.images(self.ws(z, labels) if self.spec.has_w_space else z, labels)
        return to_uint8(images.transpose(0, 3, 1, 2), self.spec.image_range)

    def _in_batches(self, run: Callable[[Tensor, Tensor], Tensor], latents: Floats, labels: Labels | None) -> Floats:
        one_hot = np.zeros((len(latents), self.spec.c_dim), np.float32)
        if labels is not None and self.spec.c_dim:
            one_hot[:] = np.eye(self.spec.c_dim)[labels.astype(int)] if labels.ndim == 1 else labels
        places = [slice(i, i + self._batch) for i in range(0, len(latents), self._batch)]
        return np.concatenate([run(tf.constant(latents[p]), tf.constant(one_hot[p])).numpy() for p in places])
