"""The registry of encoders: one module each, found by the name in `EncoderSpec.architecture`.

A module offers `Spec`, `weight_shapes(spec)` and `encode(ops, weights, spec, image)`; like an architecture it is
written once, over `Ops`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, TypeVar

from ganexport.encoders import convolutional, residual
from ganexport.encoders.spec import EncoderSpec
from ganexport.errors import SpecError
from ganexport.ops.protocol import Ops

__all__ = ["ENCODERS", "EncoderSpec", "encode", "spec_from_json", "weight_shapes"]

T = TypeVar("T")
W = TypeVar("W")

ENCODERS: dict[str, ModuleType] = {"convolutional": convolutional, "residual": residual}


def _module_of(name: str) -> ModuleType:
    if name not in ENCODERS:
        raise SpecError(f"unknown encoder {name!r}; known are: {', '.join(sorted(ENCODERS))}")
    return ENCODERS[name]


def spec_from_json(data: Mapping[str, Any]) -> EncoderSpec:
    """A spec from its JSON form.

    Raises:
        SpecError: The kind of encoder is unknown or a field is wrong.
    """
    spec = _module_of(str(data.get("architecture"))).Spec(**data)
    assert isinstance(spec, EncoderSpec)
    return spec


def weight_shapes(spec: EncoderSpec) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the canonical tensors that `spec` calls for."""
    shapes: dict[str, tuple[int, ...]] = _module_of(spec.architecture).weight_shapes(spec)
    return shapes


def encode(ops: Ops[T, W], weights: Mapping[str, W], spec: EncoderSpec, image: T) -> dict[str, T]:
    """`image` [N, C, H, W] -> `z` [N, z_dim] or `ws` [N, num_ws, w_dim]; with classes `c_logits` [N, c_dim]."""
    outputs: dict[str, T] = _module_of(spec.architecture).encode(ops, weights, spec, image)
    return outputs
