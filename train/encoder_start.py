"""What an encoder starts from: the body of the discriminator of a run, without what looks at labels or neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.encoders import EncoderSpec, residual
from ganexport.errors import CheckpointError, OptionError
from ganexport.generator import Generator, load
from ganexport.spec import GeneratorSpec
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


def body_of(source: Source, channels: tuple[int, ...], *, from_scratch: bool) -> tuple[EncoderSpec, Arrays]:
    """The encoder to train, and the canonical tensors that it begins with.

    Args:
        source: The generator, with its discriminator unless it starts from scratch.
        channels: Feature maps of each block from 4×4 up, where there is no discriminator; empty for its own.
        from_scratch: Whether the body starts from random weights.

    Raises:
        OptionError: There is no discriminator to start from, or it has no such body.
        CheckpointError: The discriminator is not the one of the run's configuration.
    """
    generator, config = source.generator.spec, source.config
    widths = channels or (config.d_channels if config is not None else tuple(getattr(generator, "channels", ())))
    if not widths:
        raise OptionError("say how many feature maps the encoder has, from 4×4 up: --channels 64,64,48,32")
    start = {} if from_scratch else _of_discriminator(source, widths)
    spec = residual.Spec(**EncoderSpec.contract(generator), channels=widths)
    if spec.space == "w":  # the first guess is the mean
        start["latent.bias"] = np.tile(source.generator.weights["mapping.w_avg"], spec.num_ws)
    return spec, start


def _of_discriminator(source: Source, widths: tuple[int, ...]) -> Arrays:
    config, found = source.config, source.discriminator
    if config is None or found is None:
        raise OptionError("there is no snapshot of a discriminator beside this generator: pass --from-scratch")
    if source.generator.spec.architecture != "stylegan2":
        raise OptionError(
            f"the discriminator of a {source.generator.spec.architecture} run has another body: pass --from-scratch"
        )
    if widths != config.d_channels:
        raise OptionError(f"--channels {widths} is not the discriminator's {config.d_channels}: pass --from-scratch")
    return residual_body(folded(source.generator.spec, config, found))


def folded(spec: GeneratorSpec, config: Config, tensors: Mapping[str, NDArray[np.float32]]) -> dict[str, Any]:
    """A discriminator's tensors with their gains in them.

    Raises:
        CheckpointError: Some are missing.
    """
    parameters = discriminator_of(spec.architecture).parameters(config, spec)
    if missing := [name for name in parameters if name not in tensors]:
        raise CheckpointError(f"the snapshot has no discriminator of this run: {', '.join(missing[:5])} …")
    return fold(tensors, parameters)


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
