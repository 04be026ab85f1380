"""The dense GAN and DCGAN in training: weights start small, and every layer but the last has BatchNorm."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ganexport.architectures import dcgan, mlp, synthesis, weight_shapes
from ganexport.errors import OptionError
from ganexport.spec import GeneratorSpec
from ganexport.weights import Tensors
from train import batch_norm
from train.batch_norm import BatchNorm
from train.config import Config
from train.equalized import Parameter
from train.generators import Latents
from train.generators.training_ops import TrainingOps
from train.random import draw_z, stream

__all__ = ["START", "canonical", "latents", "parameters", "pictures", "spec", "trained"]

Tensor = Any
Values = dict[str, Tensor]

START = 0.02
"""Standard deviation of weights at the start (Radford et al. 2016, section 4)."""


def spec(config: Config, image_channels: int, c_dim: int) -> GeneratorSpec:
    """The generator that a run trains.

    Raises:
        OptionError: Doubling from block to block does not end at the resolution.
    """
    fields: dict[str, Any] = {
        "resolution": config.resolution,
        "image_channels": image_channels,
        "z_dim": config.z_dim,
        "c_dim": c_dim,
        "z_distribution": config.z_distribution,
        "label_layers": config.label_layers,
    }
    if config.architecture == "mlp":
        return mlp.Spec(**fields, hidden=config.channels)
    first, rest = divmod(config.resolution, 1 << len(config.channels))
    if rest or first < 2:
        raise OptionError(
            f"--channels {','.join(map(str, config.channels))} doubles the size {len(config.channels)} times, and no "
            f"size of 2 or more pixels ends at --resolution {config.resolution} then; give a width for each doubling"
        )
    window: dict[str, Any] = {"kernel": 4, "stride": 2, "padding": 1}
    widths = [{"channels": width, "activation": "relu", **window} for width in config.channels]
    widths[0] |= {"kernel": first, "stride": 1, "padding": 0}
    layers = [*widths, {"channels": image_channels, "activation": "tanh", **window}]
    return dcgan.Spec(**fields, layers=tuple(dcgan.Layer(**layer) for layer in layers))


def parameters(spec: GeneratorSpec) -> dict[str, Parameter]:
    """One `Parameter` for each canonical tensor, or BatchNorm's four in place of a bias."""
    result: dict[str, Parameter] = {}
    shapes = weight_shapes(spec)
    for name, shape in shapes.items():
        if name.endswith(".weight"):
            result[name] = Parameter(shape, initial=START)
        elif name == list(shapes)[-1]:
            result[name] = Parameter(shape, initial=0.0)
        else:
            result |= batch_norm.parameters(name.removesuffix(".bias"), shape[0])
    return result


def latents(
    values: Values, spec: GeneratorSpec, config: Config, labels: Tensor | None, count: Tensor, seed: Tensor
) -> Latents:
    """`count` fresh latents."""
    del values, config, labels
    return Latents(draw_z(spec, count, stream(seed, 101)))


def pictures(ops: TrainingOps, values: Values, spec: GeneratorSpec, latents: Latents, labels: Tensor | None) -> Tensor:
    """Pictures [N, H, W, C], normalised by the statistics of their batch."""
    inputs = {"z": tf.cast(latents.z, ops.compute)}
    if labels is not None:
        inputs["c"] = tf.cast(labels, ops.compute)
    weights = dict(values)
    for layer in _normalised(values):
        weights[f"{layer}.bias"] = BatchNorm(layer, values[f"{layer}.gamma"], values[f"{layer}.beta"])
    return synthesis(ops, weights, spec, inputs)["image"]


def canonical(values: Values, spec: GeneratorSpec) -> Values:
    """Canonical tensors: BatchNorm folded with its running statistics."""
    result = dict(values)
    for layer in _normalised(values):
        result[f"{layer}.weight"], result[f"{layer}.bias"] = batch_norm.folded(values, layer)
    return {name: result[name] for name in weight_shapes(spec)}


def trained(tensors: Tensors, spec: GeneratorSpec) -> Tensors:
    """Values that are, canonical, these tensors, with the statistics that a batch of pictures has in each layer.

    So the pictures stay what they are both with running statistics and, nearly, with those of a batch.
    """
    values: Tensors = {n: np.zeros(p.shape, np.float32) + p.offset for n, p in parameters(spec).items()}
    values |= {name: tensor for name, tensor in tensors.items() if name in values}
    seed, count = tf.zeros([2], tf.int32), 256
    z = draw_z(spec, count, seed)
    labels = tf.one_hot(tf.range(count) % spec.c_dim, spec.c_dim) if spec.c_dim else None
    for layer in _normalised(values):  # each sees what those before it make
        ops = TrainingOps(seed)
        pictures(ops, values, spec, Latents(z), labels)
        mean, variance = (ops.seen[f"{layer}.{part}"].numpy() for part in ("mean", "variance"))
        values |= {f"{layer}.mean": mean, f"{layer}.gamma": np.sqrt(variance + batch_norm.EPSILON)}
        values |= {f"{layer}.variance": variance, f"{layer}.beta": mean + tensors[f"{layer}.bias"]}
    return values


def _normalised(values: Values) -> list[str]:
    return [name.removesuffix(".gamma") for name in values if name.endswith(".gamma")]
