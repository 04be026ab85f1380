"""Equalised learning rate: parameters of about unit size, times a constant gain, are the canonical tensors.

So Adam's step is of one relative size everywhere, and what is trained is, folded, exactly what is exported.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.architectures import weight_shapes
from ganexport.errors import OptionError
from ganexport.spec import GeneratorSpec

__all__ = ["Parameter", "fold", "generator_parameters", "initial_value"]

MAPPING_LR_MULTIPLIER = 0.1


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


def generator_parameters(spec: GeneratorSpec) -> dict[str, Parameter]:
    """One `Parameter` for each canonical tensor of a style-based generator.

    Source: Karras et al. 2018, section 4.1; multipliers and starts as published for StyleGAN2.
    """
    if spec.architecture != "stylegan2":
        raise OptionError(f"train knows no starting point for architecture {spec.architecture!r}, only stylegan2")
    return {name: _generator_parameter(name, shape) for name, shape in weight_shapes(spec).items()}


def _generator_parameter(name: str, shape: tuple[int, ...]) -> Parameter:
    fan_in = math.prod(shape[1:]) or 1
    if name.startswith("mapping.fc"):
        if name.endswith(".bias"):
            return Parameter(shape, initial=0.0, gain=MAPPING_LR_MULTIPLIER)
        gain = MAPPING_LR_MULTIPLIER / math.sqrt(fan_in)
        return Parameter(shape, initial=1.0 / MAPPING_LR_MULTIPLIER, gain=gain)
    if name == "mapping.w_avg":
        return Parameter(shape, initial=0.0, trainable=False)
    if name.endswith(".noise_const"):
        return Parameter(shape, trainable=False)
    if name.endswith(".noise_strength"):
        return Parameter(shape, initial=0.0)
    if ".affine." in name:
        to_rgb = 1.0 / math.sqrt(shape[0]) if ".torgb." in name else 1.0
        if name.endswith(".bias"):
            return Parameter(shape, initial=0.0, offset=1.0, gain=to_rgb)
        return Parameter(shape, gain=to_rgb / math.sqrt(fan_in))  # rows of unit variance
    if name.endswith(".bias"):
        return Parameter(shape, initial=0.0)
    if name.endswith((".embed.weight", ".skip.weight")):
        return Parameter(shape, gain=1.0 / math.sqrt(fan_in))
    return Parameter(shape)  # const; modulated kernels, whose scale demodulation or the style's gain sets


def initial_value(name: str, parameter: Parameter, seed: int) -> NDArray[np.float32]:
    """Starting value, the same for a name and a seed whatever else is trained."""
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *name.encode()])))
    value = parameter.offset + parameter.initial * rng.standard_normal(parameter.shape)
    return np.asarray(value, dtype=np.float32)


def fold(values: Mapping[str, Any], parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """Canonical tensors from parameters, as arrays or as TensorFlow tensors."""
    return {name: values[name] if p.gain == 1.0 else values[name] * p.gain for name, p in parameters.items()}
