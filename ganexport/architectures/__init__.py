"""The registry of architectures: one module each, found by the name in `GeneratorSpec.architecture`.

A module offers `Spec`, `weight_shapes(spec)` and `synthesis(…)`. Families with a w space also offer `mapping(…)`, those
with noise `noise_shapes(spec)`, those whose synthesis takes more than latents and noise `extra_inputs(spec)`, and those
whose picture grows from block to block `carried(spec, resolution)`: where the synthesis can be cut into stages.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ganexport.architectures import dcgan, lucidrains, mlp, progressive, stylegan, stylegan2, stylegan3
from ganexport.errors import SpecError
from ganexport.ops.protocol import Ops
from ganexport.spec import GeneratorSpec

__all__ = [
    "ARCHITECTURES",
    "carried",
    "extra_inputs",
    "mapping",
    "module_of",
    "noise_shapes",
    "spec_from_json",
    "synthesis",
    "weight_shapes",
]

T = TypeVar("T")
W = TypeVar("W")

ARCHITECTURES: dict[str, ModuleType] = {
    "dcgan": dcgan,
    "lucidrains": lucidrains,
    "mlp": mlp,
    "progressive": progressive,
    "stylegan": stylegan,
    "stylegan2": stylegan2,
    "stylegan3": stylegan3,
}


def module_of(name: str) -> ModuleType:
    """The module of an architecture.

    Raises:
        SpecError: No architecture of that name.
    """
    if name not in ARCHITECTURES:
        raise SpecError(f"unknown architecture {name!r}; known are: {', '.join(sorted(ARCHITECTURES))}")
    return ARCHITECTURES[name]


def spec_from_json(data: Mapping[str, Any]) -> GeneratorSpec:
    """A spec from its JSON form.

    Raises:
        SpecError: The architecture is unknown or a field is wrong.
    """
    spec = module_of(str(data.get("architecture"))).Spec(**data)
    assert isinstance(spec, GeneratorSpec)
    return spec


def weight_shapes(spec: GeneratorSpec) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the canonical tensors that `spec` calls for."""
    shapes: dict[str, tuple[int, ...]] = module_of(spec.architecture).weight_shapes(spec)
    return shapes


def mapping(
    ops: Ops[T, W], weights: Mapping[str, W], spec: GeneratorSpec, z: T, c: T | None, truncation_psi: T
) -> dict[str, T]:
    """z [N, z_dim], c [N, c_dim], truncation_psi [N, num_ws] -> `ws` [N, num_ws, w_dim]."""
    outputs: dict[str, T] = module_of(spec.architecture).mapping(ops, weights, spec, z, c, truncation_psi)
    return outputs


def synthesis(
    ops: Ops[T, W], weights: Mapping[str, W], spec: GeneratorSpec, inputs: Mapping[str, T], until: int | None = None
) -> dict[str, T]:
    """Run the synthesis, or a stage of it, on its inputs by name.

    Args:
        inputs: `ws` [N, num_ws, w_dim], or without a w space `z` [N, z_dim] and `c` [N, c_dim]; for noise either
            `noise_scale` [N], which scales the stored one, or those of `noise_shapes`; those of `extra_inputs`; and for
            a stage that is not the first those of `carried`.
        until: Size of the block with which the stage ends; None for the whole.

    Returns:
        `image` [N, C, H, W], or what is carried on from the stage; and probes such as `rgb_b8`.
    """
    run = module_of(spec.architecture).synthesis
    outputs: dict[str, T] = run(ops, weights, spec, inputs) if until is None else run(ops, weights, spec, inputs, until)
    return outputs


def carried(spec: GeneratorSpec, resolution: int) -> dict[str, tuple[int, int, int]]:
    """Names and shapes [C, H, W] of what the block of this size hands to the next: `x_b64`, `rgb_b64`.

    Returns:
        None of them where the synthesis cannot be cut, since it has no picture there.
    """
    offered = getattr(ARCHITECTURES.get(spec.architecture), "carried", None)
    shapes: dict[str, tuple[int, int, int]] = {} if offered is None else offered(spec, resolution)
    return shapes


def noise_shapes(spec: GeneratorSpec) -> dict[str, tuple[int, ...]]:
    """Names and shapes without N of the noise that the synthesis can take as inputs, in layer order; none without."""
    if not getattr(spec, "noise", False):
        return {}
    shapes: dict[str, tuple[int, ...]] = module_of(spec.architecture).noise_shapes(spec)
    return shapes


def extra_inputs(spec: GeneratorSpec) -> dict[str, NDArray[np.float32]]:
    """Inputs of the synthesis beside latents and noise: the value of each, for one picture, where nothing is said."""
    # A generator that is known only as a graph has no architecture, and none of these.
    offered = getattr(ARCHITECTURES.get(spec.architecture), "extra_inputs", None)
    values: dict[str, NDArray[np.float32]] = {} if offered is None else offered(spec)
    return values
