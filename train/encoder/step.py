"""How an encoder learns: to find latents of which the frozen generator draws the picture again.

Of each batch one half is real, the other drawn from known latents. The loss is the squared distance of a picture and
what the generator draws of what was found in it; where the true latents or the class are known, their distances are
added with small weights.

Source: Zhu et al. 2016 (Generative Visual Manipulation on the Natural Image Manifold), section 3.1, for the loss on the
picture drawn again; Donahue et al. 2017 (Adversarial Feature Learning), section 4.2, for that on the latents.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ganexport.encoders import EncoderSpec, encode, weight_shapes
from ganexport.ops.tensorflow_ops import TensorFlowOps
from ganexport.spec import GeneratorSpec
from train.drawing import draw_images, draw_ws
from train.encoder.options import EncoderOptions
from train.equalized import Parameter, fold, initial_value
from train.random import draw_z, stream

__all__ = ["EncoderState", "draw_found", "encoder_parameters", "make_encoder_step"]

Tensor = Any
Weights = Mapping[str, Tensor]
Step = Callable[[Tensor, Tensor | None, Tensor], dict[str, Tensor]]
"""(real pictures [N / 2, H, W, C], one-hot labels [N / 2, c_dim] or None, step index) -> losses by name."""


def encoder_parameters(spec: EncoderSpec) -> dict[str, Parameter]:
    """One `Parameter` for each canonical tensor, with equalised learning rates."""
    return {
        name: Parameter(shape, gain=1 / math.sqrt(math.prod(shape[1:]))) if len(shape) > 1 else Parameter(shape, 0.0)
        for name, shape in weight_shapes(spec).items()
    }


class EncoderState:
    """Everything that training changes, by name.

    Args:
        spec: Of the encoder.
        options: How it is trained.
        start: Canonical tensors that it begins with in place of random ones.
    """

    def __init__(
        self, spec: EncoderSpec, options: EncoderOptions, start: Mapping[str, NDArray[np.float32]] | None = None
    ) -> None:
        self.spec, self.parameters = spec, encoder_parameters(spec)
        values = {name: initial_value(name, p, options.seed) for name, p in self.parameters.items()}
        for name, array in (start or {}).items():
            values[name] = np.asarray(array / self.parameters[name].gain, np.float32)
        self.values = {name: tf.Variable(value) for name, value in values.items()}
        schedule = tf.keras.optimizers.schedules.CosineDecay(options.lr, options.steps, alpha=0.01)
        self.optimizer = tf.keras.optimizers.Adam(schedule, beta_1=0.9, beta_2=0.99, epsilon=1e-8)
        self.optimizer.build(list(self.values.values()))
        self.step = 0

    def weights(self) -> dict[str, Tensor]:
        """Canonical tensors."""
        return fold(self.values, self.parameters)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """A copy of everything, by name."""
        named = {name: np.asarray(variable.numpy()) for name, variable in self._named().items()}
        return named | {"step": np.asarray(self.step, np.int64)}

    def restore(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        """Take everything from what `tensors` gave."""
        for name, variable in self._named().items():
            variable.assign(tensors[name])
        self.step = int(tensors["step"])

    def _named(self) -> dict[str, Tensor]:
        adam = {f"adam.{i:03d}": variable for i, variable in enumerate(self.optimizer.variables)}
        return {f"e.{name}": variable for name, variable in self.values.items()} | adam


def draw_found(spec: GeneratorSpec, weights: Weights, latents: Tensor, c: Tensor | None) -> Tensor:
    """z [N, z_dim] with c [N, c_dim], or ws [N, num_ws, w_dim] -> images [N, H, W, C]."""
    in_w = len(latents.shape) == 3 or not spec.has_w_space
    return draw_images(spec, weights, latents if in_w else draw_ws(spec, weights, latents, c), c)


def make_encoder_step(options: EncoderOptions, state: EncoderState, generator: GeneratorSpec, weights: Weights) -> Step:
    """The compiled step. Real pictures without labels are drawn again in the classes that are found.

    Args:
        options: How to train.
        state: What is trained.
        generator: Spec of the frozen generator.
        weights: Its canonical tensors.
    """
    spec, half = state.spec, options.batch // 2
    variables = list(state.values.values())

    @tf.function(autograph=False, jit_compile=False)
    def step(real: Tensor, labels: Tensor | None, index: Tensor) -> dict[str, Tensor]:
        seed = tf.stack([options.seed, index])
        z, c = draw_z(generator, half, stream(seed, 1)), _draw_c(generator, half, stream(seed, 2))
        true = draw_ws(generator, weights, z, c) if spec.space == "w" else z
        images = tf.concat([real, draw_found(generator, weights, true, c)], axis=0)  # [N, H, W, C]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            found = encode(TensorFlowOps(), state.weights(), spec, images)
            latents, logits = found["ws" if spec.space == "w" else "z"], found.get("c_logits")
            classes = None
            if logits is not None and c is not None:
                classes = tf.concat([tf.nn.softmax(logits[:half]) if labels is None else labels, c], axis=0)
            again = draw_found(generator, weights, latents, classes)
            logs = {"pixels": tf.reduce_mean(tf.square(again - images))}
            logs["latents"] = _distance(spec, latents[half:], true)
            loss = logs["pixels"] + options.latent_weight * logs["latents"]
            if classes is not None and logits is not None:
                known = slice(half, None) if labels is None else slice(None)
                entropy = tf.nn.softmax_cross_entropy_with_logits(tf.stop_gradient(classes[known]), logits[known])
                logs["classes"] = tf.reduce_mean(entropy)
                loss += options.class_weight * logs["classes"]
        state.optimizer.apply(tape.gradient(loss, variables), variables)
        return logs

    return step  # type: ignore[no-any-return]


def _draw_c(spec: GeneratorSpec, count: int, seed: Tensor) -> Tensor | None:
    """One-hot classes [N, c_dim], each as likely as any other; None without classes."""
    if not spec.c_dim:
        return None
    return tf.one_hot(tf.random.stateless_uniform([count], seed, 0, spec.c_dim, tf.int32), spec.c_dim)


def _distance(spec: EncoderSpec, found: Tensor, true: Tensor) -> Tensor:
    """Mean squared distance of latents; on the sphere only their direction counts."""
    if spec.reach == "sphere":
        true *= tf.math.rsqrt(tf.reduce_mean(tf.square(true), axis=1, keepdims=True))
    return tf.reduce_mean(tf.square(found - true))
