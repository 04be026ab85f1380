"""The families of generators that can be trained: one module each, found by `Config.architecture`.

What a module offers is `GeneratorFamily`. The pictures themselves are drawn by the family's own file in
`ganexport.architectures`, run on `TrainingOps`: what is trained is what is exported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from ganexport.errors import OptionError
from ganexport.spec import GeneratorSpec
from ganexport.weights import Tensors
from train.config import Config
from train.equalized import Parameter
from train.generators.training_ops import TrainingOps

__all__ = ["GeneratorFamily", "Latents", "family_of"]

Tensor = Any
Values = dict[str, Tensor]


@dataclass(frozen=True)
class Latents:
    """Where a batch of pictures comes from.

    Attributes:
        z: [N, z_dim], drawn from the spec's distribution.
        ws: [N, num_ws, w_dim] with style mixing done; None for families without a w space.
        mean_w: [w_dim], the mean of the batch, for `w_avg`; None without a w space.
    """

    z: Tensor
    ws: Tensor | None = None
    mean_w: Tensor | None = None


class GeneratorFamily(Protocol):
    """What the trainer must know of a family of generators. `values` are the trained parameters by name."""

    def spec(self, config: Config, image_channels: int, c_dim: int) -> GeneratorSpec:
        """The generator that a run trains."""

    def parameters(self, spec: Any) -> dict[str, Parameter]:
        """Names, shapes and starts of what is trained."""

    def latents(
        self, values: Values, spec: Any, config: Config, labels: Tensor | None, count: Tensor, seed: Tensor
    ) -> Latents:
        """`count` fresh latents from the stream `seed` int32 [2], for one-hot `labels` [N, c_dim]."""

    def pictures(self, ops: TrainingOps, values: Values, spec: Any, latents: Latents, labels: Tensor | None) -> Tensor:
        """Pictures [N, H, W, C], as training sees them: with fresh noise and the batch's own statistics."""

    def canonical(self, values: Values, spec: Any) -> Values:
        """Exactly the tensors of `weight_shapes(spec)`, from arrays or TensorFlow tensors."""

    def trained(self, tensors: Tensors, spec: Any) -> Tensors:
        """Values that are, canonical, these tensors of `weight_shapes(spec)`."""


def family_of(architecture: str) -> GeneratorFamily:
    """The family of an architecture.

    Raises:
        OptionError: None that can be trained has this name.
    """
    from train.generators import classic, grown, style

    families: dict[str, GeneratorFamily] = {
        "dcgan": classic,
        "mlp": classic,
        "progressive": grown,
        "stylegan": grown,
        "stylegan2": style,
    }
    if architecture not in families:
        raise OptionError(f"train knows no architecture {architecture!r}; choose from {', '.join(families)}")
    return families[architecture]
