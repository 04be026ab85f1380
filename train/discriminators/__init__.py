"""The discriminators: one module a kind, found by the generator's architecture. Maps are [N, H, W, C]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from ganexport.errors import OptionError
from ganexport.spec import GeneratorSpec
from train.config import Config
from train.equalized import Parameter

__all__ = ["Answers", "Discriminator", "discriminator_of"]

Tensor = Any


class Answers(NamedTuple):
    """What a discriminator says of N pictures.

    Attributes:
        logits: [N] float32; above 0 for what it takes for real.
        features: [N, F] float32: what its last layer reads of each picture by itself.
    """

    logits: Tensor
    features: Tensor


class Discriminator(Protocol):
    """What a module of this package offers."""

    def parameters(self, config: Config, spec: GeneratorSpec) -> dict[str, Parameter]:
        """Names, shapes and starts of what is trained."""

    def discriminate(
        self, weights: Mapping[str, Tensor], images: Tensor, labels: Tensor | None, config: Config
    ) -> Answers:
        """Judge images [N, H, W, C] of one kind, all real or all generated, with their one-hot labels [N, c_dim]."""


def discriminator_of(architecture: str) -> Discriminator:
    """The discriminator that a generator of this architecture is trained against.

    Raises:
        OptionError: None is known.
    """
    from train.discriminators import convolutional, dense, growing, residual

    known: dict[str, Discriminator] = {
        "dcgan": convolutional,
        "mlp": dense,
        "progressive": growing,
        "stylegan": growing,
        "stylegan2": residual,
    }
    if architecture not in known:
        raise OptionError(f"train knows no discriminator for {architecture!r}; choose from {', '.join(known)}")
    return known[architecture]
