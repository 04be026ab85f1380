"""The game itself: what the discriminator and the generator minimise, on logits [N], each the mean over the batch.

Every loss is two costs of a logit: D's for a target (1 real, 0 generated, or between), and G's for a generated picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

__all__ = ["ADVERSARIAL", "Adversarial"]

Tensor = Any


@dataclass(frozen=True)
class Adversarial:
    """A loss of two sides.

    Attributes:
        cost: (logits [N], target [] or [N] in 0…1) -> what D pays for each [N].
        generator_cost: logits [N] of generated pictures -> what G pays for each [N].
        boundary: The logit between what D takes for real and what not.
    """

    cost: Callable[[Tensor, Tensor], Tensor]
    generator_cost: Callable[[Tensor], Tensor]
    boundary: float = 0.0

    def discriminator(
        self, real_logits: Tensor, fake_logits: Tensor, *, real_target: float = 1.0, flipped: Tensor | None = None
    ) -> Tensor:
        """What D minimises.

        Args:
            real_logits: [N].
            fake_logits: [N].
            real_target: Target of real pictures; below 1 it keeps D from growing too sure. That of generated ones stays
                0, else D would hold on to what G draws now (Salimans et al. 2016, section 3.4).
            flipped: bool [N]; where true, the real and the generated picture of that place swap their targets.

        Returns:
            [] The mean over the real pictures plus the mean over the generated ones.
        """
        real: Tensor = real_target
        fake: Tensor = 0.0
        if flipped is not None:
            fake = real_target * tf.cast(flipped, fake_logits.dtype)  # [N]
            real = real_target - fake
        return tf.reduce_mean(self.cost(real_logits, real)) + tf.reduce_mean(self.cost(fake_logits, fake))

    def generator(self, fake_logits: Tensor) -> Tensor:
        """What G minimises, [], from the logits [N] of its pictures."""
        return tf.reduce_mean(self.generator_cost(fake_logits))


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """−t·log D − (1 − t)·log(1 − D) with D = sigmoid(logit).

    Source: Goodfellow et al. 2014, equation 1.
    """
    return target * tf.nn.softplus(-logits) + (1.0 - target) * tf.nn.softplus(logits)


def _squares(logits: Tensor, target: Tensor) -> Tensor:
    """½·(logit − t)².

    Source: Mao et al. 2017 (LSGAN), equation 9: a = 0, b = c = 1.
    """
    return 0.5 * tf.square(logits - target)


def _earth_mover(logits: Tensor, target: Tensor) -> Tensor:
    """−logit for the target 1, logit for 0: the critic drives the two means apart.

    Source: Arjovsky et al. 2017 (Wasserstein GAN), equations 2 and 3.
    """
    return (1.0 - 2.0 * target) * logits


def _hinge(logits: Tensor, target: Tensor) -> Tensor:
    """max(0, 1 − logit) for the target 1, max(0, 1 + logit) for 0.

    Source: Lim and Ye 2017 (Geometric GAN), section 3; Miyato et al. 2018, equations 16 and 17.
    """
    return tf.nn.relu(1.0 + (1.0 - 2.0 * target) * logits)


ADVERSARIAL: dict[str, Adversarial] = {
    # G minimises log(1 − D): the game as it was first written; its gradient dies where D is sure.
    "minimax": Adversarial(_cross_entropy, lambda fake: -tf.nn.softplus(fake)),
    # G minimises −log D, that is, its pictures under the label "real" (Goodfellow et al. 2014, section 3).
    "non-saturating": Adversarial(_cross_entropy, lambda fake: tf.nn.softplus(-fake)),
    "least-squares": Adversarial(_squares, lambda fake: _squares(fake, 1.0), boundary=0.5),
    "wasserstein": Adversarial(_earth_mover, lambda fake: -fake),
    "hinge": Adversarial(_hinge, lambda fake: -fake),
}
"""The losses by name."""
