"""`EncoderOptions`: how an encoder is trained; read without TensorFlow."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ganexport.errors import OptionError

__all__ = ["EncoderOptions"]


@dataclass(frozen=True)
class EncoderOptions:
    """How an encoder is trained. Every field can be set on the command line.

    Attributes:
        steps: How many steps.
        batch: Pictures in a step, half of them real.
        lr: Adam's learning rate at the start; a cosine lowers it to a hundredth.
        latent_weight: Weight of the squared distance to the latents of drawn pictures.
        class_weight: Weight of the classes' cross-entropy.
        from_scratch: Whether its body starts from random weights and not from the discriminator's.
        seed: Of every random stream.
    """

    steps: int = 8000
    batch: int = 32
    lr: float = 0.002
    latent_weight: float = 0.1
    class_weight: float = 0.1
    from_scratch: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 2 or self.batch % 2:
            raise OptionError(
                f"--steps must be at least 1 and --batch even and at least 2, found {self.steps} and {self.batch}"
            )
        if not (math.isfinite(self.lr) and self.lr > 0):
            raise OptionError(f"--lr must be above 0, found {self.lr}")
        if not (self.latent_weight >= 0 and self.class_weight >= 0 and 0 <= self.seed < 1 << 31):
            raise OptionError(
                "--latent-weight, --class-weight and --seed must be at least 0, "
                f"found {self.latent_weight}, {self.class_weight} and {self.seed}"
            )
