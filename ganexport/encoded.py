"""What an encoder finds in pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Encoded"]


@dataclass(frozen=True, eq=False)
class Encoded:
    """What an encoder found in pictures.

    Attributes:
        latents: z [N, z_dim], or ws [N, num_ws, w_dim].
        probabilities: Of each class [N, c_dim]; None without classes.
    """

    latents: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None

    @property
    def labels(self) -> list[int] | None:
        """The likeliest class of each picture; None without classes."""
        return None if self.probabilities is None else [int(one) for one in self.probabilities.argmax(axis=1)]

    @classmethod
    def of(cls, outputs: Mapping[str, NDArray[np.float32]]) -> Encoded:
        """From the outputs of an encoder's graph: `z` [N, z_dim] or `ws`, and maybe `c_logits` [N, c_dim]."""
        logits = outputs.get("c_logits")
        return cls(outputs["ws" if "ws" in outputs else "z"], None if logits is None else _softmax(logits))


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)
