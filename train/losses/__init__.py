"""What the two sides minimise: pure functions of logits and images, one file a kind.

The names stand here, without TensorFlow, so that a configuration can be checked before it is loaded.
"""

from __future__ import annotations

from ganexport.errors import OptionError

__all__ = ["ADVERSARIAL_NAMES", "check_adversarial"]

ADVERSARIAL_NAMES = ("minimax", "non-saturating", "least-squares", "wasserstein", "hinge")
"""The losses of `train.losses.adversarial`."""

TARGETED = ADVERSARIAL_NAMES[:3]
"""Those in which D aims at a target for each picture, so that the target can be softened or swapped."""


def check_adversarial(loss: str, label_smoothing: float, flip_labels: float) -> None:
    """Check that a loss is known and that the tricks asked for have a meaning in it.

    Args:
        loss: Name of the loss.
        label_smoothing: What is taken from the target 1 of real pictures: 0.1 for the usual target of 0.9; 0 for none.
        flip_labels: Share of the pictures whose target is swapped; 0 for none.

    Raises:
        OptionError: It is unknown, or one of the tricks has no meaning in it.
    """
    if loss not in ADVERSARIAL_NAMES:
        raise OptionError(f"unknown --loss {loss!r}; choose from {', '.join(ADVERSARIAL_NAMES)}")
    for flag, value in (("label-smoothing", label_smoothing), ("flip-labels", flip_labels)):
        if not 0.0 <= value < 0.5:
            raise OptionError(f"--{flag} must be at least 0 and below 0.5, found {value}")
        if value and loss not in TARGETED:
            raise OptionError(
                f"--{flag} {value} has no meaning with --loss {loss}, which has no targets; "
                f"set it to 0, or choose a loss from {', '.join(TARGETED)}"
            )
