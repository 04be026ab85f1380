"""StyleGAN2 in training: equalised learning rates, style mixing, a running mean of w."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from ganexport.architectures import mapping, stylegan2
from ganexport.spec import GeneratorSpec
from ganexport.weights import Tensors
from train.config import Config
from train.equalized import Parameter, fold, unfolded
from train.generators import Latents
from train.generators.training_ops import TrainingOps
from train.random import draw_z, stream, uniform

__all__ = ["canonical", "latents", "mixing_mask", "parameters", "pictures", "spec", "styled", "trained"]

Tensor = Any
Values = dict[str, Tensor]
Spec = stylegan2.Spec

MAPPING_LR_MULTIPLIER = 0.1


def spec(config: Config, image_channels: int, c_dim: int) -> Spec:
    """The generator that a run trains."""
    return Spec(
        resolution=config.resolution,
        image_channels=image_channels,  # type: ignore[arg-type]  # checked by the spec
        z_dim=config.z_dim,
        c_dim=c_dim,
        w_dim=config.w_dim,
        channels=config.channels,
        mapping_layers=config.mapping_layers,
        mapping_width=config.w_dim,
        embed_dim=config.w_dim if c_dim else 0,
    )


def parameters(spec: Spec) -> dict[str, Parameter]:
    """One `Parameter` for each canonical tensor.

    Source: Karras et al. 2018, section 4.1; multipliers and starts as published for StyleGAN2.
    """
    return {name: _parameter(name, shape) for name, shape in stylegan2.weight_shapes(spec).items()}


def _parameter(name: str, shape: tuple[int, ...]) -> Parameter:
    fan_in = math.prod(shape[1:]) or 1
    if name.startswith("mapping.fc"):
        if name.endswith(".bias"):
            return Parameter(shape, initial=0.0, gain=MAPPING_LR_MULTIPLIER)
        gain = MAPPING_LR_MULTIPLIER / math.sqrt(fan_in)
        return Parameter(shape, initial=1.0 / MAPPING_LR_MULTIPLIER, gain=gain)
    if name == "mapping.w_avg":
        return Parameter(shape, initial=0.0, trainable=False)
    if name.endswith(".noise_const"):
        return Parameter(shape, trainable=False)
    if name.endswith(".noise_strength"):
        return Parameter(shape, initial=0.0)
    if ".affine." in name:
        to_rgb = 1.0 / math.sqrt(shape[0]) if ".torgb." in name else 1.0
        if name.endswith(".bias"):
            return Parameter(shape, initial=0.0, offset=1.0, gain=to_rgb)
        return Parameter(shape, gain=to_rgb / math.sqrt(fan_in))  # rows of unit variance
    if name.endswith(".bias"):
        return Parameter(shape, initial=0.0)
    if name.endswith((".embed.weight", ".skip.weight")):
        return Parameter(shape, gain=1.0 / math.sqrt(fan_in))
    return Parameter(shape)  # const; modulated kernels, whose scale demodulation or the style's gain sets


def canonical(values: Values, spec: Spec) -> Values:
    """Canonical tensors from the parameters."""
    return fold(values, parameters(spec))


def trained(tensors: Tensors, spec: Spec) -> Tensors:
    """Values that are, canonical, these tensors."""
    return unfolded(tensors, parameters(spec))


def latents(values: Values, spec: Spec, config: Config, labels: Tensor | None, count: Tensor, seed: Tensor) -> Latents:
    """`count` fresh latents with style mixing."""
    return styled(canonical(values, spec), spec, config, labels, count, seed)


def styled(
    weights: Values, spec: GeneratorSpec, config: Config, labels: Tensor | None, count: Tensor, seed: Tensor
) -> Latents:
    """`count` fresh latents of any family with a w space, with style mixing, from its canonical weights."""
    ops, psi = TrainingOps(seed), tf.ones([count, spec.num_ws])
    z = draw_z(spec, count, stream(seed, 101))
    ws = mapping(ops, weights, spec, z, labels, psi)["ws"]
    mean_w = tf.stop_gradient(tf.reduce_mean(ws[:, 0], axis=0))
    if config.style_mixing > 0:
        other = mapping(ops, weights, spec, draw_z(spec, count, stream(seed, 104)), labels, psi)["ws"]
        ws = tf.where(mixing_mask(config.style_mixing, spec.num_ws, count, seed), other, ws)
    return Latents(z, ws, mean_w)


def pictures(ops: TrainingOps, values: Values, spec: Spec, latents: Latents, labels: Tensor | None) -> Tensor:
    """Pictures [N, H, W, C] with fresh noise."""
    del labels  # they are in the ws
    assert latents.ws is not None
    ws = tf.cast(latents.ws, ops.compute)
    inputs = {"ws": ws, "noise_scale": tf.ones(tf.shape(ws)[:1], ws.dtype)}
    return stylegan2.synthesis(ops, canonical(values, spec), spec, inputs)["image"]


def mixing_mask(share: float, num_ws: int, count: Tensor, seed: Tensor) -> Tensor:
    """[N, num_ws, 1]: where a mixed picture takes its second w, from a random layer on.

    Source: Karras et al. 2019, section 3.1.
    """
    cutoff = uniform([count, 1], stream(seed, 102), 1, num_ws, tf.int32)
    mixed = uniform([count, 1], stream(seed, 103)) < share
    return ((tf.range(num_ws)[None, :] >= cutoff) & mixed)[:, :, None]
