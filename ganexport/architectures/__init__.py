"""The registry of architectures: one module each, found by the name in `GeneratorSpec.architecture`.

A module offers `Spec`, `weight_shapes(spec)` and `synthesis(…)`; families with a w space also `mapping(…)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, TypeVar

from ganexport.architectures import dcgan, progressive, stylegan, stylegan2
from ganexport.errors import SpecError
from ganexport.ops.protocol import Ops
from ganexport.spec import GeneratorSpec

__all__ = ["ARCHITECTURES", "mapping", "module_of", "spec_from_json", "synthesis", "weight_shapes"]

T = TypeVar("T")
W = TypeVar("W")

ARCHITECTURES: dict[str, ModuleType] = {
    "dcgan": dcgan,
    "progressive": progressive,
    "stylegan": stylegan,
    "stylegan2": stylegan2,
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


def synthesis(ops: Ops[T, W], weights: Mapping[str, W], spec: GeneratorSpec, inputs: Mapping[str, T]) -> dict[str, T]:
    """Run the synthesis on its inputs by name.

    Args:
        inputs: `ws` [N, num_ws, w_dim], and `noise_scale` [N] where noise is wanted; without a w space `z` [N, z_dim]
            and `c` [N, c_dim].

    Returns:
        `image` [N, C, H, W], and probes such as `rgb_b8`.
    """
    module = module_of(spec.architecture)
    outputs: dict[str, T]
    if spec.has_w_space:
        outputs = module.synthesis(ops, weights, spec, inputs["ws"], inputs.get("noise_scale"))
    else:
        outputs = module.synthesis(ops, weights, spec, inputs["z"], inputs.get("c"))
    return outputs
