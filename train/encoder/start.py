"""What an encoder starts from: the body of the discriminator of a run, without what looks at labels or neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.encoders import EncoderSpec, convolutional, residual
from ganexport.errors import CheckpointError, OptionError
from ganexport.generator import Generator, load
from ganexport.ops.numpy_ops import NumpyOps
from ganexport.spec import GeneratorSpec
from train.batch_norm import EPSILON
from train.config import Config
from train.discriminators import discriminator_of
from train.equalized import fold
from train.snapshot import RunFolder

__all__ = ["Source", "body_of", "find_source"]

Arrays = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Source:
    """A generator, and where it came from a run, what there is of that.

    Attributes:
        generator: Whose latents are to be found.
        config: Of the run; None without one.
        discriminator: Tensors of the snapshot that goes with the generator, as they are trained; None without one.
    """

    generator: Generator
    config: Config | None
    discriminator: Arrays | None


def find_source(path: Path) -> Source:
    """Read a run's folder, or a checkpoint that lies in one or anywhere.

    Raises:
        CheckpointError: There is no generator, or a file cannot be read.
    """
    folder = RunFolder(path if path.is_dir() else path.parent.parent)
    checkpoint = folder.latest_generator() if path.is_dir() else path
    generator = load(checkpoint)
    if checkpoint.parent != folder.generators or not (folder.root / "config.json").exists():
        return Source(generator, None, None)
    config = Config.read(folder.root / "config.json")
    shown = (generator.provenance.training or {}).get("kimg")
    steps = folder.snapshot_steps()
    if not steps or shown is None:
        return Source(generator, config, None)
    nearest = min(steps, key=lambda step: abs(step - config.step_at(shown)))
    tensors = folder.snapshot(nearest)
    found = {n.removeprefix("d."): np.asarray(a, np.float32) for n, a in tensors.items() if n.startswith("d.")}
    return Source(generator, config, found)


def body_of(
    source: Source, channels: tuple[int, ...], images: NDArray[np.float32], *, from_scratch: bool
) -> tuple[EncoderSpec, Arrays]:
    """The encoder to train, and the canonical tensors that it begins with.

    Args:
        source: The generator, with its discriminator unless it starts from scratch.
        channels: Feature maps from the smallest maps up, where there is no discriminator; empty for its own.
        images: Some real ones [N, H, W, C], whose statistics take the place of BatchNorm.
        from_scratch: Whether the body starts from random weights.

    Raises:
        OptionError: There is no discriminator to start from, or it has no such body.
        CheckpointError: The discriminator is not the one of the run's configuration.
    """
    generator, config = source.generator.spec, source.config
    widths = channels or (config.d_channels if config is not None else tuple(getattr(generator, "channels", ())))
    if not widths:
        raise OptionError("say how many feature maps the encoder has, from the smallest up: --channels 64,64,48,32")
    start = {} if from_scratch else _of_discriminator(source, widths, images)
    blocks = generator.resolution == 4 << (len(widths) - 1)
    is_residual = blocks if from_scratch else generator.architecture == "stylegan2"
    kind: type[EncoderSpec] = residual.Spec if is_residual else convolutional.Spec
    spec = kind(**EncoderSpec.contract(generator), channels=widths)
    if spec.space == "w":  # the first guess is the mean
        start["latent.bias"] = np.tile(source.generator.weights["mapping.w_avg"], spec.num_ws)
    return spec, start


def _of_discriminator(source: Source, widths: tuple[int, ...], images: NDArray[np.float32]) -> Arrays:
    config, found = source.config, source.discriminator
    if config is None or found is None:
        raise OptionError("there is no snapshot of a discriminator beside this generator: pass --from-scratch")
    kind = source.generator.spec.architecture
    if kind not in ("stylegan2", "dcgan"):
        raise OptionError(f"the discriminator of a {kind} run has another body: pass --from-scratch")
    if widths != config.d_channels:
        raise OptionError(f"--channels {widths} is not the discriminator's {config.d_channels}: pass --from-scratch")
    tensors = folded(source.generator.spec, config, found)
    return residual_body(tensors) if kind == "stylegan2" else convolutional_body(tensors, images)


def folded(spec: GeneratorSpec, config: Config, tensors: Mapping[str, NDArray[np.float32]]) -> dict[str, Any]:
    """A discriminator's tensors with their gains and their spectral norm in them.

    Raises:
        CheckpointError: Some are missing.
    """
    parameters = discriminator_of(spec.architecture).parameters(config, spec)
    if missing := [name for name in parameters if name not in tensors]:
        raise CheckpointError(f"the snapshot has no discriminator of this run: {', '.join(missing[:5])} …")
    weights = fold(tensors, parameters)
    if config.d_norm == "spectral":
        kernels = [name for name in weights if name.endswith(".weight")]
        weights |= {n: weights[n] / np.linalg.norm(weights[n].reshape(-1, weights[n].shape[-1]), 2) for n in kernels}
    return weights


def convolutional_body(tensors: Mapping[str, NDArray[np.float32]], images: NDArray[np.float32]) -> Arrays:
    """A DCGAN's discriminator, kernels [4, 4, I, O] -> the convolutional encoder's body, [O, I, 4, 4].

    What a kernel does with maps of labels is left out. BatchNorm, which the discriminator only ever used on a batch, is
    folded in with the statistics of these images [N, H, W, C].

    Source: Ioffe and Szegedy 2015 (Batch Normalization), algorithm 2.
    """
    body: Arrays = {}
    ops, x = NumpyOps(), images.transpose(0, 3, 1, 2).astype(np.float64)
    for i in range(sum(name.startswith("conv") and name.endswith(".weight") for name in tensors)):
        name = f"conv{i}"
        kernel = tensors[f"{name}.weight"].transpose(3, 2, 0, 1)[:, : x.shape[1]].astype(np.float64)
        y = ops.conv2d(x, kernel, 1, stride=2)
        if f"{name}.gamma" in tensors:
            scale = tensors[f"{name}.gamma"] / np.sqrt(y.var(axis=(0, 2, 3)) + EPSILON)
            bias = tensors[f"{name}.beta"] - y.mean(axis=(0, 2, 3)) * scale
        else:
            scale, bias = np.ones(len(kernel)), tensors[f"{name}.bias"]
        body[f"{name}.weight"] = np.asarray(kernel * scale[:, None, None, None], np.float32)
        body[f"{name}.bias"] = np.asarray(bias, np.float32)
        x = ops.leaky_relu(y * scale[:, None, None] + bias[:, None, None], convolutional.SLOPE)
    return body


def residual_body(tensors: Mapping[str, NDArray[np.float32]]) -> Arrays:
    """StyleGAN2's discriminator, kernels [kh, kw, I, O] -> the residual encoder's body, [O, I, kh, kw].

    The maps of minibatch statistics, which the last convolution takes too, are left out with their part of its kernel.
    """
    body = {}
    for name, array in tensors.items():
        if name.startswith(("label.", "out.")):
            continue
        tensor = array
        if name == "b4.fc.weight":
            tensor = array.reshape(4, 4, -1, array.shape[1])  # [4, 4, C, O]
        if tensor.ndim == 4:
            tensor = tensor.transpose(3, 2, 0, 1)
        if name == "b4.conv.weight":
            tensor = tensor[:, : tensor.shape[0]]  # [C, C + S, 3, 3] -> [C, C, 3, 3]
        body[name] = np.ascontiguousarray(tensor, np.float32)
    return body
