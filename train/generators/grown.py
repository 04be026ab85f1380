"""Progressive GAN and StyleGAN in training: equalised learning rates, and a to-RGB for each block.

All blocks' parameters exist from the start, so that one snapshot has them all; which take part is said by the spec that
is drawn (`train.growing`).
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from ganexport.architectures import progressive, stylegan, synthesis, weight_shapes
from ganexport.architectures._growing import GrownSpec
from ganexport.weights import Tensors
from train.config import Config
from train.equalized import Parameter, unfolded
from train.generators import Latents
from train.generators.style import styled
from train.generators.training_ops import TrainingOps
from train.growing import trained_spec
from train.random import draw_z, stream

__all__ = ["canonical", "latents", "parameters", "pictures", "spec", "trained"]

Tensor = Any
Values = dict[str, Tensor]

MAPPING_LR_MULTIPLIER = 0.01


def spec(config: Config, image_channels: int, c_dim: int) -> GrownSpec:
    """The generator that a run trains, fully grown."""
    common: dict[str, Any] = {
        "resolution": config.resolution,
        "image_channels": image_channels,
        "z_dim": config.z_dim,
        "c_dim": c_dim,
        "channels": config.channels,
    }
    if config.architecture == "progressive":
        return progressive.Spec(**common)
    return stylegan.Spec(**common, w_dim=config.w_dim, mapping_layers=config.mapping_layers, mapping_width=config.w_dim)


def parameters(spec: GrownSpec) -> dict[str, Parameter]:
    """One `Parameter` for each canonical tensor of each level.

    Source: Karras et al. 2018, section 4.1; multipliers and starts as published for StyleGAN, but that the constant is
    random: the published ones have no variance for the first instance normalisation to divide by.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for level in range(len(spec.channels)):
        shapes |= weight_shapes(trained_spec(spec, level, fading=False))
    return {name: _parameter(name, shape) for name, shape in shapes.items()}


def _parameter(name: str, shape: tuple[int, ...]) -> Parameter:
    fan_in = math.prod(shape[1:])
    if name.startswith("mapping.fc"):
        if name.endswith(".bias"):
            return Parameter(shape, initial=0.0, gain=MAPPING_LR_MULTIPLIER)
        gain = MAPPING_LR_MULTIPLIER * math.sqrt(2.0 / fan_in)
        return Parameter(shape, initial=1.0 / MAPPING_LR_MULTIPLIER, gain=gain)
    if name == "mapping.w_avg":
        return Parameter(shape, initial=0.0, trainable=False)
    if name.endswith(".noise_const"):
        return Parameter(shape, trainable=False)
    if name.endswith(".noise_strength"):
        return Parameter(shape, initial=0.0)
    if name.endswith(".bias"):
        return Parameter(shape, initial=0.0, offset=1.0 if ".affine." in name else 0.0)
    if name.endswith((".affine.weight", ".shift.weight", ".torgb.weight")):
        return Parameter(shape, gain=1.0 / math.sqrt(fan_in))
    if ".conv" in name:
        return Parameter(shape, gain=math.sqrt(2.0 / fan_in))
    return Parameter(shape)  # the constant; the label's embedding, which is normalised with z


def canonical(values: Values, spec: GrownSpec) -> Values:
    """The canonical tensors of `spec`, which may have only the first of the trained blocks."""
    return {name: values[name] * _parameter(name, shape).gain for name, shape in weight_shapes(spec).items()}


def trained(tensors: Tensors, spec: GrownSpec) -> Tensors:
    """Values that are, canonical, these tensors."""
    return unfolded(tensors, parameters(spec))


def latents(
    values: Values, spec: GrownSpec, config: Config, labels: Tensor | None, count: Tensor, seed: Tensor
) -> Latents:
    """`count` fresh latents, with style mixing where there are styles."""
    if spec.has_w_space:
        return styled(canonical(values, spec), spec, config, labels, count, seed)
    return Latents(draw_z(spec, count, stream(seed, 101)))


def pictures(ops: TrainingOps, values: Values, spec: GrownSpec, latents: Latents, labels: Tensor | None) -> Tensor:
    """Pictures [N, H, W, C] of the spec's last block, with fresh noise."""
    z = tf.cast(latents.z, ops.compute)
    inputs = {"z": z, "noise_scale": tf.ones(tf.shape(z)[:1], z.dtype)}
    if labels is not None:
        inputs["c"] = tf.cast(labels, ops.compute)
    if latents.ws is not None:
        inputs["ws"] = tf.cast(latents.ws, ops.compute)
    return synthesis(ops, canonical(values, spec), spec, inputs)["image"]
