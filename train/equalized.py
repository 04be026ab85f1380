"""Equalised learning rate: parameters of about unit size, times a constant gain, are the canonical tensors.

So Adam's step is of one relative size everywhere, and what is trained is, folded, exactly what is exported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Parameter", "fold", "initial_value", "unfolded"]


@dataclass(frozen=True)
class Parameter:
    """How one canonical tensor is trained.

    Attributes:
        shape: Its shape.
        initial: Standard deviation of the parameter at the start; 0 for a constant start.
        offset: Mean of the parameter at the start.
        gain: canonical = parameter · gain.
        trainable: Whether the optimiser moves it.
    """

    shape: tuple[int, ...]
    initial: float = 1.0
    offset: float = 0.0
    gain: float = 1.0
    trainable: bool = True


def initial_value(name: str, parameter: Parameter, seed: int) -> NDArray[np.float32]:
    """Starting value, the same for a name and a seed whatever else is trained."""
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *name.encode()])))
    value = parameter.offset + parameter.initial * rng.standard_normal(parameter.shape)
    return np.asarray(value, dtype=np.float32)


def fold(values: Mapping[str, Any], parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """Canonical tensors from parameters, as arrays or as TensorFlow tensors."""
    return {name: values[name] if p.gain == 1.0 else values[name] * p.gain for name, p in parameters.items()}


def unfolded(tensors: Mapping[str, Any], parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """Parameters that fold to these canonical tensors."""
    return {name: tensor / parameters[name].gain for name, tensor in tensors.items()}
